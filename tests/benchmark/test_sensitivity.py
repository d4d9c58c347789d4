"""Runs whose leading arms are trained again at other learning rates and steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fillbench
from fillbench.benchmark import drawn, runner
from fillbench.benchmark.executors import Executor
from fillbench.benchmark.executors.base import Worker
from fillbench.tests.reporting import report_without_figures
from fillbench.tests.runs import records

SETTINGS = {
    "lr-half": {"lr": 0.05, "steps": 4},
    "lr-double": {"lr": 0.2, "steps": 4},
    "steps-half": {"lr": 0.1, "steps": 2},
    "steps-double": {"lr": 0.1, "steps": 8},
}


class Here(Executor):
    """Runs cells in this process."""

    def __init__(self, job, workers):
        self.worker = Worker(job)

    def run(self, cells, on_event):
        for cell in cells:
            yield cell, self.worker.run(cell, lambda phase, done, total: None)


@pytest.fixture
def quick(options, monkeypatch):
    """No figures, and no processes, which take longer to start than all this training."""
    monkeypatch.setattr(drawn, "drawn", lambda store, run, board: {})
    monkeypatch.setattr(runner, "LocalExecutor", Here)
    chosen = {"generators": "speckle,oversample", "classifier": "test_resnet", "seeds": 3, "steps": 4, "tstr": True}
    return {**options, **chosen}


def stored(quick):
    """Entries of the store, by stage."""
    found = {}
    for path in Path(quick["cache"]).glob("*/*/*"):
        if path.is_dir():
            found.setdefault(path.parts[-3], set()).add(path.name)
    return found


def variants(quick):
    """The records of every variant."""
    return {name: records(Path(quick["out"]) / "sensitivity" / name, costs=True) for name in SETTINGS}


def test_a_finished_run_is_only_trained_again_and_goes_on_where_it_was_cut_off(quick, monkeypatch):
    fillbench.run(**quick)
    before, main, out = stored(quick), records(quick["out"], costs=True), Path(quick["out"])
    opened = runner.open_run
    with monkeypatch.context() as patch:
        patch.setattr(runner, "open_run", lambda plan: cut_off() if "lr-double" in plan.config.out else opened(plan))
        with pytest.raises(KeyboardInterrupt, match=quick["out"]):
            fillbench.run(**quick, sensitivity=True)
    finished = variants(quick)
    assert [len(cells) for cells in finished.values()] == [12, 0, 0, 0]

    fillbench.run(**quick, sensitivity=True)
    new = {stage: len(entries - before.get(stage, set())) for stage, entries in stored(quick).items()}
    assert {stage: count for stage, count in new.items() if count} == {"predictions": 4 * 12}
    assert records(out, costs=True) == main
    again = variants(quick)
    assert again["lr-half"] == finished["lr-half"]
    for name, cells in again.items():
        about = json.loads((out / "sensitivity" / name / "run.json").read_text())
        assert SETTINGS[name].items() <= about["classifier"].items()
        assert cells.keys() == main.keys()
        for cell, record in cells.items():
            assert record["status"] == "ok"
            for same in ("manifest", "fit_key", "fill_key", "audit", "counts_after"):
                assert record[same] == main[cell][same]

    report = (out / "leaderboard.md").read_text()
    assert "Halving or doubling the learning rate or the steps changes " in report
    assert "| speckle | controls |" in report
    (out / "leaderboard.md").unlink()
    report_without_figures(out)
    assert (out / "leaderboard.md").read_text() == report


def cut_off():
    raise KeyboardInterrupt
