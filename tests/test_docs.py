"""What the documents say is what works."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from statistics import mean

from fillbench import generators
from fillbench.benchmark.check import check

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def test_ci_runs_the_readmes_test_command():
    command = "pip install -e '.[test]' -c constraints.txt && pytest"
    assert f"\n{command}\n" in README
    assert f"\n{command}\n" in (ROOT / ".ci" / "run").read_text()
    assert "\npip install -e . -c constraints.txt && benchmark run --generators all\n" in README


def test_the_readmes_generator_conforms_and_has_under_thirty_lines(tmp_path):
    (example,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.S) if "@register" in block]
    assert len(example.splitlines()) < 30
    path = tmp_path / "mirror.py"
    path.write_text(example)
    wrong = [result for result in check(str(path), device="cpu") if not result.passed]
    del generators.base._REGISTRY._classes["mirror"]
    assert not wrong


def test_the_readme_lists_every_generator_with_its_line():
    for name in generators.base.BUILTIN:
        summary = generators.load(name).summary().rstrip(".")
        assert f"| `{name}` | {summary} |" in README


def test_the_readmes_figures_are_those_of_the_committed_run():
    with (ROOT / "results" / "digits" / "leaderboard.csv").open() as file:
        for row in csv.DictReader(file):
            mean, low, high = (f"{float(row[f'minority_recall_{part}']):.3f}" for part in ("mean", "ci_low", "ci_high"))
            assert f"| {mean} | [{low}, {high}] |" in README, row["arm"]


def test_the_speed_that_is_told_is_the_one_that_was_measured():
    record = json.loads((ROOT / "results" / "speed" / "embedded-cpu.json").read_text())
    rates, told = record["images_per_second"], (ROOT / "docs" / "diffusion.md").read_text()
    assert f"| {rates['plain']:.2f} images/s | {rates['fillbench']:.1f} images/s | {record['ratio']:.1f} (" in told
    assert f"{record['ratio']:.1f} times as many images a second" in README


def test_the_costs_that_are_told_are_those_of_the_committed_run():
    told = (ROOT / "docs" / "diffusion.md").read_text()
    for arm in ("stable-diffusion", "stable-diffusion-lora", "ddpm"):
        costs = [
            json.loads(path.read_text())["cost"] for path in (ROOT / "results/digits/cells").glob(f"{arm}-seed*.json")
        ]
        fit, sample = (mean(cost[f"{phase}_seconds"] for cost in costs) for phase in ("fit", "sample"))
        assert f"| `{arm}` | {fit:.1f} s | {sample:.1f} s |" in told


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)
