from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fillbench import FillbenchError
from fillbench.datasets.imbalance import (
    Manifest,
    deficits,
    find_classes,
    longtail_targets,
    rare_classes,
    step_targets,
    thin,
)

COUNTS = st.lists(st.integers(2, 60), min_size=2, max_size=8).map(np.array)


@given(COUNTS, st.integers(0, 5), st.data())
def test_thinning_keeps_exactly_the_target_without_replacement(counts, seed, data):
    target = np.array([data.draw(st.integers(1, int(n))) for n in counts])
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    kept = thin(labels, target, seed)
    assert len(np.unique(kept)) == len(kept)
    assert (np.bincount(labels[kept], minlength=len(counts)) == target).all()
    assert (thin(labels, target, seed) == kept).all()


@given(st.integers(0, 5), st.integers(2, 9))
def test_a_smaller_keep_is_a_subset_of_a_larger_one(seed, count):
    labels = np.repeat([0, 1], [20, 10])
    small, large = (set(thin(labels, np.array([20, n]), seed)) for n in (count, 10))
    assert small <= large


def test_seeds_keep_different_images():
    labels = np.repeat([0, 1], [50, 50])
    assert (thin(labels, np.array([50, 5]), 0) != thin(labels, np.array([50, 5]), 1)).any()


@given(COUNTS, st.floats(0.01, 10.0))
def test_deficits_fill_the_asked_share_of_the_gap_to_the_largest_class(counts, fill):
    minority = [k for k, n in enumerate(counts) if n < counts.max()]
    wanted = {k: round(fill * (counts.max() - counts[k])) for k in minority}
    wanted = {k: n for k, n in wanted.items() if n}
    if wanted:
        assert deficits(counts, minority, fill) == wanted
    else:
        with pytest.raises(FillbenchError, match="comes to no example" if minority else "nothing to fill"):
            deficits(counts, minority, fill)


def test_fill_as_a_count_adds_that_many_to_each_class():
    assert deficits(np.array([6742, 300]), [1], 5700) == {1: 5700}


@pytest.mark.parametrize(
    ("fill", "hint"),
    [
        (0, "a share"),
        (-1.0, "a share"),
        (10.5, "a share"),
        (300.0, "300 for a count"),
        (1, "1.0 for all of the gap, or 2 or more"),
    ],
)
def test_a_fill_that_is_no_share_and_no_count_is_refused(fill, hint):
    with pytest.raises(FillbenchError, match=f"--fill {fill} .*{hint}"):
        deficits(np.array([10, 5]), [1], fill)


def test_cifar10_lt_has_the_published_counts():
    published = [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]
    assert longtail_targets(np.full(10, 5000), 100).tolist() == published


@given(COUNTS, st.floats(1.0, 20.0))
def test_a_long_tail_never_keeps_more_than_there_is(counts, ratio):
    try:
        target = longtail_targets(counts, ratio)
    except FillbenchError:
        return
    assert (target <= counts).all()
    assert (target >= 2).all()


@pytest.mark.parametrize("keep", [0, -3, 0.0, 1.5, 11, 1, 0.01])
def test_a_keep_that_cannot_be_is_refused_with_its_value(keep):
    with pytest.raises(FillbenchError, match=str(keep).replace(".", r"\.")):
        step_targets(np.array([20, 10]), [1], keep)


def test_keep_is_a_share_as_float_and_a_count_as_int():
    assert step_targets(np.array([20, 10]), [1], 0.5).tolist() == [20, 5]
    assert step_targets(np.array([20, 10]), [1], 4).tolist() == [20, 4]


def test_auto_minority_is_under_half_the_largest():
    assert rare_classes(np.array([100, 50, 49, 2])) == (2, 3)


def test_classes_are_found_by_name_before_label():
    assert find_classes(["9", "cat"], ["9", "cat", "dog"]) == (0, 1)
    assert find_classes(["2"], ["9", "cat", "dog"]) == (2,)


def test_an_unknown_class_gets_the_nearest_name():
    with pytest.raises(FillbenchError, match="'dog'"):
        find_classes(["dogg"], ["cat", "dog"])


def test_classes_match_in_any_unicode_form_and_with_blanks_around():
    names = ["caf\N{LATIN SMALL LETTER E WITH ACUTE}", " tea"]
    assert find_classes(["cafe\N{COMBINING ACUTE ACCENT}"], [*names, "x"]) == (0,)
    assert find_classes(["tea"], [*names, "x"]) == (1,)


def test_a_name_with_a_comma_that_was_not_quoted_is_told_how():
    with pytest.raises(FillbenchError, match="double quotes"):
        find_classes(["normal", "benign"], ["normal, benign", "other", "more"])


def test_naming_every_class_a_minority_is_refused():
    with pytest.raises(FillbenchError, match="leave at least one"):
        find_classes(["0", "1"], ["a", "b"])


@given(st.lists(st.integers(0, 1000), unique=True, min_size=1), st.integers(0, 9))
def test_the_manifest_hash_changes_with_any_part_of_it(kept, seed):
    manifest = Manifest("abc", seed, np.array(sorted(kept)))
    same = Manifest("abc", seed, np.array(sorted(kept)))
    others = [
        Manifest("abd", seed, same.kept),
        Manifest("abc", seed + 1, same.kept),
        Manifest("abc", seed, same.kept[1:]),
    ]
    assert manifest.sha256 == same.sha256
    assert manifest.sha256 not in {other.sha256 for other in others}
