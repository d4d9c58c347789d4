"""Whole runs, as a user starts them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

import fillbench
from fillbench import FillbenchError
from fillbench.datasets import DataSet, ImageTraits
from fillbench.tests.runs import command, records


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
    plain, moved = board.loc["none"], board.loc["none+logit-adjustment"]
    for metric in ("balanced_accuracy", "minority_recall"):
        assert plain[f"adjusted_{metric}_mean"] == moved[f"{metric}_mean"]
        assert np.isnan(moved[f"adjusted_{metric}_mean"])
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


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_arms_run_side_by_side_on_a_gpu(options):
    steps = options["set"] | {"dcgan.steps": 5}
    board = fillbench.run(**options | {"generators": "speckle,dcgan", "device": "cuda", "workers": 2, "set": steps})
    assert (board["status"] == "ok").all(), [record["reason"] for record in records(options["out"]).values()]
    costs = [record["cost"] for record in records(options["out"], costs=True).values()]
    assert all(cost["peak_memory_mb"] > 0 for cost in costs)


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
        "--minority",
        "8",
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


def test_a_run_of_which_all_is_in_the_store_imports_none_of_what_computes(options, tmp_path):
    del options["plugin"]
    options["set"] |= {"smote-gan.steps": 2, "dcgan.steps": 2}
    options |= {"generators": "smote,smote-gan,dcgan,classical", "controls": "all", "seeds": 1}
    fillbench.run(**options)
    again = {**options, "out": str(tmp_path / "again")}
    code = (
        f"import fillbench, sys; fillbench.run(**{again!r})\n"
        "heavy = {'timm', 'torchvision', 'torchmetrics', 'sklearn', 'imblearn', 'kornia', 'scipy.stats'}\n"
        "print(heavy & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert records(again["out"]) == records(options["out"])
