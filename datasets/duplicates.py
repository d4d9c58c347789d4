"""Examples that are there more than once, to the last bit."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from .base import Array, Labels, Split
from .reading import Notes


def identities(*parts: Array) -> NDArray[np.int64]:
    """A number for each example of all `parts`, (N,) int64: equal examples have equal numbers."""
    numbers: dict[bytes, int] = {}
    return np.array(
        [
            numbers.setdefault(blake2b(example.data, digest_size=16).digest(), len(numbers))
            for examples in parts
            for example in np.ascontiguousarray(examples).reshape(len(examples), -1)
        ],
        np.int64,
    )


def look_for_duplicates(split: Split, drop: bool, notes: Notes) -> Split:
    """Counts examples that are in train and in test, there repeatedly, or under several classes; tells, or drops them.

    Dropped are: all copies of an example under several classes, since nobody can say which is right; of a repeated one
    all but the first of its part; and from train what is in test.
    """
    cut = len(split.train)
    labels = np.concatenate([split.train.labels, split.test.labels])
    numbers = identities(split.train.x, split.test.x)
    in_train = np.arange(len(numbers)) < cut
    ambiguous = _ambiguous(numbers, labels)
    leaked = in_train & np.isin(numbers, numbers[cut:])
    repeated = _repeated(numbers + in_train * len(numbers))
    counts = {
        "train_in_test": int(leaked.sum()),
        "repeated_in_train": int(repeated[:cut].sum()),
        "repeated_in_test": int(repeated[cut:].sum()),
        "under_several_classes": int(ambiguous.sum()),
    }
    notes.facts["duplicates"] = counts
    if drop:
        gone = ambiguous | leaked | repeated
        notes.facts["duplicates"] = {
            **counts,
            "dropped": {"train": int(gone[:cut].sum()), "test": int(gone[cut:].sum())},
        }
        if not gone.any():
            return split
        return replace(
            split,
            train=split.train.without(np.flatnonzero(gone[:cut])),
            test=split.test.without(np.flatnonzero(gone[cut:])),
        )
    _tell(counts, cut, split.train.traits.plural, notes)
    return split


def _ambiguous(numbers: NDArray[np.int64], labels: Labels) -> NDArray[np.bool_]:
    """Which examples are under several classes."""
    pairs = np.unique(np.stack([numbers, labels]), axis=1)[0]
    several = np.flatnonzero(np.bincount(pairs) > 1)
    return np.isin(numbers, several)


def _repeated(numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which examples were there before."""
    again = np.ones(len(numbers), bool)
    again[np.unique(numbers, return_index=True)[1]] = False
    return again


def _tell(counts: dict[str, int], train: int, plural: str, notes: Notes) -> None:
    if leaked := counts["train_in_test"]:
        notes.warn(
            f"{leaked} of the {train} train {plural} are test {plural} too, to the last bit, so the test asks what was "
            "learned by heart; --deduplicate drops them from train"
        )
    if ambiguous := counts["under_several_classes"]:
        notes.warn(
            f"{plural} under several classes, to the last bit: {ambiguous}; --deduplicate drops them, as nobody can "
            "say which class is right"
        )
    if repeated := counts["repeated_in_train"] + counts["repeated_in_test"]:
        notes.warn(f"{plural} that repeat another one of their part: {repeated}; --deduplicate keeps one of each")
