from __future__ import annotations

import numpy as np
import pytest
import torch

from fillbench import FillbenchError
from fillbench.classifiers import strategies
from fillbench.classifiers.augment import augment
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.classifiers.strategies import Strategy
from fillbench.datasets import ImageTraits
from fillbench.datasets.images import toy
from fillbench.registry import Registry

CPU = torch.device("cpu")
SMALL = Config(model="resnet10t", steps=4, batch_size=8)
DATA = toy((8, 8, 1))
train = ImageTrainer().train


class Watched(ImageTrainer):
    """Trains by cross-entropy and keeps what the strategy is shown: batches, and logits of the first step."""

    def __init__(self) -> None:
        self.images: list[torch.Tensor] = []
        self.labels: list[torch.Tensor] = []
        self.logits: list[torch.Tensor] = []
        watched = self
        table: Registry[Strategy] = Registry("strategy", Strategy, strategies.__name__)

        @table.register("watching")
        class Watching(Strategy):
            def mix(self, images, labels, classes):
                watched.images.append(images.clone())
                watched.labels.append(labels.clone())
                return images, labels

            def loss(self, logits, targets, counts, done):
                watched.logits.append(logits.detach().clone())
                return super().loss(logits, targets, counts, done)

        self.strategies = table


def watch(data, seed=0, **changes):
    trainer = Watched()
    settings = {"model": "resnet10t", "steps": 4, "batch_size": 8, **changes}
    trainer.train(Config(**settings), data, DATA, seed, CPU, strategy="watching")
    return trainer


def numbered(count):
    """As many images of one class, each known by its pixels."""
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    return DATA.__class__(images, np.zeros(count, np.int64), DATA.class_names, ImageTraits(shift=0.0))


def test_the_same_seed_gives_the_same_probabilities_bit_for_bit():
    first, second, other = (train(SMALL, DATA, DATA, seed, CPU) for seed in (0, 0, 1))
    assert (first.probabilities == second.probabilities).all()
    assert first.curve == second.curve
    assert (first.probabilities != other.probabilities).any()


def test_the_number_of_steps_and_the_batch_order_do_not_depend_on_the_images():
    other = DATA.__class__(255 - DATA.images, DATA.labels, DATA.class_names, DATA.traits)
    seen, others = watch(DATA, augment=False), watch(other, augment=False)
    assert len(seen.images) == SMALL.steps
    for one, two in zip(seen.images, others.images, strict=True):
        assert (one == 255 - two).all()


def test_augmentation_draws_do_not_depend_on_how_many_images_there_are():
    def moves(data):
        """Where the one bright pixel of each image went."""
        return torch.cat([images[:, 0].nonzero()[:, 1:] for images in watch(data).images])

    dots = np.zeros((30, 8, 8, 1), np.uint8)
    dots[:, 4, 4] = 200
    data = DATA.__class__(dots, np.zeros(30, np.int64), DATA.class_names, ImageTraits(shift=0.25, flip=True))
    assert (moves(data) == moves(data.take(np.arange(9)))).all()
    assert len(moves(data).unique(dim=0)) > 5


def test_arms_start_from_the_same_weights_whatever_their_data():
    # All images alike: what the first step sees is the same, however many there are.
    alike = numbered(1).take(np.zeros(20, np.int64))
    first, second, other = watch(alike), watch(alike.take(np.arange(5))), watch(alike, seed=1)
    assert (first.logits[0] == second.logits[0]).all()
    assert (first.logits[0] != other.logits[0]).any()


def test_predictions_are_those_of_the_last_weights_not_of_the_best_epoch():
    result = train(SMALL, DATA, DATA, 0, CPU)
    assert (result.probabilities == result.model.probabilities(DATA.x)).all()
    assert [point["step"] for point in result.curve][-1] == SMALL.steps
    expected = (result.probabilities.argmax(1) == DATA.labels).mean()
    assert result.curve[-1]["test_accuracy"] == pytest.approx(expected)


def test_it_learns():
    still = Config(model="resnet10t", steps=40, batch_size=16, lr=0.05, augment=False)  # the classes are places
    result = train(still, DATA, DATA, 0, CPU)
    assert (result.probabilities.argmax(1) == DATA.labels).mean() > 0.8


def test_a_loss_that_is_no_number_ends_with_advice():
    with pytest.raises(FillbenchError, match=r"classifier\.lr"):
        train(Config(model="resnet10t", steps=12, batch_size=8, lr=1e9), DATA, DATA, 0, CPU)


def test_batches_are_full_and_go_through_every_image_before_any_comes_again():
    batches = watch(numbered(10), steps=5, batch_size=4).images
    assert [len(batch) for batch in batches] == [4] * 5
    order = torch.cat(batches)[:, 0, 0, 0].tolist()
    assert sorted(order[:10]) == sorted(order[10:]) == list(range(10))


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


@pytest.mark.parametrize("shape", [(16, 256), (256, 16), (8, 40)], ids=str)
def test_a_wide_image_is_shifted_by_a_share_of_its_own_sides(shape):
    images = torch.full((400, 1, *shape), 9, dtype=torch.uint8)
    moved = augment(images, ImageTraits(shift=0.125), torch.Generator().manual_seed(0))[:, 0] > 0
    for side, gone in zip(shape, [(~moved).all(2).sum(1), (~moved).all(1).sum(1)], strict=True):
        assert gone.max() == round(side / 8)
    assert moved.float().mean((1, 2)).min() > 0.75


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_it_learns_on_a_gpu_too():
    still = Config(model="resnet18", steps=40, batch_size=16, lr=0.05, augment=False)
    result = train(still, DATA, DATA, 0, torch.device("cuda"))
    assert (result.probabilities.argmax(1) == DATA.labels).mean() > 0.8
