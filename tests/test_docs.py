"""What the documents say is what works."""

from __future__ import annotations

import csv
import importlib.util
import json
import re
import shutil
from collections import Counter
from pathlib import Path
from statistics import mean, median

import pandas as pd

from fillbench import generators
from fillbench.benchmark.check import check
from fillbench.records import read_record
from fillbench.tests.reporting import report_without_figures

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def board(name: str) -> list[dict[str, str]]:
    """The committed leaderboard of a run."""
    with (ROOT / "results" / name / "leaderboard.csv").open() as file:
        return list(csv.DictReader(file))


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
    for name in generators.builtin():
        summary = generators.load(name).summary().rstrip(".")
        assert f"| `{name}` | {summary} |" in README


def test_the_readmes_figures_and_verdicts_are_those_of_the_committed_run():
    for row in board("digits"):
        (line,) = [line for line in README.splitlines() if line.startswith(f"| `{row['arm']}`") and "[" in line]
        for metric in ("rare_ap", "balanced_accuracy"):
            mean, low, high = (f"{float(row[f'{metric}_{part}']):.3f}" for part in ("mean", "ci_low", "ci_high"))
            assert f"| {mean} [{low}, {high}] |" in line
        told = " | ".join(row[f"verdict_vs_{base}"] or "\N{EN DASH}" for base in ("none", "controls"))
        assert f"| {told} |" in line
        assert all(flag in line for flag in row["flags"].split("; "))


def test_the_readme_counts_the_generators_that_help_right():
    roles = {arm["name"]: arm["role"] for arm in json.loads((ROOT / "results/digits/run.json").read_text())["arms"]}
    words = [row["verdict_vs_none"] for row in board("digits") if roles[row["arm"]] == "filled"]
    assert f"{words.count('helps')} of {len(words)} are shown to help beside doing nothing" in README
    assert "helps" not in [row["verdict_vs_controls"] for row in board("digits")]


def test_the_committed_leaderboards_follow_from_the_committed_records(tmp_path):
    for name in ("digits", "seeds"):
        copy = shutil.copytree(ROOT / "results" / name, tmp_path / name)
        report_without_figures(copy)
        again, told = (pd.read_csv(folder / "leaderboard.csv") for folder in (copy, ROOT / "results" / name))
        known = again[told.columns]  # a metric that came later is not in what was committed
        pd.testing.assert_frame_equal(known, told, rtol=1e-9, atol=1e-12)  # processors add up in their own order


def test_what_the_default_run_holds_is_told_as_it_was_measured():
    told = (ROOT / "docs" / "default-run.md").read_text()
    for estimand in ("knowing", "deciding"):
        rows = [row for row in board("digits") if row[f"vs_none_{estimand}_detectable"]]
        room = float(rows[0][f"headroom_{estimand}"]) / 2
        shown = median(float(row[f"vs_none_{estimand}_detectable"]) for row in rows)
        assert f"| {room:.3f}, half of the headroom | {shown:.3f} |" in told
    once, twice = (
        next(float(row["rare_ap_mean"]) for row in board(name) if row["arm"] == "none")
        for name in ("digits", "default-run/steps-480")
    )
    assert f"after twice the steps | 0.020 | {twice - once:.3f} |" in told
    assert f"`none` knows {twice:.3f} without any" in README
    (oversample,) = (row for row in board("default-run/steps-480") if row["arm"] == "oversample")
    assert oversample["verdict_vs_none"] == "no difference shown"
    halves = json.loads((ROOT / "results" / "calibration" / "halves.json").read_text())["rows"]
    knowing, deciding = (f"{row['rank_correlation']:.3f}" for row in halves)
    assert f"| 0.800 | {knowing}; {deciding} |" in told


def test_the_questions_that_were_tried_are_told_as_they_were_measured():
    told = (ROOT / "docs" / "default-run.md").read_text()
    for name in ("digits", "default-run/longtail"):
        rows = [row for row in board(name) if row["vs_none_knowing_detectable"]]
        figures = []
        for estimand in ("knowing", "deciding"):
            figures.append(float(rows[0][f"headroom_{estimand}"]))
            figures.append(median(float(row[f"vs_none_{estimand}_detectable"]) for row in rows))
        assert f"| {' | '.join(f'{figure:.3f}' for figure in figures)} |" in told


