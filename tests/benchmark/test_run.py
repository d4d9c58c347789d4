"""Whole runs, as a user starts them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fillbench
from fillbench import FillbenchError
from fillbench.datasets import DataSet, ImageTraits

PLUGIN = '''
"""Generators that a user might bring."""
import os
import time
from dataclasses import dataclass

import numpy as np
from fillbench.generators import Generator, register


@register("speckle")
class Speckle(Generator):
    """Kept images under noise."""

    @dataclass(frozen=True)
    class Config:
        nap: float = 0.0

    def _fit(self, train, deficits):
        self.train = train
        for step in range(5):
            time.sleep(self.config.nap)
            self.progress(step + 1, 5)
            self.log(step=step, loss=1.0 / (step + 1))

    def _sample(self, label, count):
        source = self.train.images[self.train.labels == label]
        images = source[self.rng.integers(0, len(source), count)].astype(int)
        return (images + self.rng.integers(-20, 20, images.shape)).clip(0, 255).astype(np.uint8)


@register("crash")
class Crash(Generator):
    """Takes its process down."""

    def _fit(self, train, deficits):
        os._exit(11)

    def _sample(self, label, count):
        raise NotImplementedError


@register("raises")
class Raises(Generator):
    """Has a bug."""

    def _fit(self, train, deficits):
        raise ZeroDivisionError("a bug")

    def _sample(self, label, count):
        raise NotImplementedError
'''


@pytest.fixture
def options(npz, tmp_path):
    """A quick run's settings, as fillbench.run takes them."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    return {
        "dataset": f"npz:{npz}",
        "minority": "middle",
        "keep": 4,
        "classifier": "resnet10t",
        "steps": 3,
        "seeds": 2,
        "device": "cpu",
        "generators": "speckle",
        "controls": "none",
        "plugin": str(tmp_path / "plugin.py"),
        "set": {"classifier.batch_size": 8},
        "cache": str(tmp_path / "cache"),
        "out": str(tmp_path / "run"),
    }


