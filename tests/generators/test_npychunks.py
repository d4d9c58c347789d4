"""A `.npy` file that grows part by part, and survives what may happen to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fillbench.generators.npychunks import Chunks

SHAPE = (10, 4, 3, 1)
IMAGES = np.random.default_rng(0).integers(0, 256, SHAPE).astype(np.uint8)


@pytest.mark.parametrize("on_disk", [True, False])
def test_parts_make_the_whole(tmp_path, on_disk):
    path = tmp_path / "new" / "images.npy" if on_disk else None
    with Chunks(path, SHAPE) as chunks:
        for start in (0, 4, 8):
            assert chunks.done == start
            chunks.write(start, IMAGES[start : start + 4])
        np.testing.assert_array_equal(chunks.images(), IMAGES)
    if path:
        np.testing.assert_array_equal(np.load(path, allow_pickle=False), IMAGES)


@given(st.integers(0, 4 * 12 + 11))
def test_a_file_that_was_cut_anywhere_goes_on_after_its_last_whole_image(tmp_path_factory, bytes_left):
    path = tmp_path_factory.mktemp("cut") / "images.npy"
    with Chunks(path, SHAPE) as chunks:
        chunks.write(0, IMAGES[:5])
        start = path.stat().st_size - 5 * 12
    content = path.read_bytes()
    path.write_bytes(content[: start + bytes_left])
    with Chunks(path, SHAPE) as chunks:
        assert chunks.done == bytes_left // 12
        chunks.write(chunks.done, IMAGES[chunks.done :])
        np.testing.assert_array_equal(chunks.images(), IMAGES)


def test_writing_earlier_drops_what_came_after(tmp_path):
    with Chunks(tmp_path / "images.npy", SHAPE) as chunks:
        chunks.write(0, IMAGES)
        chunks.write(4, IMAGES[:2])
        assert chunks.done == 6


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"x" * 500])
def test_a_file_of_something_else_is_started_over(tmp_path, content):
    path = tmp_path / "images.npy"
    path.write_bytes(content)
    with Chunks(path, SHAPE) as chunks:
        assert chunks.done == 0
        chunks.write(0, IMAGES)
    np.testing.assert_array_equal(np.load(path), IMAGES)
    with Chunks(path, (9, 4, 3, 1)) as chunks:
        assert chunks.done == 0
