"""Diffusion from scratch: shapes, repeatability, resuming, guidance, and the regulariser for long tails."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from fillbench.datasets.base import DataSet
from fillbench.datasets.images import ImageTraits, toy
from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import checkpoint, create, ddpm, objectives
from fillbench.generators.objectives import OBJECTIVES, TIMES
from fillbench.tests.kills import KilledError, killed_at

CPU = torch.device("cpu")


def tiny(seed=0, workdir=None, **settings):
    chosen = {"steps": 3, "batch_size": 4, "sampling_steps": 3, **settings}
    generator = create("ddpm", random_state=seed, device="cpu", **chosen)
    generator.workdir = workdir
    return generator


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (13, 21, 3), (4, 5, 1)], ids=str)
def test_makes_exactly_what_is_asked_for(shape):
    images, labels = tiny(steps=1, sampling_steps=2).fit(toy(shape), {2: 4, 1: 3}).fill({2: 4, 1: 3})
    assert images.shape == (7, *shape)
    assert images.dtype == np.uint8
    assert labels.tolist() == [1] * 3 + [2] * 4


@pytest.mark.parametrize(("side", "times"), [(4, 0), (7, 0), (8, 1), (28, 2), (32, 3), (64, 3), (224, 3)])
def test_the_network_is_sized_to_the_image(side, times):
    assert ddpm.halvings((1, side, side + 9)) == times


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_same_seed_same_images(objective):
    first, again, other = (tiny(seed, objective=objective).fit(toy(), {2: 5}).sample(2, 5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_more_samples_than_one_batch(monkeypatch):
    monkeypatch.setattr(ddpm, "PIXELS_AT_ONCE", 4 * 64)
    calls = []
    generator = tiny().fit(toy(), {2: 10})
    generator.progress = lambda done, total: calls.append((done, total))
    assert len(generator.sample(2, 10)) == 10
    assert calls == [(4, 10), (8, 10), (10, 10)]


def test_an_interrupted_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = tiny(steps=48).fit(toy(), {2: 4})
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken, resumed = (tiny(steps=48, workdir=tmp_path) for _ in range(2))
    broken.progress = killed_at(40)
    with pytest.raises(KilledError):
        broken.fit(toy(), {2: 4})
    seen = []
    resumed.progress = lambda done, total: seen.append(done)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.fit(toy(), {2: 4})
    assert seen == [48], "it did not start over"
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.sample(2, 4), whole.sample(2, 4))


def test_a_mirror_image_is_learned_only_where_it_is_of_the_same_class(monkeypatch):
    train = toy()
    train.x[..., :4, :] = 0
    train.x[..., 4:, :] = 255
    for flip, sums in ((False, {-1}), (True, {-1, 1})):
        shown = set()
        generator = tiny(steps=4, batch_size=16)
        monkeypatch.setattr(
            generator, "_padded", lambda images, s=shown: s.update(images[:, 0, 0, 0].tolist()) or images
        )
        generator.fit(DataSet(train.x, train.labels, train.class_names, ImageTraits(flip=flip)), {2: 1})
        assert shown == sums


class ByClass(nn.Module):
    """Answers with the class, whatever it sees."""

    def forward(self, noisy, times, labels):
        self.labels = labels
        value = labels.float() if labels.ndim else labels
        return SimpleNamespace(sample=value[:, None, None, None].expand(noisy.shape))


def test_guidance_goes_from_no_class_through_the_class(monkeypatch):
    generator = tiny(guidance=3.0, sampling_steps=2).fit(toy(), {2: 1})
    seen = []
    solver = OBJECTIVES["velocity"].solver(2, CPU)
    monkeypatch.setattr(solver, "step", lambda v, t, images: seen.append(v) or SimpleNamespace(prev_sample=images))
    monkeypatch.setattr(objectives.Velocity, "solver", lambda *_: solver)
    generator._model = ByClass()
    generator._denoise(1, 2)
    assert seen[0].flatten().unique().tolist() == [3 + 3 * (1 - 3)]  # of none: 3, of the class: 1
    generator = tiny(guidance=1.0).fit(toy(), {2: 1})
    generator._model = ByClass()
    generator._denoise(1, 2)
    assert generator._model.labels.tolist() == [1, 1], "without guidance the class alone is asked for"


def test_the_class_is_hidden_from_the_share_of_images_that_was_asked_for():
    generator = tiny(unlabelled=0.25).fit(toy(), {2: 1})
    model = ByClass()
    clean, labels = torch.zeros(2000, 1, 8, 8), torch.ones(2000, dtype=torch.int64)
    generator._loss(model, clean, labels, torch.tensor([0, 1, 2]))
    assert 0.2 < (model.labels == 3).float().mean() < 0.3


def test_the_regulariser_is_that_of_the_paper_in_terms_of_noise():
    # Qin et al. 2023: t/T |e(y) - sg e(y')|^2 + 1/4 t/T |sg e(y) - e(y')|^2, whose values are 5/4 of the first one's.
    clean, labels = torch.zeros(64, 1, 8, 8), torch.zeros(64, dtype=torch.int64)
    classes = torch.tensor([1])
    losses = []
    for cbdm in (False, True):
        generator = tiny(cbdm=cbdm, unlabelled=0).fit(toy(), {2: 1})
        torch.manual_seed(0)
        losses.append(generator._loss(ByClass(), clean, labels, classes))
    torch.manual_seed(0)
    times = torch.randint(1000, (64,))
    alpha = OBJECTIVES["velocity"].noise_per_guess(times).sqrt()
    difference = alpha * (0 - 1)  # of the noises, when the velocities are 0 and 1
    expected = (5 / 4 * times / 1000 * difference**2).mean()
    assert float(losses[1] - losses[0]) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_whoever_guesses_right_comes_from_noise_to_the_image(name):
    objective = OBJECTIVES[name]
    clean, images = torch.rand(4, 1, 8, 8) * 2 - 1, torch.randn(4, 1, 8, 8)
    solver = objective.solver(10, CPU)
    for time in solver.timesteps:
        # The noise that is in the images follows from them and the clean ones: two noises tell how.
        times = time.expand(4)
        here, there = (objective.noised(clean, torch.full_like(clean, one), times)[0] for one in (0.0, 1.0))
        noise = (images - here) / (there - here)
        images = solver.step(objective.noised(clean, noise, times)[1], time, images).prev_sample
    assert (images - clean).abs().max() < 0.05


@pytest.mark.parametrize("name", OBJECTIVES)
def test_two_guesses_of_the_same_noisy_image_stand_for_noises_as_far_apart_as_is_said(name):
    objective = OBJECTIVES[name]
    times = torch.tensor([100, 400, 900])
    first, second = torch.zeros(3, 1, 1, 1), torch.ones(3, 1, 1, 1)  # two clean images, and the noise that makes
    noise = torch.zeros(3, 1, 1, 1)  # the one and another noise the other the same noisy one
    noisy, guess = objective.noised(first, noise, times)
    without, with_one = (objective.noised(second, torch.full_like(noise, one), times)[0] for one in (0.0, 1.0))
    other = (noisy - without) / (with_one - without)
    difference = objective.noised(second, other, times)[1] - guess
    by = (other - noise).square() / difference.square()
    torch.testing.assert_close(by.flatten(), objective.noise_per_guess(times), rtol=1e-3, atol=1e-5)


def test_flow_goes_straight_from_image_to_noise():
    clean, noise = torch.zeros(3, 1, 8, 8), torch.ones(3, 1, 8, 8)
    noisy, target = OBJECTIVES["flow"].noised(clean, noise, torch.tensor([0.0, TIMES / 4, TIMES]))
    assert noisy.mean((1, 2, 3)).tolist() == [0, 0.25, 1]
    assert (target == 1).all()


def test_cannot_learn_a_class_without_images():
    with pytest.raises(CannotFill, match="class 1"):
        tiny().fit(toy(counts=(5, 0, 5)), {1: 3})


def test_divergence_is_told():
    with pytest.raises(FillbenchError, match=r"--set ddpm\.lr="):
        tiny(steps=40, lr=1e30).fit(toy(), {2: 3})
