from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from fillbench.benchmark.codeversion import code_of
from fillbench.classifiers.base import CE
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.classifiers.strategies import STRATEGIES, balanced_softmax
from fillbench.classifiers.strategies.weights import class_weights
from fillbench.datasets.images import toy
from fillbench.reports.adjustment import adjusted, shift_of

train = ImageTrainer().train
CPU = torch.device("cpu")
SMALL = Config(model="resnet10t", steps=5, batch_size=8)
DATA = toy((8, 8, 1), (24, 20, 6))
COUNTS = torch.tensor([100.0, 10.0, 1.0])
LOGITS, TARGETS = torch.tensor([[2.0, 1.0, 0.0], [0.5, 0.0, 1.0]]), torch.tensor([0, 2])


def loss(name, done=0.0, counts=COUNTS):
    return STRATEGIES.get(name)().loss(LOGITS, TARGETS, counts, done)


@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 12, 3)], ids=str)
@pytest.mark.parametrize("name", STRATEGIES.names())
def test_every_strategy_trains_and_repeats(name, shape):
    data = toy(shape, (24, 20, 6))
    first, second = (train(SMALL, data, data, 0, CPU, strategy=name).probabilities for _ in range(2))
    assert (first == second).all()
    np.testing.assert_allclose(first.sum(1), 1, rtol=1e-5)
    own_training = name != CE and not STRATEGIES.get(name).shift
    assert (first != train(SMALL, data, data, 0, CPU).probabilities).any() == own_training


def test_class_weights_are_the_papers():
    expected = np.array([(1 - 0.9999) / (1 - 0.9999**n) for n in (100, 10, 1)])
    np.testing.assert_allclose(class_weights(COUNTS), 3 * expected / expected.sum(), rtol=2e-3)


@pytest.mark.parametrize("name", ["class-balanced", "balanced-softmax"])
def test_with_equal_counts_a_count_aware_loss_is_cross_entropy(name):
    torch.testing.assert_close(loss(name, counts=torch.full((3,), 7.0)), loss(CE))


def test_balanced_softmax_asks_more_of_a_rare_class():
    by_hand = F.cross_entropy(LOGITS + COUNTS.log(), TARGETS)
    torch.testing.assert_close(loss("balanced-softmax"), by_hand)
    assert by_hand > loss(CE), "the image of the rare class weighs on it"


def test_ldam_holds_the_right_logit_back_most_for_the_rarest_and_weights_late():
    margins = 0.5 * COUNTS**-0.25  # the largest is 0.5, that of the class with one image
    held_back = LOGITS.clone()
    held_back[0, 0] -= 30 * margins[0]
    held_back[1, 2] -= 30 * margins[2]
    torch.testing.assert_close(loss("ldam-drw"), F.cross_entropy(held_back, TARGETS))
    assert loss("ldam-drw", done=0.79) == loss("ldam-drw")
    assert loss("ldam-drw", done=0.8) > loss("ldam-drw"), "now the rare image counts more"


def test_a_shifted_model_predicts_by_logits_minus_the_shift_and_is_kept_with_it(tmp_path):
    model = train(SMALL, DATA, DATA, 0, CPU).model
    shifted = model.shifted(shift_of(DATA.counts()))
    expected = adjusted(model.probabilities(DATA.x), DATA.counts())
    np.testing.assert_allclose(shifted.probabilities(DATA.x), expected, rtol=1e-4)
    np.testing.assert_allclose(shifted.look(DATA.x)[1], expected, rtol=1e-4)
    shifted.save(tmp_path)
    again = ImageTrainer().open(tmp_path, CPU)
    np.testing.assert_array_equal(again.probabilities(DATA.x), shifted.probabilities(DATA.x))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_images_have_mixed_labels(name):
    torch.manual_seed(0)
    images, targets = STRATEGIES.get(name)().mix(
        torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(4, 1, 8, 8) * 60, torch.tensor([0, 1, 2, 0]), 3
    )
    torch.testing.assert_close(targets.sum(1), torch.ones(4))
    brightness = images.mean((1, 2, 3)) / 60
    expected = targets[:3] @ torch.tensor([0.0, 1.0, 2.0])
    shares = targets.max(1).values
    assert 0 < shares[1] < 1
    torch.testing.assert_close(brightness[1:3], expected[1:3], atol=1e-4, rtol=0)


def test_a_summary_is_the_first_line_of_a_docstring():
    assert STRATEGIES.get(CE).summary() == "Plain cross-entropy"


def test_three_strategies_are_cheap_enough_for_every_run():
    cheap = [name for name in STRATEGIES.names() if STRATEGIES.get(name).cheap]
    assert cheap == ["balanced-softmax", "class-balanced", "logit-adjustment"]


def test_a_change_of_one_strategy_is_no_change_of_the_trainer_or_of_another(monkeypatch):
    from fillbench.benchmark import codeversion

    def codes():
        codeversion._imports.cache_clear()
        return [code_of(cls) for cls in (ImageTrainer, STRATEGIES.get("mixup"), STRATEGIES.get("ldam-drw"))]

    before, original = codes(), codeversion._source
    edited = (balanced_softmax.__name__, "fillbench.classifiers.strategies.ce")
    monkeypatch.setattr(codeversion, "_source", lambda name: (original(name) or "") + "#" * (name in edited))
    assert codes() == before


@pytest.mark.parametrize("model", ["resnet10t", "mobilenetv3_small_050", "convnext_atto", "regnetx_002"])
def test_any_model_that_ends_in_a_linear_layer_takes_every_strategy(model):
    trainer = ImageTrainer()
    assert {trainer.refuses(Config(model), DATA, name) for name in STRATEGIES.names()} == {None}


def test_a_model_without_a_linear_layer_is_refused_by_what_needs_one_only():
    trainer, config = ImageTrainer(), Config("dla46_c")
    reason = "needs a classifier that ends in a linear layer, not in a Conv2d"
    assert {name: trainer.refuses(config, DATA, name) for name in ("ce", "ldam-drw")} == {
        "ce": None,
        "ldam-drw": reason,
    }
