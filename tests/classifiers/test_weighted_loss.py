"""Added examples count as much as they are said to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fillbench import FillbenchError
from fillbench.classifiers.base import trainer_of, weighted_counts
from fillbench.classifiers.images import Config
from fillbench.classifiers.strategies import STRATEGIES
from fillbench.classifiers.table_strategies import TABLE_STRATEGIES
from fillbench.classifiers.weighted_loss import mark_added, weighted_loss
from fillbench.datasets import images, tables

CPU = torch.device("cpu")
IMAGES, TABLES = trainer_of("images")(), trainer_of("tables")()
SMALL = Config(model="resnet10t", steps=5, batch_size=8)
COUNTS = torch.tensor([100.0, 10.0, 1.0])
LABELS = torch.tensor([0, 1, 2, 2, 2])
LOGITS = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("weight", [0.25, 3.0])
def test_an_added_image_counts_its_weight_and_a_real_one_1(weight):
    targets = mark_added(LABELS, 3, 3)
    found = weighted_loss(STRATEGIES.get("ce")().loss, weight, LOGITS, targets, COUNTS, 0.0)
    each = F.cross_entropy(LOGITS, LABELS, reduction="none")
    by_hand = (each[:3].sum() + weight * each[3:].sum()) / (3 + 2 * weight)
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("name", STRATEGIES.names())
@pytest.mark.parametrize("kept", [0, 2, 5])
def test_where_added_images_count_1_the_loss_is_the_strategys_own(name, kept):
    strategy = STRATEGIES.get(name)()
    marked = strategy.mix(torch.zeros(5, 1, 8, 8, dtype=torch.uint8), mark_added(LABELS, kept, 3), 6)[1]
    plain = marked[:, :3] + marked[:, 3:] if marked.is_floating_point() else LABELS
    found = weighted_loss(strategy.loss, 1.0, LOGITS, marked, COUNTS, 0.9)
    torch.testing.assert_close(found, strategy.loss(LOGITS, plain, COUNTS, 0.9))


def test_a_mixed_image_counts_by_its_share_of_what_was_added():
    targets = torch.zeros(5, 6)
    targets[:, 0], targets[:, 5] = 0.75, 0.25  # three quarters real of class 0, a quarter added of class 2
    found = weighted_loss(STRATEGIES.get("mixup")().loss, 2.0, LOGITS, targets, COUNTS, 0.0)
    by_hand = -(LOGITS.log_softmax(1) @ torch.tensor([0.75, 0.0, 0.5])).mean() / 1.25
    torch.testing.assert_close(found, by_hand)


@pytest.mark.parametrize("strategy", STRATEGIES.names())
def test_every_strategy_trains_with_added_images_that_count_half(strategy):
    if STRATEGIES.get(strategy).shift:
        pytest.skip("it trains nothing")
    data = images.toy((8, 8, 1), (24, 20, 12))
    half, whole = (
        IMAGES.train(SMALL, data, data, 0, CPU, strategy=strategy, kept=40, weight=weight).probabilities
        for weight in (0.5, 1.0)
    )
    assert np.isfinite(half).all()
    assert (half != whole).any()


@pytest.mark.parametrize("model", ["logistic", "mlp", "random-forest", "gradient-boosting"])
@pytest.mark.parametrize("strategy", ["ce", "class-balanced", "undersample"])
def test_every_classifier_of_rows_learns_less_from_rows_that_count_less(model, strategy):
    real = tables.toy((60, 60), seed=0)
    wrong = replace(real, labels=1 - real.labels)  # every row again, under the other class
    config = TABLES.settle(TABLES.Config(model=model), real, CPU)
    few, many = (
        TABLES.train(config, real.joined(wrong), real, 0, CPU, strategy=strategy, kept=120, weight=weight).probabilities
        for weight in (0.01, 100.0)
    )
    own = np.arange(120), real.labels
    assert many[own].mean() < 0.4
    assert few[own].mean() > 0.6


@pytest.mark.parametrize("strategy", ["ce", "class-balanced"])
def test_a_row_that_counts_two_is_as_one_that_is_there_twice(strategy):
    real, added = tables.toy((60, 20), seed=0), tables.toy((1, 15), seed=1)
    config = TABLES.Config(model="logistic")
    once, weighted = (
        TABLES.train(config, real.joined(added), real, 0, CPU, strategy=strategy, kept=80, weight=weight).probabilities
        for weight in (1.0, 2.0)
    )
    twice = TABLES.train(config, real.joined(added).joined(added), real, 0, CPU, strategy=strategy).probabilities
    assert abs(weighted - twice).mean() < abs(once - twice).mean() / 3  # what scales the rows sees them twice, too


def test_a_kept_classifier_of_weighted_rows_says_the_same(tmp_path):
    data = tables.toy((60, 40), seed=0)
    trained = TABLES.train(TABLES.Config(model="logistic"), data, data, 0, CPU, kept=70, weight=0.2)
    trained.model.save(tmp_path)
    again = TABLES.open(tmp_path, CPU)
    np.testing.assert_array_equal(again.probabilities(data.x), trained.probabilities)


def test_balanced_bagging_says_that_it_takes_no_weights():
    data = tables.toy((60, 40), seed=0)
    with pytest.raises(FillbenchError, match="balanced-bagging takes no weights"):
        TABLE_STRATEGIES.get("balanced-bagging")().fit(None, data.x, data.labels, 0, 50, np.ones(100))


def test_the_counts_that_a_loss_is_told_are_weighted_too():
    data = images.toy((8, 8, 1), (4, 3, 3))
    first = data.take(np.argsort(data.labels, kind="stable"))
    assert weighted_counts(first, 7, 0.5).tolist() == [4.0, 3.0, 1.5]
    assert weighted_counts(first, None, 0.5).tolist() == [4.0, 3.0, 3.0]
