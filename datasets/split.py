"""Which part of the data is learned from and which is tested on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import FillbenchError
from .base import Labels
from .reading import Notes, expression_of

FOLDS = 4  # a quarter is held back
DRAWS = 10  # of whole groups, of which the most even is taken

Indices = NDArray[np.int64]


def sides(
    parts: Collection[str], drop_validation: bool, where: str, notes: Notes
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Which of the `parts` train, val and test are learned from, and which tested on (none: a quarter is held back).

    Validation joins train unless it is to be dropped, and is the test set where there is no other.
    Raises FillbenchError when it is to be dropped and there is none, or nothing would be left to test on.
    """
    if drop_validation and "val" not in parts:
        raise FillbenchError(f"--drop-validation: {where} has no validation part; leave the flag out")
    if "test" in parts:
        if "val" not in parts or drop_validation:
            notes.facts["split"] = "train and test as given" + (", validation dropped" if drop_validation else "")
            return ("train",), ("test",)
        notes.facts["split"] = "train and test as given, validation joins train"
        return ("train", "val"), ("test",)
    if "val" not in parts:
        notes.facts["split"] = "a quarter of each class held back for testing"
        return ("train",), ()
    if drop_validation:
        raise FillbenchError(
            f"--drop-validation: {where} has no test part, so its validation part is the test set; leave the flag out"
        )
    notes.facts["split"] = "train as given, validation is the test set"
    notes.warn(f"{where} has no test part: its validation part is the test set")
    return ("train",), ("val",)


def hold_back(
    labels: Labels,
    names: Sequence[str],
    groups: Sequence[str] | None = None,
    plural: str = "images",
    seed: int = 0,
) -> tuple[Indices, Indices]:
    """Indices of a seeded split that holds about a quarter of each class back for testing, `groups` whole.

    Raises FillbenchError when a class or the groups are too few for that.
    """
    from sklearn.model_selection import train_test_split

    if groups is not None:
        return _whole_groups(labels, names, groups, seed)
    few = np.flatnonzero(np.bincount(labels, minlength=len(names)) < FOLDS)
    if len(few):
        raise FillbenchError(f"class '{names[few[0]]}' has fewer than {FOLDS} {plural}: too few to hold a quarter back")
    train, test = train_test_split(np.arange(len(labels)), test_size=1 / FOLDS, stratify=labels, random_state=seed)
    return np.sort(train), np.sort(test)


def hold_back_repeats(labels: Labels, names: Sequence[str], same: Indices, seed: int) -> tuple[Indices, Indices]:
    """As `hold_back`, rows that are the same, which have one number in `same` (N,), on one side.

    A row that makes up more than a quarter of its class is learned from; a quarter is of the others.
    """
    _, first, each, counts = np.unique(same, return_index=True, return_inverse=True, return_counts=True)
    rng, held = np.random.default_rng(seed), np.zeros(len(first), bool)
    for label, name in enumerate(names):
        own = rng.permutation(np.flatnonzero(labels[first] == label))
        if len(own) < FOLDS:
            raise FillbenchError(f"class '{name}' has fewer than {FOLDS} distinct rows: too few to hold a quarter back")
        small = own[counts[own] * FOLDS <= counts[own].sum()]
        quarter = counts[small].sum() / FOLDS
        held[small[np.cumsum(counts[small]) <= max(quarter, counts[small][:1].sum())]] = True
    return np.flatnonzero(~held[each]), np.flatnonzero(held[each])


def _whole_groups(labels: Labels, names: Sequence[str], groups: Sequence[str], first: int) -> tuple[Indices, Indices]:
    """The split, of several seeded ones, whose share of each class comes nearest to a quarter."""
    from sklearn.model_selection import StratifiedGroupKFold

    counts = np.bincount(labels, minlength=len(names))
    folds = min(FOLDS, len(set(groups)), int(counts.max()))
    if folds < 2:
        raise FillbenchError(f"--group finds one group, '{groups[0]}', in all images: nothing can be held back")
    best: tuple[float, Indices, Indices] | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a class with few images, which the shares below judge
        for seed in range(first * DRAWS, (first + 1) * DRAWS):
            splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
            for train, test in splitter.split(labels, labels, groups):
                shares = np.bincount(labels[test], minlength=len(names)) / counts
                off = float(np.abs(shares - 1 / FOLDS).max())
                if shares.min() > 0 and shares.max() < 1 and (best is None or off < best[0]):
                    best = off, train, test
    if best is None:
        few = min(
            range(len(names)), key=lambda label: len({g for g, of in zip(groups, labels, strict=True) if of == label})
        )
        raise FillbenchError(
            f"--group: no split of the {len(set(groups))} groups has every class on both sides; the fewest groups are "
            f"those of class '{names[few]}'"
        )
    return best[1], best[2]


def groups_of(pattern: str, paths: Sequence[str]) -> list[str]:
    """What the first group of a regular expression finds in each path, relative to the data set's folder.

    Raises FillbenchError for a pattern that is none, has no group, or does not match every path.
    """
    expression = expression_of(pattern)
    found = [expression.search(path) for path in paths]
    missed = [path for path, match in zip(paths, found, strict=True) if match is None or match[1] is None]
    if len(missed) == len(paths):
        raise FillbenchError(f"--group '{pattern}' matches none of the {len(paths)} files, such as '{paths[0]}'")
    if missed:
        raise FillbenchError(
            f"--group '{pattern}' does not match '{missed[0]}' ({len(missed)} of {len(paths)} files); "
            "every image needs a group"
        )
    return [match[1] for match in found if match]
