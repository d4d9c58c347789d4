from __future__ import annotations

import numpy as np
import pytest
import torch

from fillbench import FillbenchError
from fillbench.classifiers import images as training
from fillbench.classifiers.augment import augment
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.datasets import ImageTraits
from fillbench.datasets.images import toy

train = ImageTrainer().train
CPU = torch.device("cpu")
SMALL = Config(model="resnet10t", steps=4, batch_size=8)
DATA = toy((8, 8, 1))


def test_the_same_seed_gives_the_same_probabilities_bit_for_bit():
    first, second, other = (train(SMALL, DATA, DATA, seed, CPU) for seed in (0, 0, 1))
    assert (first.probabilities == second.probabilities).all()
    assert first.curve == second.curve
    assert (first.probabilities != other.probabilities).any()


def test_the_number_of_steps_and_the_batch_order_do_not_depend_on_the_images(monkeypatch):
    seen: list[list[torch.Tensor]] = []
    batches = training._batches

    def recorded(*args):
        seen.append([])
        for batch in batches(*args):
            seen[-1].append(batch)
            yield batch

    monkeypatch.setattr(training, "_batches", recorded)
    other = DATA.__class__(255 - DATA.images, DATA.labels, DATA.class_names, DATA.traits)
    for data in (DATA, other):
        train(SMALL, data, DATA, 0, CPU)
    assert len(seen[0]) == SMALL.steps
    assert all((a == b).all() for a, b in zip(*seen, strict=True))


def test_augmentation_draws_do_not_depend_on_how_many_images_there_are(monkeypatch):
    seen: list[list[int]] = []

    def recorded(images, traits, draws):
        seen[-1].append(int(torch.randint(2**31, (1,), generator=draws)))
        return images

    monkeypatch.setattr(training, "augment", recorded)
    for data in (DATA, DATA.take(np.arange(30))):
        seen.append([])
        train(SMALL, data, DATA, 0, CPU)
    assert seen[0] == seen[1]


def test_arms_start_from_the_same_weights_whatever_their_data(monkeypatch):
    starts = []
    build = training.build_model

    def recorded(*args):
        model = build(*args)
        starts.append([p.detach().clone() for p in model.parameters()])
        return model

    monkeypatch.setattr(training, "build_model", recorded)
    for data in (DATA, DATA.take(np.arange(30))):
        train(SMALL, data, DATA, 0, CPU)
    assert all((a == b).all() for a, b in zip(*starts, strict=True))


def test_predictions_are_those_of_the_last_weights_not_of_the_best_epoch(monkeypatch):
    given = []
    predict = training._predict

    def recorded(*args):
        given.append(predict(*args))
        return given[-1]

    monkeypatch.setattr(training, "_predict", recorded)
    result = train(SMALL, DATA, DATA, 0, CPU)
    assert (result.probabilities == given[-1].numpy()).all()
    assert [point["step"] for point in result.curve][-1] == SMALL.steps


def test_it_learns():
    still = Config(model="resnet10t", steps=40, batch_size=16, lr=0.05, augment=False)  # the classes are places
    result = train(still, DATA, DATA, 0, CPU)
    assert (result.probabilities.argmax(1) == DATA.labels).mean() > 0.8


def test_a_loss_that_is_no_number_ends_with_advice():
    with pytest.raises(FillbenchError, match=r"classifier\.lr"):
        train(Config(model="resnet10t", steps=12, batch_size=8, lr=1e9), DATA, DATA, 0, CPU)


def test_batches_are_full_and_go_through_every_image_before_any_comes_again():
    draws = torch.Generator().manual_seed(0)
    order = torch.cat(list(training._batches(10, Config(steps=5, batch_size=4), draws)))
    assert sorted(order[:10].tolist()) == sorted(order[10:].tolist()) == list(range(10))


def test_shifts_move_whole_pixels_and_flips_stay_away_where_unsafe():
    images = torch.zeros(64, 1, 8, 8, dtype=torch.uint8)
    images[:, :, 3, 3] = 9
    moved = augment(images, ImageTraits(flip=False, shift=0.125), torch.Generator().manual_seed(0))
    assert moved.sum((1, 2, 3)).tolist() == [9] * 64
    rows, columns = moved[:, 0].nonzero()[:, 1:].T
    assert rows.unique().tolist() == columns.unique().tolist() == [2, 3, 4]
    still = augment(images, ImageTraits(flip=False, shift=0.0), torch.Generator())
    assert (still == images).all()
    flipped = augment(images, ImageTraits(flip=True, shift=0.0), torch.Generator().manual_seed(0))
    assert flipped[:, 0].nonzero()[:, 2].unique().tolist() == [3, 4]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_learns_on_a_gpu_too():
    still = Config(model="resnet18", steps=40, batch_size=16, lr=0.05, augment=False)
    result = train(still, DATA, DATA, 0, torch.device("cuda"))
    assert (result.probabilities.argmax(1) == DATA.labels).mean() > 0.8
