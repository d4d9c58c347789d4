"""The settings of classifiers of tables are chosen on the kept rows, by as many trials for every arm."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from fillbench import FillbenchError
from fillbench.classifiers.base import trainer_of
from fillbench.classifiers.folds import folds
from fillbench.classifiers.learners import LEARNERS, Tuned
from fillbench.classifiers.tuning import knowing
from fillbench.datasets.tables import toy

CPU = torch.device("cpu")
TRAINER = trainer_of("tables")()
KEPT, OTHERS, TEST = toy((60, 12)), toy((0, 48), seed=1), toy((40, 40), seed=2)
RARE = (1,)
TUNABLE = [name for name, one in LEARNERS.items() if one.space and importlib.util.find_spec(one.package) is not None]


def rows(data):
    return [row.tobytes() for row in data.x]


def parts_of(data, seed=0):
    """What is fitted to and what validates, in three folds of the kept rows."""
    spots = folds(data.x, data.labels, len(KEPT), RARE, 3, seed)
    return [(data.take(fitted), data.take(validating)) for fitted, validating in spots]


def test_every_kept_row_validates_once_and_added_ones_never_do():
    parts = parts_of(KEPT.joined(OTHERS))
    validating = [row for _, held_back in parts for row in rows(held_back)]
    assert sorted(validating) == sorted(rows(KEPT))
    for fitted, held_back in parts:
        assert len(fitted) + len(held_back) == len(KEPT) + len(OTHERS)
        assert set(rows(OTHERS)) <= set(rows(fitted))
        assert not set(rows(fitted)) & set(rows(held_back))
        assert held_back.counts().tolist() == [20, 4]


def test_the_folds_of_a_seed_are_the_same_whatever_was_added():
    plain, filled = (parts_of(data, seed=3) for data in (KEPT, KEPT.joined(OTHERS)))
    assert [rows(held_back) for _, held_back in plain] == [rows(held_back) for _, held_back in filled]
    other = parts_of(KEPT, seed=4)
    assert [rows(held_back) for _, held_back in plain] != [rows(held_back) for _, held_back in other]


def test_a_copy_of_a_row_that_validates_is_not_fitted_to():
    copies = KEPT.take(np.flatnonzero(KEPT.labels == 1))
    for fitted, held_back in parts_of(KEPT.joined(copies)):
        assert not set(rows(fitted)) & set(rows(held_back))
        assert fitted.counts().tolist() == [40, 16], "eight kept rows, and their copies"


def test_a_rare_class_of_one_row_cannot_be_tuned_on():
    one = KEPT.take(np.flatnonzero(np.cumsum(KEPT.labels) <= 1))
    with pytest.raises(FillbenchError, match="--tune needs two kept rows or more of 'class 1': keep more"):
        TRAINER.tuned(TRAINER.Config(iterations=5, tune=2), one, len(one), RARE, 0, CPU)


def test_no_threshold_moves_what_is_tuned_for():
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(2), 50), rng.integers(0, 2, 50)
    moved = probabilities * [1.0, 9.0]
    found = knowing(probabilities, labels, RARE)
    assert found == knowing(moved / moved.sum(1, keepdims=True), labels, RARE)
    assert knowing(np.eye(2)[labels], labels, RARE) == 1 > found


@pytest.mark.parametrize("name", TUNABLE)
@pytest.mark.parametrize("end", ["low", "high"])
def test_every_classifier_takes_all_that_may_be_chosen(name, end):
    chosen = {setting: getattr(one, end) for setting, one in LEARNERS[name].space.items()}
    trained = TRAINER.train(Tuned(model=name, iterations=3, chosen=chosen), KEPT, TEST, 0, CPU)
    assert np.isfinite(trained.probabilities).all()
    assert trained.facts == chosen


def test_without_optuna_tuning_is_refused_before_anything_is_run():
    if importlib.util.find_spec("optuna"):
        assert TRAINER.settle(TRAINER.Config(tune=2), KEPT, CPU).tune == 2
        return
    with pytest.raises(FillbenchError, match=r"--tune needs optuna: pip install -e '\.\[tables\]'"):
        TRAINER.settle(TRAINER.Config(tune=2), KEPT, CPU)


def test_without_trials_nothing_is_chosen():
    config = TRAINER.Config(iterations=5)
    assert TRAINER.tuned(config, KEPT, len(KEPT), RARE, 0, CPU) is config
    assert TRAINER.train(config, KEPT, TEST, 0, CPU).facts == {}


@pytest.mark.parametrize("name", ["gradient-boosting", "mlp"])
def test_trials_choose_the_same_settings_again_and_a_kept_model_has_them(name, tmp_path):
    pytest.importorskip("optuna")
    config, data, done = TRAINER.Config(model=name, iterations=5, tune=2), KEPT.joined(OTHERS), []
    first, second = (
        TRAINER.tuned(config, data, len(KEPT), RARE, 0, CPU, lambda *step: done.append(step)) for _ in range(2)
    )
    assert first == second
    assert done == [(1, 2), (2, 2)] * 2
    assert first.chosen.keys() == LEARNERS[name].space.keys()
    assert all(
        LEARNERS[name].space[key].low <= value <= LEARNERS[name].space[key].high for key, value in first.chosen.items()
    )
    trained = TRAINER.train(first, data, TEST, 0, CPU)
    assert trained.facts == first.chosen
    trained.model.save(tmp_path)
    np.testing.assert_array_equal(TRAINER.open(tmp_path, CPU).probabilities(TEST.x), trained.probabilities)


def test_trials_choose_what_knows_more():
    pytest.importorskip("optuna")
    from fillbench.classifiers.tuning import Range, best

    chosen = best({"C": Range(1e-3, 1e3)}, 20, 0, lambda values: -abs(np.log10(values["C"]) - 1), lambda *_: None)
    assert 3 < chosen["C"] < 30