def test_what_is_said_of_twins_is_told_as_it_was_measured():
    told = (ROOT / "docs" / "verdicts.md").read_text()
    rows = json.loads((ROOT / "results" / "calibration" / "twins.json").read_text())["rows"]
    false = [round(row["comparisons"] * row["called_different"]) for row in rows]
    total = sum(row["comparisons"] for row in rows)
    assert f"Of {total} comparisons" in told
    assert f"{sum(false)} are called different, where 5 % would be {total / 20:g}" in told
    three, five, ten = (f"{one} of {row['comparisons']}" for one, row in zip(false, rows, strict=True))
    assert f"{three} with three seeds, {five} with five, and {ten} with ten" in told


def test_how_often_verdicts_are_right_is_told_as_it_was_measured():
    told = (ROOT / "docs" / "verdicts.md").read_text()
    rows = json.loads((ROOT / "results" / "calibration" / "simulated.json").read_text())["rows"]
    shares: dict[str, list[float]] = {}
    for row in rows:
        if "gains_shown" in row:
            share = row["gains_shown"] if row["case"]["gain"] else row["runs_with_a_false_verdict"]
            shares.setdefault(row["case"]["name"], []).append(share)
    for name, values in shares.items():
        line = f"| {name} | " + " | ".join(f"{share:.1%}".replace("%", " %") for share in values) + " |"
        assert line in told, line
    null = [row for row in rows if "gains_shown" in row and not row["case"]["gain"]]
    failing = {row["case"]["name"] for row in null if row["runs_with_a_false_verdict"] > 0.05}
    assert failing == {"5 quiet arms, none collapses", "5 quiet arms, one collapses", "5 rare test examples"}
    beside = max(row["runs_with_a_false_verdict"] for row in rows if row.get("case", {}).get("gain"))
    assert f"Beside gains it is {100 * beside:.1f} % at most" in " ".join(told.split())
    against = [row["runs_with_a_false_verdict_against_controls"] for row in null if row["case"]["controls"]]
    held = [row["intervals_that_hold"] for row in null if row["case"]["collapsing"] is None]
    levels = [share for row in rows for share in row.get("levels_that_hold", {}).values()]
    for words, values in (
        ("false verdicts are {} to {} %", against),
        ("{} to {} % hold the truth where nothing", held),
        ("of those of levels {} to {} %", levels),
    ):
        found = words.format(f"{100 * min(values):.1f}", f"{100 * max(values):.1f}")
        assert found in " ".join(told.split()), found


def test_the_shares_of_the_seeds_that_are_told_are_those_of_the_committed_run():
    told = (ROOT / "docs" / "verdicts.md").read_text()
    shares = {row["arm"]: row for row in board("seeds")}
    for arm in ("oversample", "cgan", "full"):
        values = [float(shares[arm][f"{of}_variance_share"]) for of in ("seed", "classifier")]
        line = f"| `{arm}` | {values[0]:.0%} | {values[1]:.0%} |".replace("%", " %")
        assert line in told


def test_the_audits_take_little_of_the_default_run():
    costs = [cost for path in (ROOT / "results/digits/cells").glob("*.json") if (cost := read_record(path)["cost"])]
    audits = sum(cost["audit_seconds"] for cost in costs) + max(cost["judge_seconds"] for cost in costs)
    rest = sum(cost["fit_seconds"] + cost["sample_seconds"] + cost["train_seconds"] for cost in costs)
    assert audits < 0.15 * rest
    share = f"{audits / rest:.0%}".replace("%", " %")
    assert f"take {share} of the default run's other work" in (ROOT / "docs" / "verdicts.md").read_text()


def test_the_speed_that_is_told_is_the_one_that_was_measured():
    record = json.loads((ROOT / "results" / "speed" / "embedded-cpu.json").read_text())
    rates, told = record["images_per_second"], (ROOT / "docs" / "diffusion.md").read_text()
    assert f"| {rates['plain']:.2f} images/s | {rates['fillbench']:.1f} images/s | {record['ratio']:.1f} (" in told
    assert f"{record['ratio']:.1f} times as many images a second" in README


