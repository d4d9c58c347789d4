from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import softmax

from fillbench import CannotFill, Generator
from fillbench.benchmark.cache import Store
from fillbench.benchmark.cell import DiskFull, run_cell
from fillbench.benchmark.codeversion import code_of
from fillbench.benchmark.plan import Arm
from fillbench.benchmark.stages import Cell
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.classifiers.strategies import STRATEGIES
from fillbench.datasets import Split
from fillbench.datasets.images import toy
from fillbench.datasets.imbalance import Manifest
from fillbench.records import read_record
from fillbench.reports.metrics import evaluate, mean_scores

SPLIT = Split("toy", toy((8, 8, 1), (24, 20, 18)), toy((8, 8, 1), (10, 10, 10)))
MANIFEST = Manifest("toy", 0, np.arange(50))  # keeps 6 of the 18 images of class 2


class Noise(Generator):
    """Noise."""

    name = "noise"
    seen: list = []  # noqa: RUF012

    def _fit(self, train, deficits):
        Noise.seen.append(train)
        self.log(step=1, loss=0.5)

    def _sample(self, label, count):
        return self.rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def cell_of(generator=None, name="noise", **changes) -> Cell:
    arm = Arm(name, "", generator, generator.Config() if generator else None, {}, changes.pop("skip", None))
    options = {
        "manifest": MANIFEST,
        "deficits": {2: 18},
        "minority": (2,),
        "classifier": Config(model="resnet10t", steps=2, batch_size=8),
        "judge": Config(model="resnet10t", steps=2, batch_size=8),
        "classifier_seeds": (0,),
        "seeds": 1,
        "tstr": False,
        "synthetic_weight": 1.0,
        "keep_models": False,
        "device": "cpu",
        "threads": 1,
        "strict": False,
        "code": code_of(generator) if generator else "",
    }
    return Cell(Path(), arm, **{**options, **changes})


@pytest.fixture
def run(tmp_path):
    for folder in ("cells", "predictions", "samples"):
        (tmp_path / folder).mkdir()

    def go(cell: Cell) -> dict:
        cell = replace(cell, run_dir=tmp_path)
        record = run_cell(cell, SPLIT, Store(tmp_path / "cache"), lambda *event: None)
        assert json.loads((tmp_path / "cells" / f"{cell.name}.json").read_text()) == record
        return record

    return go


def test_a_synthetic_example_counts_as_told_in_an_arm_on_trial_and_in_nothing_else(run):
    plain, half = (run(cell_of(Noise, synthetic_weight=weight)) for weight in (1.0, 0.5))
    assert half["counts_after"] == plain["counts_after"] == [24, 20, 24]
    assert half["weighted_counts"] == [24.0, 20.0, 6 + 18 / 2]
    assert "weighted_counts" not in plain
    assert half["fill_key"] == plain["fill_key"]
    assert half["classifiers"][0]["train_key"] != plain["classifiers"][0]["train_key"]
    references = [run(cell_of(name="none", synthetic_weight=weight)) for weight in (1.0, 0.5)]
    assert references[0]["classifiers"] == references[1]["classifiers"]


def test_a_record_tells_counts_metrics_curve_and_costs(run, tmp_path):
    record = run(cell_of(Noise))
    assert record["status"] == "ok"
    assert record["counts_before"] == [24, 20, 6]
    assert record["counts_after"] == [24, 20, 24]
    assert record["manifest"] == MANIFEST.sha256
    assert np.sum(record["confusion_matrix"]) == 30
    assert record["generator_log"] == [{"step": 1.0, "loss": 0.5}]
    seconds = {f"{phase}_seconds" for phase in ("fit", "sample", "train", "audit", "judge")}
    assert {*seconds, "peak_memory_mb"} == set(record["cost"])
    assert record["cost"]["peak_memory_mb"] > 50
    with np.load(tmp_path / record["samples"], allow_pickle=False) as grids:
        assert set(grids) == {"real_2", "synthetic_2", "nearest_2"}


def test_a_generator_sees_the_kept_images_and_nothing_leads_to_the_others(run):
    Noise.seen.clear()
    run(cell_of(Noise))
    (train,) = Noise.seen
    assert (train.x == SPLIT.train.x[:50]).all()
    assert train.x.base is None or len(train.x.base) == 50
    assert not np.shares_memory(train.x, SPLIT.train.x)


@pytest.mark.parametrize(("name", "counts"), [("none", [24, 20, 6]), ("full", [24, 20, 18])])
def test_references_train_on_the_kept_and_on_all_images(run, name, counts):
    assert run(cell_of(name=name))["counts_after"] == counts


def test_every_arm_of_a_seed_shares_one_manifest(run):
    hashes = {run(cell)["manifest"] for cell in (cell_of(Noise), cell_of(name="none"), cell_of(name="full"))}
    assert hashes == {MANIFEST.sha256}


