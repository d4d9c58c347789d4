"""One way to the network's range and back."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fillbench.generators.scaling import to_images, to_tensor

CPU = torch.device("cpu")


def test_all_256_values_come_back():
    images = np.arange(256, dtype=np.uint8).reshape(4, 8, 8, 1)
    scaled = to_tensor(images, CPU)
    assert scaled.shape == (4, 1, 8, 8)
    assert scaled.min() == -1
    assert scaled.max() == 1
    np.testing.assert_array_equal(to_images(scaled), images)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, array_shapes(min_dims=4, max_dims=4, max_side=7)))
def test_round_trip(images):
    np.testing.assert_array_equal(to_images(to_tensor(images, CPU)), images)


@settings(max_examples=50, deadline=None)
@given(st.floats(1, 1e6, width=32))
def test_values_outside_are_clipped_never_wrapped(far):
    outside = torch.tensor([-far, far]).reshape(1, 1, 1, 2)
    assert to_images(outside).ravel().tolist() == [0, 255]
