from __future__ import annotations

import io

from rich.console import Console

from fillbench.benchmark import progress as module
from fillbench.benchmark.progress import Progress


def record(arm: str, seed: int, **changes) -> dict:
    return {"arm": arm, "seed": seed, "status": "ok", "metrics": {"minority_recall": 0.5}, "reason": None, **changes}


def test_a_log_has_a_line_for_each_cell_with_outcome_and_time_left_and_no_control_characters(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    log = io.StringIO()
    with Progress(4, 2, Console(file=log)) as progress:
        progress.update("smote seed 0", "fit", 0, 1)
        progress.update("gan seed 0", "fit", 50, 200)
        now[0] = 40.0
        progress.beat()
        progress.finish("smote seed 0", record("smote", 0))
        now[0] = 300.0
        progress.finish("gan seed 0", record("gan", 0, status="failed", reason="gan: [no] luck"))
    lines = log.getvalue().splitlines()
    assert lines == [
        "  running: smote seed 0 fit, gan seed 0 fit 25 %",
        "[1/4] smote seed 0: minority recall 0.500, 40 s; about 60 s left",
        "[2/4] gan seed 0: FAILED: gan: [no] luck, 300 s; about 3 min left",
    ]


def test_a_cell_whose_rare_class_is_not_in_the_test_set_is_told_as_done():
    log = io.StringIO()
    with Progress(1, 1, Console(file=log)) as progress:
        progress.finish("smote seed 0", record("smote", 0, metrics={"minority_recall": None}))
    assert log.getvalue().startswith("[1/1] smote seed 0: done,")


def test_cells_from_the_cache_do_not_shorten_the_time_left(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    log = io.StringIO()
    with Progress(12, 1, Console(file=log)) as progress:
        progress.update("a seed 0", "train", 0, 1)
        now[0] = 6.0
        progress.finish("a seed 0", record("a", 0))
        progress.update("b seed 0", "evaluate", 0, 1)
        progress.finish("b seed 0", record("b", 0))
    assert log.getvalue().splitlines()[-1].endswith("about 60 s left")


def test_a_long_phase_tells_its_time_left_from_its_own_speed_and_not_from_what_a_killed_run_had_done(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Progress(4, 1, Console(file=io.StringIO())) as progress:
        for time, done in ((0.0, 600), (10.0, 610)):
            now[0] = time
            progress.update("sd seed 0", "sample", done, 1000)
        assert progress.running["sd seed 0"] == "sd seed 0 sample 61 % (6 min left)"
        for time, done in ((20.0, 0), (30.0, 10)):  # the next class, as many again
            now[0] = time
            progress.update("sd seed 0", "sample", done, 1000)
        assert progress.running["sd seed 0"] == "sd seed 0 sample 1 % (16 min left)"
        for time, done in ((40.0, 0), (42.0, 500)):
            now[0] = time
            progress.update("sd seed 0", "train", done, 1000)
        assert progress.running["sd seed 0"] == "sd seed 0 train 50 %", "short ones do not"
