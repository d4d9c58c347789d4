from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from timm.models.resnet import ResNet

from fillbench import FillbenchError
from fillbench.classifiers import memory
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.classifiers.strategies import Strategy
from fillbench.datasets.images import toy

CPU = torch.device("cpu")
SMALL = Config("resnet10t", batch_size=8)
DATA = toy((16, 16, 1), (10, 8, 5))
trainer = ImageTrainer()


def in_bfloat16():
    return torch.is_autocast_enabled("cpu")


@pytest.fixture
def built_for_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)


def harm(monkeypatch, how):
    """The last layer of every ResNet does `how` in bfloat16: stands for a processor's faulty convolution."""
    head = ResNet.forward_head
    monkeypatch.setattr(
        ResNet, "forward_head", lambda self, x, **more: how(head(self, x, **more)) if in_bfloat16() else head(self, x)
    )


def test_bfloat16_is_settled_where_the_processor_is_built_for_it_and_right(built_for_bfloat16):
    assert trainer.settle(SMALL, DATA, CPU).precision == "bfloat16"


@pytest.mark.parametrize("how", [lambda x: x * torch.nan, lambda x: -x], ids=["NaN", "nonsense"])
def test_float32_is_settled_where_bfloat16_is_wrong(built_for_bfloat16, monkeypatch, how):
    harm(monkeypatch, how)
    assert trainer.settle(SMALL, DATA, CPU).precision == "float32"


def test_float32_is_settled_for_tiny_images_and_for_other_processors(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert trainer.settle(SMALL, DATA, CPU).precision == "float32"
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert trainer.settle(SMALL, toy((8, 8, 1)), CPU).precision == "float32"


def test_a_precision_that_is_asked_for_is_taken():
    assert trainer.settle(replace(SMALL, precision="bfloat16"), toy((8, 8, 1)), CPU).precision == "bfloat16"


def test_steps_that_fail_in_bfloat16_are_done_again_in_float32_and_counted(monkeypatch):
    config = replace(SMALL, steps=3)
    plain = trainer.train(replace(config, precision="float32"), DATA, DATA, 0, CPU)
    assert plain.facts == {"precision": "float32", "steps_again_in_float32": 0}
    harm(monkeypatch, lambda x: x * torch.nan)
    again = trainer.train(replace(config, precision="bfloat16"), DATA, DATA, 0, CPU)
    assert again.facts == {"precision": "bfloat16", "steps_again_in_float32": 3}
    # The same numbers, but for the layout: nothing of the failed pass is left, running means included.
    assert abs(again.probabilities - plain.probabilities).max() < 1e-3


def test_bfloat16_learns_about_what_float32_does():
    config = Config("resnet10t", steps=3, batch_size=8, lr=0.01)
    one, other = (
        trainer.train(replace(config, precision=precision), DATA, DATA, 0, CPU) for precision in ("float32", "bfloat16")
    )
    assert other.facts == {"precision": "bfloat16", "steps_again_in_float32": 0}
    assert 0 < abs(one.probabilities - other.probabilities).max() < 0.1


def test_a_model_that_cannot_be_trained_on_the_images_is_told(monkeypatch):
    def refuses(self, x, **more):
        if self.training:
            raise ValueError("too small")
        return x.mean((2, 3))

    monkeypatch.setattr(ResNet, "forward_head", refuses)
    with pytest.raises(FillbenchError, match="'resnet10t' cannot take 16x16 images: ValueError: too small"):
        ImageTrainer().settle(SMALL, DATA, CPU)


def test_memory_that_can_never_do_is_told_before_any_work(monkeypatch):
    monkeypatch.setattr("fillbench.classifiers.images.memory_of", lambda device: (10**6, 10**5))
    message = r"resnet10t on 23 images of 16x16 in batches of 8 takes about .*--size 8.*classifier\.batch_size=2"
    with pytest.raises(FillbenchError, match=message):
        trainer.settle(SMALL, DATA, CPU)


def test_memory_that_is_taken_by_others_is_a_warning(monkeypatch):
    monkeypatch.setattr("fillbench.classifiers.images.memory_of", lambda device: (10**12, 10**5))
    config = trainer.settle(SMALL, DATA, CPU)
    (told,) = trainer.warnings(config, DATA, CPU)
    assert "smaller batches: --set classifier.batch_size=2" in told


def test_the_memory_of_a_batch_grows_with_the_batch_and_the_images():
    costs = [trainer.cost(SMALL, toy(shape, (10, 8, 5)), CPU) for shape in ((16, 16, 1), (32, 32, 1))]
    small, large = (memory.needed(costs[0], replace(SMALL, batch_size=size), DATA) for size in (8, 64))
    assert large - small == pytest.approx(56 * costs[0].bytes, abs=2)
    assert costs[1].bytes / costs[0].bytes == pytest.approx(4, rel=0.2), "four times the pixels"


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")])
def test_too_little_memory_in_training_ends_with_sizes_and_advice(monkeypatch, error):
    class Large(Strategy):
        def loss(self, *args):
            raise error

    monkeypatch.setattr(trainer.strategies, "get", lambda name: Large)
    with pytest.raises(FillbenchError, match=r"23 images of 16x16 in batches of 8 takes more.*--size.*batch_size=2"):
        trainer.train(replace(SMALL, steps=1), DATA, DATA, 0, CPU)


def test_too_little_memory_for_the_trial_step_is_no_fault_of_the_model(monkeypatch):
    def full(self, x, **more):
        raise RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(ResNet, "forward_features", full)
    with pytest.raises(FillbenchError, match=r"batches of 8 takes more; here there are"):
        ImageTrainer().settle(replace(SMALL, model="resnet26"), toy((70, 70, 1)), CPU)


def test_enlarging_small_images_is_told_with_how_long_it_takes():
    enlarged = trainer.settle(Config("mobilenetv3_small_050", batch_size=4, steps=50), toy(), CPU)
    (told,) = trainer.warnings(enlarged, toy(), CPU)
    assert told.startswith("mobilenetv3_small_050 sees 8x8 images enlarged to 224x224: each training of 50 steps will")
    assert trainer.warnings(trainer.settle(SMALL, DATA, CPU), DATA, CPU) == []