def command(options: dict) -> list[str]:
    words = [sys.executable, "-c", "from fillbench.cli import main; main()", "run"]
    for name, value in options.items():
        for item in [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [value]:
            words += [f"--{name}", str(item)]
    return words


def records(run_dir: str | Path, costs: bool = False) -> dict[str, dict]:
    found = {path.stem: json.loads(path.read_text()) for path in sorted(Path(run_dir, "cells").glob("*.json"))}
    return found if costs else {name: {**record, "cost": None} for name, record in found.items()}


def test_a_run_leaves_records_leaderboard_report_figures_and_what_repeats_it(options):
    leaderboard = fillbench.run(**options)
    out = Path(options["out"])
    assert set(leaderboard["arm"]) == {"none", "full", "speckle"}
    pd.testing.assert_frame_equal(leaderboard["arm"].to_frame(), pd.read_csv(out / "leaderboard.csv")[["arm"]])
    assert len(records(out)) == 6
    run = json.loads((out / "run.json").read_text())
    assert "--keep 4" in run["command"]
    assert "report.html" in {path.name for path in out.iterdir()}
    assert {"samples.png", "generator-losses.png"} <= {path.name for path in (out / "figures").iterdir()}
    manifests = {record["manifest"] for record in records(out).values() if record["seed"] == 0}
    assert manifests == {run["manifests"]["0"]}


def test_controls_strategies_and_classifier_seeds_are_arms_and_columns(options):
    more = {"controls": "all", "strategies": "ce,ldam-drw", "tstr": True, "classifier_seeds": 2, "seeds": 1}
    board = fillbench.run(**{**options, **more}).set_index("arm")
    assert {"oversample", "none+class-balanced", "none+cutmix", "speckle", "speckle+ldam-drw"} <= set(board.index)
    assert (board["status"] == "ok").all()
    assert board["control"].sum() == 8
    assert board.loc[["speckle", "speckle+ldam-drw"], "tstr_minority_recall_mean"].notna().all()
    assert board.loc[["none", "full"], "tstr_minority_recall_mean"].isna().all()
    assert (board["verdict_vs_none"].drop("none") != "").all()
    fits = [
        record["cost"]["fit_seconds"]
        for name, record in records(options["out"], costs=True).items()
        if "speckle" in name
    ]
    assert len(set(fits)) == 1, "one fit, shared by both strategies"
    page = (Path(options["out"]) / "report.html").read_text()
    assert "Variance by" in page
    assert "speckle+ldam-drw" in page


def test_a_cheat_is_flagged_in_the_leaderboard_and_in_the_report(tmp_path):
    traps = Path(__file__).parent.parent / "traps.py"
    chosen = {"trap-copies": "copies", "trap-test-images": "leaks", "trap-another-class": "wrong label"}
    out = tmp_path / "run"
    board = fillbench.run(
        generators=",".join(chosen),
        plugin=str(traps),
        controls="none",
        seeds=1,
        classifier="resnet10t",
        steps=40,
        device="cpu",
        cache=str(tmp_path / "cache"),
        out=str(out),
    ).set_index("arm")
    for name, flag in chosen.items():
        assert flag in board.loc[name, "flags"].split("; ")
    assert board.loc["trap-test-images", "test_leak_rate"] > 0.9
    assert board.loc["trap-another-class", "label_fidelity"] < 0.2
    assert "Flagged by the audits:" in (out / "report.html").read_text()


def test_the_number_of_workers_changes_no_record(options, tmp_path):
    runs = []
    for workers in (1, 2):
        out = tmp_path / f"with{workers}"
        fillbench.run(**{**options, "workers": workers, "out": str(out), "cache": str(tmp_path / f"cache{workers}")})
        runs.append(records(out))
    assert runs[0] == runs[1]


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


def test_failing_arms_take_no_other_down_and_the_exit_status_tells(options):
    flags = {**options, "generators": "raises,crash,speckle", "seeds": 1}
    done = subprocess.run(command(flags), capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    found = records(options["out"])
    assert {name: record["status"] for name, record in found.items()} == {
        "none-seed0": "ok",
        "full-seed0": "ok",
        "speckle-seed0": "ok",
        "raises-seed0": "failed",
        "crash-seed0": "failed",
    }
    assert found["raises-seed0"]["reason"] == "ZeroDivisionError: a bug"
    assert "crashed" in found["crash-seed0"]["reason"]
    assert "bars: 5 arms x 1 seeds = 5 cells on cpu" in done.stderr
    assert "[5/5]" in done.stderr
    assert "failed: crash, raises" in done.stderr
    assert "Traceback" not in done.stderr
    board = pd.read_csv(Path(options["out"]) / "leaderboard.csv").set_index("arm")
    assert board.loc["raises", "status"] == "failed"
    assert board.loc["speckle", "status"] == "ok"


def test_a_run_folder_of_another_configuration_is_refused(options):
    fillbench.run(**{**options, "seeds": 1, "generators": "oversample", "plugin": None})
    with pytest.raises(FillbenchError, match=r"keep is 4, here it is 3; choose another --out"):
        fillbench.run(**{**options, "seeds": 1, "generators": "oversample", "plugin": None, "keep": 3})


def test_the_same_folder_with_other_images_is_refused(options, npz):
    quick = {**options, "seeds": 1, "generators": "oversample", "plugin": None}
    fillbench.run(**quick)
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


def test_a_class_from_a_notebook_cell_can_be_run(options, tmp_path):
    """No file, no main guard: as a script from standard input, which workers cannot import."""
    quick = {**options, "plugin": None, "seeds": 1, "generators": "mine"}
    script = f"""
import numpy as np, fillbench
from fillbench.generators import Generator, register
@register("mine")
class Mine(Generator):
    "From a notebook."
    def _fit(self, train, deficits): self.shape = train.x.shape[1:]
    def _sample(self, label, count): return self.rng.integers(0, 256, (count, *self.shape), dtype=np.uint8)
board = fillbench.run(**{quick!r})
print(board.set_index("arm").loc["mine", "status"], board.attrs["run_dir"])
"""
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True)
    assert done.stdout.split() == ["ok", options["out"]], done.stderr


def test_what_was_found_while_reading_is_told_before_the_first_cell_and_kept_in_the_run(options, npz, capfd):
    with np.load(npz) as arrays:
        arrays = dict(arrays)
    arrays["test_images"][0] = arrays["train_images"][0]
    np.savez(npz, **arrays)
    fillbench.run(**{**options, "seeds": 1, "generators": "oversample", "classifier": "test_resnet"})
    err = capfd.readouterr().err
    assert err.count("warning: 1 of the 50 train images are test images too") == 1
    assert err.index("warning: ") < err.index("[1/3]")
    reading = json.loads((Path(options["out"]) / "run.json").read_text())["dataset"]["reading"]
    assert reading["duplicates"]["train_in_test"] == 1
    assert len(reading["warnings"]) == 1


def test_export_hands_out_what_an_arm_was_trained_on_and_takes_it_back(options, npz, tmp_path):
    from fillbench.benchmark.export import export

    names = ("left, or so", "(1) benign", "a/b")
    with np.load(npz) as arrays:
        np.savez(npz, **{**arrays, "class_names": np.array(names)})
    fillbench.run(**{**options, "seeds": 1, "minority": "(1) benign"})
    run_dir = Path(options["out"])
    export(run_dir, "speckle", 0, "npy", tmp_path / "npy")
    images, labels, added = (np.load(tmp_path / "npy" / f"{name}.npy") for name in ("images", "labels", "is_added"))
    assert np.bincount(labels).tolist() == records(run_dir)["speckle-seed0"]["counts_after"]
    assert added.sum() == 20
    export(run_dir, "speckle", 0, "png", tmp_path / "png")
    train = DataSet(images[~added], labels[~added], names, ImageTraits())
    for given in (tmp_path / "png" / "added", tmp_path / "npy"):
        made = fillbench.create("from-files", path=str(given), random_state=0)
        again = made.fit(train, {1: 20}).sample(1, 20)
        assert sorted(image.tobytes() for image in again) == sorted(image.tobytes() for image in images[added])
    real = fillbench.datasets.load(f"folder:{tmp_path / 'png' / 'real'}", Path())
    assert set(real.train.class_names) == set(names)
    for arm, count in (("none", 0), ("full", 16)):
        export(run_dir, arm, 0, "npy", tmp_path / arm)
        assert np.load(tmp_path / arm / "is_added.npy").sum() == count
    for arguments, message in (
        ((run_dir, "speckel", 0, "npy", tmp_path / "x"), "'speckle'"),
        ((run_dir, "speckle", 7, "npy", tmp_path / "x"), "no seed 7"),
        ((run_dir, "speckle", 0, "npy", tmp_path / "npy"), "not an empty folder"),
        ((tmp_path, "speckle", 0, "npy", tmp_path / "x"), "no run folder"),
    ):
        with pytest.raises(FillbenchError, match=message):
            export(*arguments)


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


def test_the_diffusion_arms_run_side_by_side_without_network_and_leave_prompts_and_weights(tmp_path):
    from fillbench.benchmark.export import export

    tiny = ["ddpm.steps=2", "ddpm.sampling_steps=2", "stable-diffusion.steps=2", "stable-diffusion-lora.steps=2"]
    tiny += ["stable-diffusion-lora.train_steps=2", "classifier.batch_size=16"]
    words = [
        "run",
        "--generators",
        "ddpm,stable-diffusion,stable-diffusion-lora",
        "--dataset",
        "digits",
        "--seeds",
        "1",
        "--controls",
        "none",
    ]
    words += ["--steps", "2", "--classifier", "test_resnet", "--cache", str(tmp_path / "cache")]
    words += ["--out", str(tmp_path / "out"), *(word for text in tiny for word in ("--set", text))]
    main = "from fillbench.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", main, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    board = pd.read_csv(tmp_path / "out" / "leaderboard.csv").set_index("arm")
    assert board["external_data"].to_dict() == {
        **dict.fromkeys(("none", "full", "ddpm"), False),
        **dict.fromkeys(("stable-diffusion", "stable-diffusion-lora"), True),
    }
    facts = records(tmp_path / "out")["stable-diffusion-seed0"]["generator_facts"]
    assert {"model": "embedded", "steps": 2, "resolution": [32, 32]}.items() <= facts.items()
    export(tmp_path / "out", "stable-diffusion-lora", 0, "npy", tmp_path / "given")
    prompts = json.loads((tmp_path / "given" / "prompts.json").read_text())
    assert prompts == ["a close-up of a handwritten digit 8"] * int(np.load(tmp_path / "given" / "is_added.npy").sum())
    assert (tmp_path / "given" / "adapter.safetensors").is_file()
