"""Image-to-image with a ladder of strengths: what it starts from, and how far it goes."""

from __future__ import annotations

import numpy as np
import pytest

from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import create
from fillbench.tests.pipelines import data
from fillbench.tests.quick import QUICK


def tiny(name, train, count=6, label=2, **settings):
    chosen = {**QUICK[name], "steps": 10, **settings}
    return create(name, random_state=0, device="cpu", **chosen).fit(train, [label]).sample(label, count)


def by_brightness(counts=(6, 4, 3)):
    """Images of classes 0 and 1 are bright all over, those of class 2 are dark."""
    train = data(counts=counts)
    train.x[:] = np.where(train.labels == 2, 10, 230)[:, None, None, None]
    return train


def test_real_guidance_starts_from_the_classs_own_images_and_diff_mix_from_those_of_others():
    own, others = (tiny(name, by_brightness(), strength="0.1") for name in ("real-guidance", "diff-mix"))
    assert own.mean() < 60
    assert others.mean() > 180


@pytest.mark.parametrize("name", ["real-guidance", "diff-mix"])
def test_the_stronger_the_farther_from_where_it_starts_in_equal_parts(name):
    made = tiny(name, by_brightness(), count=24, strength="0.1,0.9").astype(float)
    start = 10 if name == "real-guidance" else 230
    weak, strong = (abs(part - start).mean() for part in (made[:12], made[12:]))
    assert strong > 1.5 * weak


def test_the_images_do_not_depend_on_the_batch():
    whole, parts = (tiny("diff-mix", by_brightness(), count=7, batch_size=size) for size in (7, 2))
    np.testing.assert_array_equal(whole, parts)


def test_colour_images_have_their_shape(models):
    assert tiny("diff-mix", data((12, 20, 3)), model=str(models("sd"))).shape == (6, 12, 20, 3)


def test_the_refused_are_drawn_again_whatever_their_strength(models):
    made = tiny("diff-mix", data((12, 20, 3)), model=str(models("sd")), strength="0.4,0.8")
    assert len(made) == 6


def test_a_class_without_images_has_nothing_to_be_guided_by_but_others_to_be_mixed_from():
    train = by_brightness(counts=(6, 4, 0))
    with pytest.raises(CannotFill, match="no images to start from in class 2"):
        tiny("real-guidance", train)
    assert len(tiny("diff-mix", train)) == 6


@pytest.mark.parametrize("strength", ["0.5,1.5", "0", "", "half"])
def test_a_strength_that_is_no_share_is_refused(strength):
    with pytest.raises(FillbenchError, match=r"strength = .* will not do: give shares up to 1"):
        create("diff-mix", strength=strength).available()


def test_a_strength_that_leaves_no_step_is_refused():
    with pytest.raises(FillbenchError, match=r"diff-mix: strength = 0\.1 of 4 steps leaves none"):
        tiny("diff-mix", by_brightness(), steps=4, strength="0.1,0.9")
