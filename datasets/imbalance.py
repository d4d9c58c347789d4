"""Imbalance: which examples are kept, which classes are the minority, how many examples they lack."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import FillbenchError, did_you_mean
from ..settings import MOST_FILL, check_amount
from .names import index_of

Indices = NDArray[np.int64]
Counts = NDArray[np.int64]


def find_classes(words: Sequence[str], class_names: Sequence[str]) -> tuple[int, ...]:
    """The labels of classes given by name (in any Unicode form) or by label, ascending.

    Raises FillbenchError for an unknown one, or when none is left out.
    """
    found = set()
    for word in words:
        label = index_of(word, class_names)
        if label is None and word.isdecimal() and int(word) < len(class_names):
            label = int(word)
        if label is None:
            commas = any("," in name for name in class_names)
            quotes = " A name with a comma goes in double quotes: '\"a, b\",c'" if commas else ""
            raise FillbenchError(f"there is no class '{word}'; {did_you_mean(word, class_names)}{quotes}")
        found.add(label)
    if len(found) == len(class_names):
        raise FillbenchError("every class is named as a minority; leave at least one as it is")
    return tuple(sorted(found))


def rare_classes(counts: Counts) -> tuple[int, ...]:
    """`--minority auto`: every class with fewer than half the examples of the largest."""
    return tuple(int(label) for label in np.flatnonzero(2 * counts < counts.max()))


def step_targets(counts: Counts, minority: Sequence[int], keep: float | int) -> Counts:
    """How many examples each class keeps under step imbalance.

    `keep` is a share of the class (a float up to 1.0) or a count (an int).
    Raises FillbenchError when it is not positive, more than there is, or leaves fewer than two examples.
    """
    check_amount("keep", keep, "the class")
    target = counts.copy()
    for label in minority:
        target[label] = round(keep * counts[label]) if isinstance(keep, float) else keep
        if target[label] > counts[label]:
            raise FillbenchError(f"--keep {keep} is more than the {counts[label]} examples that class {label} has")
    _at_least_two(target, f"--keep {keep}")
    return target


def longtail_targets(counts: Counts, ratio: float) -> Counts:
    """How many examples each class keeps under an exponential long tail (Cui et al. 2019).

    Class i of K keeps n_max * ratio ** (-i / (K - 1)), and never more than it has.
    """
    if ratio < 1:
        raise FillbenchError(f"--imbalance-ratio {ratio:g} will not do: it is largest over smallest class, so above 1")
    shares = ratio ** (-np.arange(len(counts)) / (len(counts) - 1))
    target = np.minimum(counts, np.floor(counts.max() * shares + 1e-9).astype(np.int64))
    _at_least_two(target, f"--imbalance-ratio {ratio:g}")
    return target


def _at_least_two(target: Counts, flag: str) -> None:
    few = np.flatnonzero(target < 2)
    if len(few):
        raise FillbenchError(f"{flag} leaves {target[few[0]]} examples of class {few[0]}; at least 2 are needed")


def thin(labels: NDArray[np.int64], target: Counts, seed: int) -> Indices:
    """Indices of `target[k]` examples of each class k, drawn without replacement, ascending.

    A smaller target keeps a subset of what a larger one keeps with the same seed.
    """
    kept = [
        np.random.default_rng([seed, label]).permutation(np.flatnonzero(labels == label))[:count]
        for label, count in enumerate(target)
    ]
    return np.sort(np.concatenate(kept)).astype(np.int64)


def deficits(counts: Counts, minority: Sequence[int], fill: float | int) -> dict[int, int]:
    """How many examples each minority class is to be given: {label: count}.

    `fill` is a share of the gap to the largest class, up to MOST_FILL times the gap (a float), or a count (an int), the
    gap at most.
    Raises FillbenchError for another `fill`, or when no minority class lacks anything.
    """
    check_amount("fill", fill, "the gap", MOST_FILL)
    gaps = {label: int(counts.max() - counts[label]) for label in minority}
    lacking = {label: round(fill * gap) if isinstance(fill, float) else min(gap, fill) for label, gap in gaps.items()}
    lacking = {label: count for label, count in lacking.items() if count}
    if not lacking and any(gaps.values()):
        raise FillbenchError(f"--fill {fill} will not do: it comes to no example of a gap of {max(gaps.values())}")
    if not lacking:
        raise FillbenchError(
            "there is nothing to fill: no minority class has fewer examples than the largest. "
            "Make an imbalance: --minority NAME --keep 0.1, or --profile longtail"
        )
    return lacking


@dataclass(frozen=True)
class Manifest:
    """Which examples of which data set were kept under which seed: the same for every arm."""

    dataset: str
    seed: int
    kept: Indices

    def to_json(self) -> str:
        """Canonical text: the same manifest always has the same bytes."""
        return json.dumps({"dataset": self.dataset, "seed": self.seed, "kept": self.kept.tolist()}, sort_keys=True)

    @property
    def sha256(self) -> str:
        """The hash that goes into every record."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()
