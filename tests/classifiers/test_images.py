from __future__ import annotations

import numpy as np
import pytest
import timm
import torch

from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.classifiers.strategies import STRATEGIES
from fillbench.datasets.images import toy

CPU = torch.device("cpu")


def reopened(config, shape, folder, strategy="ce"):
    """A training run and its model, saved and opened again."""
    data = toy(shape, (10, 8, 5))
    trained = ImageTrainer().train(config, data, data, 0, CPU, strategy=strategy)
    trained.model.save(folder)
    return data, trained, ImageTrainer().open(folder, CPU)


@pytest.mark.parametrize("strategy", STRATEGIES.names())
def test_a_reopened_model_predicts_what_the_training_run_did(strategy, tmp_path):
    config = Config("resnet10t", steps=2, batch_size=8)
    data, trained, model = reopened(config, (8, 8, 1), tmp_path, strategy)
    assert (model.probabilities(data.x) == trained.probabilities).all()
    for one, other in zip(model.look(data.x), trained.model.look(data.x), strict=True):
        assert (one == other).all()


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        ("resnet18", (6, 9, 3)),  # trimmed, in colour, other height than width
        ("mobilenetv3_small_050", (8, 8, 1)),  # enlarged
        ("resnet10t", (70, 70, 3)),  # as it is
    ],
    ids=str,
)
def test_a_model_of_any_size_is_opened_as_it_was(model, shape, tmp_path):
    data, trained, opened = reopened(Config(model, steps=2, batch_size=4), shape, tmp_path)
    assert (opened.probabilities(data.x) == trained.probabilities).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_pretrained_model_is_opened_with_its_normalisation_and_without_fetching(channels, tmp_path, monkeypatch):
    asked, create = [], timm.create_model

    def offline(name, pretrained=False, **more):
        asked.append(pretrained)
        return create(name, pretrained=False, **more)

    monkeypatch.setattr("timm.create_model", offline)
    config = Config("resnet10t", pretrained=True, steps=2, batch_size=4)
    data, trained, opened = reopened(config, (8, 8, channels), tmp_path)
    assert asked == [True, False]
    assert (opened.network.mean == trained.model.network.mean).all()
    assert not np.isclose(opened.network.mean.flatten()[0], 127.5)
    assert (opened.probabilities(data.x) == trained.probabilities).all()
