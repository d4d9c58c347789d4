from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fillbench.benchmark.cache import Store
from fillbench.benchmark.cell import run_cell
from fillbench.benchmark.config import resolve
from fillbench.benchmark.data import prepare
from fillbench.benchmark.export import export
from fillbench.benchmark.plan import make_plan
from fillbench.benchmark.rundir import open_run
from fillbench.benchmark.runner import PlannedRun, cells_of
from fillbench.records import read_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    """A run of the floor, the ceiling and a strategy, whose cells are run here."""
    folder = tmp_path_factory.mktemp("run")
    generator = np.random.default_rng(0)
    arrays = {
        f"{part}_{what}": values
        for part, count in (("train", 40), ("test", 20))
        for what, values in (
            ("images", generator.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)),
            ("labels", np.arange(count) % 2),
        )
    }
    np.savez(folder / "data.npz", **arrays)
    asked = {
        "dataset": f"npz:{folder / 'data.npz'}",
        "minority": "1",
        "keep": "5",
        "generators": "smote",
        "strategies": "class-balanced",
        "controls": "none",
        "seeds": "1",
        "steps": "1",
        "classifier": "test_resnet",
        "device": "cpu",
        "cache": str(folder / "cache"),
        "out": str(folder / "out"),
    }
    config = resolve(asked)
    plan = make_plan(config, prepare(config))
    store = Store(Path(plan.config.cache))
    store.get("datasets", plan.data.manifests[0].dataset, lambda new, work: plan.data.split.save(new))
    out = open_run(plan)
    for cell in cells_of(PlannedRun(plan, out)):
        if cell.arm.generator is None:
            run_cell(cell, plan.data.split, store, lambda *event: None)
    return out


@pytest.mark.parametrize(("arm", "added"), [("none", 0), ("none+class-balanced", 0), ("full", 15)])
def test_arms_without_a_generator_hand_out_real_examples_only(run_dir, tmp_path, arm, added):
    told = export(run_dir, arm, 0, "npy", tmp_path / "given")
    assert f"25 real and {added} added images" in told
    assert np.load(tmp_path / "given" / "is_added.npy").sum() == added


def test_what_a_run_is_described_by_is_what_its_readers_expect(run_dir):
    run = read_run(run_dir)
    assert run == json.loads((run_dir / "run.json").read_text())
    assert {arm["name"]: arm["role"] for arm in run["arms"]} == {
        "none": "floor",
        "full": "ceiling",
        "none+class-balanced": "control",
        "smote+class-balanced": "filled",
    }
    assert (run["kind"], run["noun"], run["plural"], run["dataset"]["shape"]) == (
        "images",
        "image",
        "images",
        [8, 8, 1],
    )
    assert run["metrics"][0]["name"] == "minority_recall"
    assert {flag["name"] for flag in run["audit"]["flags"]} >= {"copies", "leaks", "collapsed"}
