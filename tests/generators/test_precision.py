"""Reduced precision is tried before it is used, and left where it fails."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from fillbench import compute
from fillbench.datasets.images import toy
from fillbench.errors import FillbenchError
from fillbench.generators import checkpoint, create, precision
from fillbench.generators.ddpm import Ddpm
from fillbench.generators.lora import StableDiffusionLora
from fillbench.tests.kills import KilledError, killed_at
from fillbench.tests.pipelines import data

QUICK = {
    "ddpm": {"steps": 12, "batch_size": 8, "sampling_steps": 3},
    "stable-diffusion-lora": {"steps": 2, "train_steps": 12, "train_batch_size": 2},
}


@pytest.fixture
def fast(monkeypatch):
    """This CPU stands for a device whose bfloat16 pays in training."""
    monkeypatch.setattr(compute, "native_bfloat16", lambda device: True)
    monkeypatch.setattr(precision, "PAYS_ON", ("cpu",))


def made(name, workdir=None):
    generator = create(name, random_state=0, device="cpu", **QUICK[name])
    generator.workdir = workdir
    return generator


def spoil(monkeypatch, cls, at):
    """In bfloat16, every loss from the `at`-th on is no number."""
    original, seen = cls._loss, []

    def loss(self, *arguments):
        value = original(self, *arguments)
        if self._trained_in == torch.bfloat16:
            seen.append(value)
        return value * torch.nan if self._trained_in == torch.bfloat16 and len(seen) > at else value

    monkeypatch.setattr(cls, "_loss", loss)


FACTS = {"ddpm": "precision", "stable-diffusion-lora": "training_precision"}
CLASSES = {"ddpm": Ddpm, "stable-diffusion-lora": StableDiffusionLora}


@pytest.mark.parametrize("name", CLASSES)
def test_reduced_precision_that_holds_is_used_and_told(name, fast):
    generator = made(name).fit(data(), [2])
    assert generator.facts[FACTS[name]] == "bfloat16"
    plain = create(name, random_state=1, device="cpu", **QUICK[name])
    assert generator.sample(2, 3).shape == plain.fit(data(), [2]).sample(2, 3).shape


@pytest.mark.parametrize("name", CLASSES)
def test_a_device_without_it_trains_in_float32_and_tries_nothing(name, monkeypatch):
    monkeypatch.setattr(CLASSES[name], "_trial", lambda *_: lambda dtype: pytest.fail("tried"))
    assert made(name).fit(data(), [2]).facts[FACTS[name]] == "float32"


@pytest.mark.parametrize("at", [0, 5])  # in the trial, during training
@pytest.mark.parametrize("name", CLASSES)
def test_where_reduced_precision_fails_the_images_are_those_of_float32(name, at, fast, monkeypatch):
    with monkeypatch.context() as slow:
        slow.setattr(precision, "PAYS_ON", ())
        plain = made(name).fit(data(), [2])
    spoil(monkeypatch, CLASSES[name], at)
    generator = made(name).fit(data(), [2])
    assert generator.facts[FACTS[name]] == "float32" + (", since training diverged in bfloat16" if at else "")
    assert generator.history == plain.history
    np.testing.assert_array_equal(generator.sample(2, 3), plain.sample(2, 3))


@pytest.mark.parametrize("name", CLASSES)
def test_a_kill_during_the_second_try_does_not_set_it_back(name, fast, monkeypatch, tmp_path):
    spoil(monkeypatch, CLASSES[name], 5)
    whole = made(name).fit(data(), [2])
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken, resumed = made(name, tmp_path), made(name, tmp_path)
    broken.progress = killed_at(10)
    with pytest.raises(KilledError):
        broken.fit(data(), [2])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        resumed.fit(data(), [2])
    np.testing.assert_array_equal(resumed.sample(2, 3), whole.sample(2, 3))


@pytest.mark.parametrize("name", CLASSES)
def test_the_learning_rate_is_blamed_only_when_float32_diverges(name, fast):
    with pytest.raises(FillbenchError, match=rf"--set {name}\.lr="):
        create(name, device="cpu", **{**QUICK[name], "lr": 1e30}).fit(data(), [2])
    settings = {**QUICK["stable-diffusion-lora"], "lr": 1e30, "precision": "bfloat16"}
    with pytest.raises(FillbenchError, match=r"diverged in bfloat16; --set stable-diffusion-lora\.precision=float32"):
        create("stable-diffusion-lora", device="cpu", **settings).fit(data(), [2])


def test_a_reopened_network_samples_in_the_precision_that_it_was_trained_in(fast):
    generator = made("ddpm").fit(toy(), [2])
    again = made("ddpm").restore(toy(), generator.state())
    np.testing.assert_array_equal(again.sample(2, 3), generator.sample(2, 3))
