"""A filter keeps what a classifier of the kept examples takes for the class, and no near copies."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fillbench import FillbenchError, Generator
from fillbench.benchmark.audits import auditor_of
from fillbench.benchmark.cache import Store
from fillbench.benchmark.cell import run_cell
from fillbench.benchmark.config import resolve
from fillbench.benchmark.filtering import MADE, fill_filtered, near_copies, scored
from fillbench.classifiers.base import trainer_of
from fillbench.datasets import images, tables
from tests.benchmark.test_cell import SPLIT, cell_of

CPU = torch.device("cpu")
KEPT = tables.toy((60, 40, 20))
AUDITOR = auditor_of("tables").of(KEPT)
CLASSIFIER = trainer_of("tables")().train(trainer_of("tables").Config(model="logistic"), KEPT, KEPT, 0, CPU).model


class HalfWrong(Generator):
    """New rows, every second of another class."""

    name, kinds = "half-wrong", ("tables",)

    def _fit(self, train, labels):
        pass

    def _sample(self, label, count):
        right, wrong = (tables.toy((count,) * 3, seed=7).of_class(which)[:count] for which in (label, (label + 1) % 3))
        return np.where(np.arange(count)[:, None] % 2 == 0, right, wrong)


def chosen(generator, deficits, by="confidence"):
    return fill_filtered(generator(None).fit(KEPT, deficits), deficits, KEPT, CLASSIFIER, AUDITOR, by)


@given(st.dictionaries(st.integers(0, 2), st.integers(0, 9)))
def test_as_many_are_given_as_are_asked_for(deficits):
    x, labels, _ = chosen(HalfWrong, deficits)
    assert x.shape == (sum(deficits.values()), KEPT.x.shape[1])
    assert np.bincount(labels, minlength=3).tolist() == [deficits.get(label, 0) for label in range(3)]


def test_what_the_classifier_takes_for_another_class_is_dropped_and_told():
    x, _, told = chosen(HalfWrong, {2: 40})
    plain = HalfWrong(None).fit(KEPT, [2]).sample(2, 40)
    right, before = ((CLASSIFIER.probabilities(rows).argmax(1) == 2).mean() for rows in (x, plain))
    assert before < 0.7
    assert right > 0.95
    assert told["filter.dropped"][KEPT.class_names[2]] == pytest.approx(0.5, abs=0.15)
    assert told["filter.let_in_after_all"] == 0


def test_where_too_few_pass_the_best_of_the_others_make_up_the_number():
    class Wrong(HalfWrong):
        def _sample(self, label, count):
            return tables.toy((count,) * 3, seed=7).of_class(0)[:count]

    x, _, told = chosen(Wrong, {2: 10})
    made = Wrong(None).fit(KEPT, [2]).sample(2, 10 * MADE)
    assert told["filter.let_in_after_all"] > 5
    sure = CLASSIFIER.probabilities(made)[:, 2]
    assert CLASSIFIER.probabilities(x)[:, 2].min() >= np.sort(sure)[-10] - 1e-6


def test_near_copies_of_kept_images_are_found_and_new_images_are_not():
    everything = images.toy((16, 16, 1), (6, 26))
    kept, new = everything.take(np.arange(12)), everything.x[12:]
    auditor = auditor_of("images").of(kept)
    own = kept.of_class(1)
    noisy = (own + np.random.default_rng(0).normal(0, 3, own.shape)).clip(0, 255).astype(np.uint8)
    assert near_copies(np.concatenate([own, noisy, own[:, :, ::-1]]), kept, 1, auditor, CPU).all()
    assert near_copies(new, kept, 1, auditor, CPU).mean() < 0.2
    assert near_copies(own[:1], kept.take(np.arange(7)), 1, auditor, CPU).all(), "of a class with one kept image"


def test_entropy_passes_what_is_neither_certain_nor_hopeless():
    sure, torn, lost = [0.999, 0.001, 0.0], [0.6, 0.35, 0.05], [0.34, 0.33, 0.33]
    assert (scored(np.array([sure, torn, lost], np.float32), 0, "entropy") >= 0).tolist() == [False, True, False]


class Noise(Generator):
    """Noise."""

    name = "noise"

    def _fit(self, train, labels):
        pass

    def _sample(self, label, count):
        return self.rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


def test_a_filtered_arm_shares_the_fit_and_its_record_tells_what_was_dropped(tmp_path):
    cell = replace(cell_of(Noise), run_dir=tmp_path)
    for folder in ("cells", "predictions", "samples"):
        (tmp_path / folder).mkdir()
    store = Store(tmp_path / "cache")
    plain, filtered = (
        run_cell(replace(cell, arm=arm), SPLIT, store, lambda *event: None)
        for arm in (cell.arm, cell.arm.filtered("confidence"))
    )
    assert filtered["status"] == "ok", filtered["traceback"]
    assert filtered["arm"] == "noise+filter"
    assert filtered["counts_after"] == plain["counts_after"]
    assert filtered["fit_key"] == plain["fit_key"]
    assert filtered["fill_key"] != plain["fill_key"]
    assert 0 <= filtered["generator_facts"]["filter.dropped"]["class 2"] <= 1
    training = filtered["generator_facts"]["filter.train_seconds"]
    assert filtered["cost"]["sample_seconds"] < training, "the filter's own training is no cost of the arm"
    assert json.loads((Path(tmp_path) / "cells" / "noise+filter-seed0.json").read_text()) == filtered


def test_an_unknown_filter_is_refused():
    with pytest.raises(FillbenchError, match="filter = 'best'"):
        resolve({"filter": "best"})
