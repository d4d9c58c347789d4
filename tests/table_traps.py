"""Generators of rows that cheat or break, as plug-ins: each must be caught by the audit.

Those that leak know scikit-learn's breast cancer table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fillbench.datasets import load
from fillbench.tests.trapping import Trap, traps_of


def cancer(part: str, label: int) -> np.ndarray:
    """All the rows of a class in the train or the test part: what no honest generator can get at."""
    return getattr(load("breast-cancer", Path()), part).of_class(label)


class Rows(Trap):
    kinds = ("tables",)

    def others(self, label, count):
        return self.pick(self.train.x[self.train.labels != label], count)

    def noisy(self, rows, reach):
        noise = self.rng.normal(0, reach, rows.shape) * np.nanstd(self.train.x, axis=0)
        return self.train.traits.nearest(rows + noise * ~self.train.traits.categorical)


TRAPS, trap = traps_of(Rows, __name__)


@trap("copied-rows", "copies")
def _(self, label, count):
    """Its training rows."""
    return self.kept(label, count)


@trap("noisy-copied-rows", "copies")
def _(self, label, count):
    """Its training rows under noise."""
    return self.noisy(self.kept(label, count), 0.03)


@trap("some-copied-rows", "copies")
def _(self, label, count):
    """A few training rows among versions of others."""
    few = count // 20
    return np.concatenate([self.kept(label, few), self.noisy(self.kept(label, count - few), 0.5)])


@trap("test-rows", "leaks")
def _(self, label, count):
    """The test rows."""
    return self.pick(cancer("test", label), count)


@trap("noisy-test-rows", "leaks")
def _(self, label, count):
    """The test rows under noise."""
    return self.noisy(self.pick(cancer("test", label), count), 0.05)


@trap("some-test-rows", "leaks")
def _(self, label, count):
    """A few test rows among versions of kept ones."""
    few = count // 20
    return np.concatenate([cancer("test", label)[:few], self.noisy(self.kept(label, count - few), 0.5)])


@trap("removed-rows", "leaks")
def _(self, label, count):
    """The rows that were taken away."""
    return self.noisy(self.pick(cancer("train", label), count), 0.02)


@trap("one-row", "collapsed")
def _(self, label, count):
    """One good row over and over, hardly changed."""
    return self.noisy(np.repeat(cancer("test", label)[:2].mean(0, keepdims=True), count, axis=0), 0.01)


@trap("rows-of-another-class", "wrong label")
def _(self, label, count):
    """Rows of all the other classes."""
    return self.others(label, count)


@trap("some-rows-of-another-class", "wrong label")
def _(self, label, count):
    """Four of ten of other classes."""
    some = 4 * count // 10
    return np.concatenate([self.others(label, some), self.kept(label, count - some)])


@trap("shuffled-column", "dependence lost")
def _(self, label, count):
    """Kept rows under noise, and one column in any order."""
    rows = self.noisy(self.kept(label, count), 0.1)
    rows[:, 0] = self.rng.permutation(rows[:, 0])
    return rows


@trap("shuffled-columns", "dependence lost")
def _(self, label, count):
    """Each column drawn for itself from the kept rows."""
    return self.rng.permuted(self.kept(label, count), axis=0)


@trap("column-out-of-scale", "off range")
def _(self, label, count):
    """A column in thousandths."""
    rows = self.noisy(self.kept(label, count), 0.3)
    rows[:, 3] *= 1000
    return rows


@trap("scaled-rows", "off range")
def _(self, label, count):
    """Rows that were standardised and never scaled back."""
    x = self.train.x
    return self.train.traits.nearest((self.noisy(self.kept(label, count), 0.3) - x.mean(0)) / x.std(0))


@trap("unseen-category", "unseen categories")
def _(self, label, count):
    """A fifth has in one column a category that other classes have only."""
    rows, fifth = self.kept(label, count), count // 5
    spot = np.flatnonzero(self.train.traits.categorical)[0]
    rows[:fifth, spot] = np.setdiff1d(self.train.x[:, spot], rows[:, spot])[0]
    return rows
