"""Runs that are cut off, begun again, or told what will not do."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import fillbench
from fillbench import FillbenchError
from fillbench.tests.runs import command, records


def test_a_killed_run_goes_on_and_ends_with_the_records_of_an_uninterrupted_one(options, tmp_path):
    whole = {**options, "out": str(tmp_path / "whole"), "cache": str(tmp_path / "cache-whole")}
    fillbench.run(**whole)
    process = subprocess.Popen(command(options), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(Path(options["out"]).glob("cells/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    finished = records(options["out"], costs=True)
    assert 0 < len(finished) < 6, "it was killed half way"
    done = subprocess.run(command(options), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    again = records(options["out"], costs=True)
    assert {name: again[name] for name in finished} == finished, "finished work was not repeated"
    assert records(options["out"]) == records(whole["out"])


def test_two_runs_at_once_on_one_cache_do_no_harm(options, tmp_path):
    outs = [str(tmp_path / name) for name in ("one", "two")]
    processes = [
        subprocess.Popen(command({**options, "out": out}), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        for out in outs
    ]
    for process in processes:
        _, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
    first, second = (records(out, costs=True) for out in outs)
    assert first == second, "what one made, the other used"


def test_ctrl_c_says_how_to_go_on_and_keeps_what_is_finished(options):
    slow = {**options, "set": {**options["set"], "speckle.nap": 60}, "workers": 2}
    # A shell that runs the tests in the background has them ignore SIGINT, and what they start inherits that.
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command(slow), preexec_fn=heed, **pipes)
    deadline = time.monotonic() + 120
    while len(list(Path(options["out"]).glob("cells/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"--out {options['out']}" in errors
    assert "Traceback" not in errors
    assert len(records(options["out"])) >= 2


def test_seeds_can_be_added_to_a_run_and_the_report_says_so(options):
    few = {**options, "seeds": 1, "generators": "oversample", "plugin": None}
    fillbench.run(**few)
    before = records(options["out"])
    fillbench.run(**{**few, "seeds": 3})
    after = records(options["out"])
    assert {name: after[name] for name in before} == before
    assert len(after) == 3 * len(before)
    report = (Path(options["out"]) / "report.html").read_text()
    assert "Seeds were added after looking: 1, then 3 were planned." in report
    with pytest.raises(FillbenchError, match=r"seeds is 3, here it is 1; choose another --out"):
        fillbench.run(**few)


def test_a_run_folder_of_another_configuration_or_of_other_images_is_refused(options, npz):
    quick = {**options, "seeds": 1, "generators": "oversample", "plugin": None}
    fillbench.run(**quick)
    with pytest.raises(FillbenchError, match=r"keep is 4, here it is 3; choose another --out"):
        fillbench.run(**{**quick, "keep": 3})
    with np.load(npz) as arrays:
        changed = {key: arrays[key] for key in arrays}
    changed["train_images"] = 255 - changed["train_images"]
    np.savez(npz, **changed)
    with pytest.raises(FillbenchError, match=r"images of bars changed"):
        fillbench.run(**quick)


@pytest.mark.parametrize("content", ["{}", "[]", '{"config": 5}', "{"])
def test_a_damaged_run_folder_is_told(options, tmp_path, content):
    from fillbench.benchmark.export import export

    out = Path(options["out"])
    out.mkdir()
    (out / "run.json").write_text(content)
    for attempt in (lambda: fillbench.run(**options), lambda: export(out, "none", 0, "npy", tmp_path / "x")):
        with pytest.raises(FillbenchError, match=r"run\.json"):
            attempt()


@pytest.mark.parametrize("where", ["out", "cache"])
def test_a_folder_that_cannot_be_written_is_told(options, tmp_path, where):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FillbenchError, match=f"choose another --{where}"):
        fillbench.run(**{**options, where: str(tmp_path / "file" / "below")})


def test_all_fill_levels_share_a_fit(options, tmp_path):
    fillbench.run(**options)
    fits = list((tmp_path / "cache" / "fits").glob("*/*"))
    fillbench.run(**{**options, "fill": 5, "out": str(tmp_path / "five")})
    assert list((tmp_path / "cache" / "fits").glob("*/*")) == fits
    assert len(list((tmp_path / "cache" / "fills").glob("*/*"))) == 2 * len(fits)


def test_a_run_begun_in_one_way_goes_on_in_another(options, tmp_path):
    """A number is a number, whether it was typed, read from YAML or given from Python."""
    texts = {**options, "set": {"classifier.batch_size": "8", "speckle.nap": "0"}}
    assert subprocess.run(command(texts), capture_output=True, check=False).returncode == 0
    before = records(options["out"])
    fillbench.run(**{**options, "set": {"classifier": {"batch_size": 8}, "speckle.nap": 0.0}})
    assert records(options["out"]) == before
    with pytest.raises(FillbenchError, match="belongs to another configuration"):
        fillbench.run(**{**options, "set": {"classifier.batch_size": 9}})


def test_workers_end_with_a_killed_parent(options):
    slow = {**options, "set": {**options["set"], "speckle.nap": 60}, "workers": 2}
    process = subprocess.Popen(
        command(slow), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while len(list(Path(options["out"]).glob("cells/*.json"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    time.sleep(3)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