def test_the_speed_of_training_is_told_as_it_was_measured():
    told = (ROOT / "docs" / "speed.md").read_text()
    for name in ("classifier", "classifier-h200"):
        for shape, found in json.loads((ROOT / "results" / "speed" / f"{name}.json").read_text())["images"].items():
            rates = " | ".join(f"{rate:.0f}" for rate in found["images_per_second"].values())
            low, high = found["ratio_range"]
            end = f"{found['ratio']:.2f} ({low:.2f} to {high:.2f}) |"
            assert re.search(rf"\| {shape} \|.*{re.escape(f'| {rates} | {end}')}", told), (name, shape)


def test_the_speed_of_ctgan_is_told_as_it_was_measured():
    told = (ROOT / "docs" / "speed.md").read_text()
    record = json.loads((ROOT / "results" / "speed" / "ctgan.json").read_text())
    rates, (low, high) = record["rows_per_second"], record["ratio_range"]
    ratio = f"{record['ratio']:.2f} ({low:.2f} to {high:.2f}) |"
    assert f"| {rates['package']:.0f} | {rates['fillbench']:.0f} | {ratio}" in told
    seconds = record["preparation_seconds"]
    assert f"| {seconds['package']:.1f} | {seconds['fillbench']:.1f} | |" in told
    assert all(f"{count:,}" in told for count in record["weights"].values())


def test_the_costs_that_are_told_are_those_of_the_committed_run():
    told = (ROOT / "docs" / "diffusion.md").read_text()
    for arm in ("stable-diffusion", "stable-diffusion-lora", "real-guidance", "diff-mix", "ddpm"):
        found = [read_record(path)["cost"] for path in (ROOT / "results/digits/cells").glob(f"{arm}-seed*.json")]
        costs = [cost for cost in found if cost]
        fit, sample = (mean(cost[f"{phase}_seconds"] for cost in costs) for phase in ("fit", "sample"))
        assert f"| `{arm}` | {fit:.1f} s | {sample:.1f} s |" in told


def test_constraints_are_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()[1:]
    assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in lines)


def test_the_answer_to_the_published_comparison_follows_from_its_records():
    spec = importlib.util.spec_from_file_location("answer", ROOT / "results" / "tables" / "answer.py")
    answer = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(answer)
    told = (ROOT / "results" / "tables" / "README.md").read_text()
    runs = [path.parent for path in (ROOT / "results" / "tables").glob("*/run.json")]
    assert runs
    for path in runs:
        assert answer.measured(path) in told, path.name


def test_what_the_published_comparison_says_is_that_of_its_leaderboards():
    files = ROOT / "results" / "tables" / "README.md", ROOT / "README.md"
    tables, readme = (" ".join(file.read_text().split()) for file in files)
    boards = {path.parent.name: pd.read_csv(path) for path in (ROOT / "results" / "tables").glob("*/leaderboard.csv")}
    boards = {name: board.query("not control and arm not in ['none', 'full']") for name, board in boards.items()}
    arms = pd.concat(boards.values())
    assert not ((arms["vs_none_knowing_p"] < 0.05) & (arms["vs_none_knowing_mean"] > 0)).any()
    (row,) = arms[(arms["vs_none_deciding_p"] < 0.05) & (arms["vs_none_deciding_mean"] > 0)].to_dict("records")
    assert row["arm"] == "adasyn"
    assert f"one arm of {len(arms)} is: ADASYN on page_block, by {row['vs_none_deciding_mean']:.2f}." in tables
    assert "helps" not in set(arms["verdict_vs_controls"])
    assert (boards["software-defect"]["verdict_vs_controls"] == "hurts").all()
    assert f"in the place of {boards['page-block']['threshold_instead'].notna().sum()} of them" in tables
    found = Counter(re.findall(r"\| (stands|not shown|the other way) \|", tables))
    stands, not_shown, other = found["stands"], found["not shown"], found["the other way"]
    assert f"{stands} are found again, {not_shown} are not shown, and {other} go the other way" in tables
    assert f"of {found.total()} published gains {stands} are found again and {other} go the other way" in readme
