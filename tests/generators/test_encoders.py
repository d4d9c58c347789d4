"""One way to what a network sees, and back: for every kind of data."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fillbench.datasets.base import kinds, traits_of
from fillbench.generators.encoders import encoder_of
from fillbench.generators.encoders.images import ImageEncoder

CPU = torch.device("cpu")
IMAGES = ImageEncoder()


@pytest.mark.parametrize("kind", kinds())
def test_every_kind_has_an_encoder_of_its_own_that_is_float_and_near_one(kind):
    for train in traits_of(kind).toys().values():
        encoded = encoder_of(kind).fit(train).encode(train.x, CPU)
        assert encoded.dtype == torch.float32
        assert len(encoded) == len(train)
        assert 0.1 < encoded.abs().max() < 10


def test_all_256_values_come_back():
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    scaled = IMAGES.encode(images, CPU)
    assert scaled.shape == (4, 1, 8, 8)
    assert scaled.min() == -1
    assert scaled.max() == 1
    np.testing.assert_array_equal(IMAGES.decode(scaled), images)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=7)))
def test_round_trip(images):
    np.testing.assert_array_equal(IMAGES.decode(IMAGES.encode(images, CPU)), images)


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 1e6, width=32))
def test_values_outside_are_clipped_never_wrapped(far):
    outside = torch.tensor([-far, far]).reshape(1, 1, 1, 2)
    assert IMAGES.decode(outside).ravel().tolist() == [0, 255]
