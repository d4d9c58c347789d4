from __future__ import annotations

import pytest
import torch
from torch import nn

from fillbench.compute import out_of_memory, settle_precision

CPU = torch.device("cpu")


def autocast_to_bfloat16():
    return torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16


class Faulty(nn.Module):
    """Computes something else under autocast: stands for a processor that does."""

    def __init__(self, harm):
        super().__init__()
        self.layer, self.harm = nn.Linear(6, 3), harm

    def forward(self, x):
        found = self.layer(x).float()
        return self.harm(found) if autocast_to_bfloat16() else found


class NaNBackwards(torch.autograd.Function):
    """A right value, with gradients that are no numbers."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * torch.nan


@pytest.fixture
def built_for_bfloat16(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True}, raising=False)


def settled(module):
    torch.manual_seed(0)
    images, labels = torch.randn(16, 6), torch.randint(3, (16,))

    def run(dtype):
        module.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = nn.functional.cross_entropy(module(images).float(), labels)
        loss.backward()
        return loss, [weight.grad.clone() for weight in module.parameters()]

    return settle_precision(CPU, run)


@pytest.mark.parametrize(
    ("harm", "dtype"),
    [
        (lambda x: x, torch.bfloat16),
        (lambda x: x * torch.nan, torch.float32),
        (lambda x: -x, torch.float32),
        (NaNBackwards.apply, torch.float32),
    ],
    ids=["none", "NaN", "nonsense", "gradients NaN"],
)
def test_bfloat16_is_taken_only_where_it_computes_what_float32_does(built_for_bfloat16, harm, dtype):
    assert settled(Faulty(harm)) == dtype


def test_a_processor_that_is_not_built_for_bfloat16_does_not_try_it(monkeypatch):
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict, raising=False)
    assert settle_precision(CPU, lambda dtype: pytest.fail("tried")) == torch.float32


@pytest.mark.parametrize(
    ("error", "so"),
    [
        (MemoryError("Unable to allocate 3 TiB"), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
    ],
)
def test_too_little_memory_is_known_by_every_allocators_words(error, so):
    assert out_of_memory(error) == so


def test_the_cpus_own_allocator_is_among_them():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**58)
    assert out_of_memory(caught.value)