def test_the_same_cell_again_comes_from_the_cache_with_the_same_record(run, monkeypatch):
    first = run(cell_of(Noise))
    monkeypatch.setattr(ImageTrainer, "train", None)
    Noise.seen.clear()
    assert run(cell_of(Noise)) == first
    assert not Noise.seen


@pytest.mark.parametrize(
    "changes",
    [
        {"classifier": Config(model="resnet10t", steps=3, batch_size=8)},
        {"manifest": Manifest("toy", 1, np.arange(50))},
        {"manifest": Manifest("toy", 0, np.arange(49))},
        {"deficits": {2: 17}},
        {"classifier_seeds": (5,)},
        {"threads": 2},
        {"code": "another version"},
    ],
)
def test_another_configuration_has_another_key(run, changes):
    keys = {run(cell)["classifiers"][0]["train_key"] for cell in (cell_of(Noise), cell_of(Noise, **changes))}
    assert len(keys) == 2


def test_every_metric_of_a_record_follows_from_its_predictions_to_the_last_digit(run, tmp_path):
    record = run(cell_of(Noise, classifier_seeds=(0, 1000), tstr=True))
    with np.load(tmp_path / "predictions" / "noise-seed0.npz", allow_pickle=False) as stored:
        probabilities, alone = stored["probabilities"], stored["tstr"]
    assert (probabilities.shape, probabilities.dtype) == ((2, 30, 3), np.float32)
    each = [evaluate(one, SPLIT.test.labels, (2,)) for one in probabilities]
    assert {key: record[key] for key in each[0]} == mean_scores(each)
    assert [one["metrics"] for one in record["classifiers"]] == [one["metrics"] for one in each]
    assert record["tstr"] == evaluate(alone, SPLIT.test.labels, (2,))["metrics"]
    assert [one["seed"] for one in record["classifiers"]] == [0, 1000]
    assert np.sum(record["confusion_matrix"]) == 60


@pytest.mark.parametrize("changes", [{}, {"skip": "no weights"}, {"generator": None, "name": "none"}])
def test_every_record_has_every_key(run, tmp_path, changes):
    record = run(cell_of(**{"generator": Noise, **changes}))
    assert read_record(tmp_path / "cells" / f"{record['arm']}-seed0.json") == record


def test_a_failed_record_has_every_key_too(run, tmp_path):
    record = run(cell_of(Raises, "raises"))
    assert read_record(tmp_path / "cells" / "raises-seed0.json") == record
    assert (record["metrics"], record["audit"], record["classifiers"]) == ({}, None, [])
    assert not list((tmp_path / "predictions").iterdir())


def test_only_what_was_made_has_a_key_in_the_store(run):
    assert run(cell_of(Noise))["fill_key"]
    assert [run(cell_of(name=name))["fill_key"] for name in ("none", "full")] == [None, None]


def test_a_strategy_shares_the_images_of_its_generator(run):
    plain, combined = cell_of(Noise), cell_of(Noise)
    combined = replace(combined, arm=combined.arm.trained_by(STRATEGIES.get("balanced-softmax")))
    assert combined.name == "noise+balanced-softmax-seed0"
    first, second = run(plain), run(combined)
    assert first["fill_key"] == second["fill_key"]
    assert first["classifiers"][0]["train_key"] != second["classifiers"][0]["train_key"]
    assert first["audit"] == second["audit"]


@pytest.mark.parametrize(("generator", "name"), [(None, "none"), (Noise, "noise")])
def test_logit_adjustment_trains_nothing_and_adjusts_the_probabilities_of_plain_training(
    run, tmp_path, generator, name
):
    plain = cell_of(generator, name, tstr=True)
    first = run(plain)
    trained = sorted((tmp_path / "cache" / "predictions").glob("*/*"))
    second = run(replace(plain, arm=plain.arm.trained_by(STRATEGIES.get("logit-adjustment"))))
    assert sorted((tmp_path / "cache" / "predictions").glob("*/*")) == trained
    assert second["classifiers"][0]["train_key"] == first["classifiers"][0]["train_key"]
    assert second["cost"] == first["cost"]
    counts = {"probabilities": np.array(second["counts_after"]), "tstr": np.array([24, 20, 18])}
    for which in ("probabilities", "tstr") if generator else ("probabilities",):
        before, after = (
            np.load(tmp_path / "predictions" / f"{arm}-seed0.npz")[which] for arm in (name, f"{name}+logit-adjustment")
        )
        expected = softmax(np.log(before) - np.log(counts[which] / counts[which].sum()), axis=-1)
        np.testing.assert_allclose(after, expected, rtol=1e-5)
        assert (after != before).any()


