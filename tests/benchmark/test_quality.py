from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fillbench.benchmark.audits.images import describe, pixels_off
from fillbench.benchmark.audits.quality import fid, kid, neighbourhood, spread
from fillbench.generators.image_features import pooled


def normal(count, dimensions=8, seed=0, shift=0.0):
    return torch.randn(count, dimensions, generator=torch.Generator().manual_seed(seed)) + shift


def pictures(count, seed=0):
    return torch.randint(0, 256, (count, 1, 8, 8), generator=torch.Generator().manual_seed(seed)).float()


def test_a_wrong_range_shows_beside_the_real_images():
    real = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 1), dtype=np.uint8)
    off = pixels_off(describe((real / 255).astype(np.uint8)), describe(real))
    assert off == ["mean far off", "spread far off", "range far off", "texture far off"]
    assert pixels_off(describe(real), describe(real)) == []


def test_an_undone_scaling_is_told():
    real = {"mean": 30, "std": 70, "low": 0, "high": 255, "texture": 0.5}
    made = {"mean": 142, "std": 35, "low": 127, "high": 255, "texture": 0.5}
    assert pixels_off(made, real) == ["mean far off", "range far off"]


def test_diversity_is_one_for_real_images_and_near_nothing_for_one_image_over_and_over():
    real = pictures(40)
    assert spread(real, real) == (pytest.approx(1), pytest.approx(1))
    nearly = real[:1].repeat(40, 1, 1, 1)
    nearly[:, 0, 0, 0] = torch.arange(40)
    diversity, distinct = spread(nearly, real)
    assert diversity < 0.05
    assert distinct < 0.05


def test_noise_is_no_diversity_and_one_outlying_pixel_no_range():
    ramp = torch.arange(8.0).repeat(8, 1)
    real = torch.stack([ramp * scale for scale in torch.linspace(-9, 9, 60)])[:, None]
    noisy = real[30:31] + 20 * torch.randn(60, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    diversity, _ = spread(noisy, real)
    assert diversity < 0.4
    dim = np.full((20, 8, 8, 1), 100, np.uint8) + np.arange(8, dtype=np.uint8)
    bright = dim.copy()
    bright[0, 0, 0, 0] = 255
    assert "range far off" not in pixels_off(describe(dim), describe(bright))


def test_noise_has_another_texture():
    rng = np.random.default_rng(0)
    smooth = np.repeat(rng.integers(0, 256, (20, 2, 2, 1)), 4, axis=1).repeat(4, axis=2).astype(np.uint8)
    noise = rng.integers(0, 256, smooth.shape).astype(np.uint8)
    assert pixels_off(describe(noise), describe(smooth)) == ["texture far off"]


def test_a_few_images_repeated_are_diverse_but_not_distinct():
    real = pictures(40)
    diversity, distinct = spread(real[:3].repeat(14, 1, 1, 1)[:40], real)
    assert diversity > 0.5
    assert distinct < 0.01


def test_a_single_image_has_no_diversity_to_speak_of():
    assert spread(pictures(1), pictures(40)) == (None, None)


def test_kid_is_about_nothing_within_one_distribution_and_grows_with_the_distance():
    same, near, far = (kid(normal(200, seed=1, shift=shift), normal(200)) for shift in (0, 0.3, 1))
    assert same["kid_low"] < 0 < same["kid_high"]
    assert same["kid"] < near["kid"] < far["kid"]
    assert near["kid_low"] > 0


def test_kid_repeats():
    assert kid(normal(100), normal(100, seed=1)) == kid(normal(100), normal(100, seed=1))


def test_fid_is_that_of_two_normal_distributions_and_needs_more_images_than_dimensions():
    assert fid(normal(4000, seed=1, shift=1.0), normal(4000)) == pytest.approx(8, rel=0.1)
    assert fid(normal(8), normal(4000)) is None
    assert fid(normal(9), normal(4000)) is not None


@settings(max_examples=20, deadline=None)
@given(st.integers(40, 80), st.integers(40, 80), st.floats(0, 5))
def test_shares_of_neighbours_are_shares(ours, theirs, shift):
    found = neighbourhood(normal(ours, seed=1, shift=shift), normal(theirs))
    assert all(0 <= found[name] <= 1 for name in ("precision", "recall", "coverage"))
    assert found["density"] >= 0


def test_neighbours_tell_the_same_distribution_from_one_far_away_and_from_one_point():
    same, away, point = (
        neighbourhood(made, normal(200)) for made in (normal(200, seed=1), normal(200, shift=9.0), torch.zeros(200, 8))
    )
    assert min(same["precision"], same["recall"], same["coverage"]) > 0.8
    assert 0.8 < same["density"] < 1.2
    assert away == {"precision": 0, "recall": 0, "density": 0, "coverage": 0}
    assert point["density"] > 1, "many images in the densest place"
    assert point["coverage"] < 0.5


def test_images_are_compared_in_their_own_proportions():
    sizes = [(8, 8), (28, 28), (16, 256), (256, 16), (96, 64)]
    small = [tuple(pooled(torch.zeros(1, 1, *size, dtype=torch.uint8)).shape[2:]) for size in sizes]
    assert small == [(8, 8), (16, 16), (4, 64), (64, 4), (20, 13)]