def test_train_on_synthetic_test_on_real_leaves_the_real_images_of_the_filled_class_out(run, monkeypatch):
    seen = []

    train = ImageTrainer.train

    def recorded(self, config, data, *args, **options):
        seen.append(data)
        return train(self, config, data, *args, **options)

    monkeypatch.setattr(ImageTrainer, "train", recorded)
    record = run(cell_of(Noise, tstr=True))
    both, alone = seen[-2:]
    assert both.counts().tolist() == [24, 20, 24]
    assert alone.counts().tolist() == [24, 20, 18]
    rare = SPLIT.train.x[:50][SPLIT.train.labels[:50] == 2]
    assert not any((alone.x == image).all((1, 2, 3)).any() for image in rare)
    assert set(record["tstr"]) == set(record["metrics"])


def test_an_audit_stands_in_the_record_of_what_was_filled_only(run):
    record = run(cell_of(Noise))
    assert record["audit"]["features"] == "independent resnet10t"
    assert set(record["audit"]["classes"]) == {"2"}
    assert run(cell_of(name="none"))["audit"] is None


def test_a_changed_classifier_makes_no_new_images(run):
    before = run(cell_of(Noise))
    after = run(cell_of(Noise, classifier=Config(model="resnet10t", steps=3, batch_size=8)))
    assert before["fill_key"] == after["fill_key"]


class Raises(Noise):
    """Raises while fitting."""

    name = "raises"

    def _fit(self, train, deficits):
        raise ZeroDivisionError("a bug")


class Exits(Noise):
    """Calls sys.exit, which must not end the run in silence."""

    name = "exits"

    def _fit(self, train, deficits):
        raise SystemExit(0)


class Mute(Noise):
    """Raises what cannot even be printed."""

    name = "mute"

    def _fit(self, train, deficits):
        class Unprintable(Exception):
            def __str__(self):
                raise RuntimeError

        raise Unprintable


class Floats(Noise):
    """Returns floats."""

    name = "floats"

    def _sample(self, label, count):
        return np.zeros((count, 8, 8, 1))


class Refuses(Noise):
    """Cannot learn from this."""

    name = "refuses"

    def _fit(self, train, deficits):
        raise CannotFill("refuses: too few images")


@pytest.mark.parametrize(
    ("generator", "phase", "reason"),
    [
        (Raises, "fit", "ZeroDivisionError: a bug"),
        (Exits, "fit", "SystemExit: 0"),
        (Mute, "fit", ""),
        (Floats, "sample", "floats: _sample returned float64 values"),
    ],
)
def test_a_generator_that_fails_ends_as_a_record_with_phase_reason_and_traceback(run, generator, phase, reason):
    record = run(cell_of(generator, generator.name))
    assert (record["status"], record["phase"]) == ("failed", phase)
    assert record["reason"].startswith(reason)
    assert "Traceback" in record["traceback"]


def test_a_failure_is_tried_again(run, monkeypatch):
    assert run(cell_of(Raises))["status"] == "failed"
    monkeypatch.setattr(Raises, "_fit", Noise._fit)
    assert run(cell_of(Raises))["status"] == "ok"


def test_what_cannot_be_filled_is_skipped_under_all_and_failed_by_name(run):
    assert run(cell_of(Refuses))["status"] == "skipped"
    record = run(cell_of(Refuses, strict=True))
    assert (record["status"], record["reason"]) == ("failed", "refuses: too few images")


def test_an_arm_that_cannot_run_here_is_a_skipped_row_with_its_reason(run):
    record = run(cell_of(Noise, skip="no weights"))
    assert (record["status"], record["reason"]) == ("skipped", "no weights")


def test_collapse_is_found_before_any_classifier_time_is_spent(run, monkeypatch):
    class Collapsed(Noise):
        def _sample(self, label, count):
            return np.full((count, 8, 8, 1), 7, np.uint8)

    monkeypatch.setattr(ImageTrainer, "train", None)
    record = run(cell_of(Collapsed, code="collapsed"))
    assert record["status"] == "failed"
    assert "mode collapse" in record["reason"]


def test_a_full_disk_stops_the_run_and_is_nobodys_failure(run, tmp_path, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ImageTrainer, "train", full)
    with pytest.raises(DiskFull, match="no room"):
        run(cell_of(Noise))
    assert not list((tmp_path / "cells").iterdir())


def test_a_write_that_was_cut_short_counts_as_a_full_disk_only_when_the_disk_is_full(run, monkeypatch):
    def cut_short(*args, **options):
        raise OSError("100 requested and 3 written")  # NumPy's words, without an errno

    monkeypatch.setattr(ImageTrainer, "train", cut_short)
    assert run(cell_of(Noise))["status"] == "failed"
    monkeypatch.setattr("fillbench.benchmark.cell.shutil.disk_usage", lambda path: SimpleNamespace(free=0))
    with pytest.raises(DiskFull):
        run(cell_of(Noise))
