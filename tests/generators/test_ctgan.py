"""ctgan and tvae: what they learn of mixed columns and classes, and what a kill does not set back."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from fillbench.datasets.base import DataSet
from fillbench.datasets.tables import Column, TableTraits, toy
from fillbench.errors import CannotFill
from fillbench.generators import checkpoint, create
from fillbench.tests.kills import KilledError, killed_at

NAMES = ["ctgan", "tvae"]
COLUMNS = (Column("two modes"), Column("one"), Column("other"), Column("sort", ("low", "mid", "high")))


def drawn(label, count, rng):
    """Rows of a class: a number of two modes, two numbers that go together, a category that depends on the class."""
    upper = rng.random(count) < (0.7 if label else 0.3)
    one = label + rng.normal(size=count)
    columns = [
        np.where(upper, 3, -3) + rng.normal(size=count) / 2,
        one,
        0.9 * one + 0.44 * rng.normal(size=count),
        rng.choice(3, count, p=[0.1, 0.2, 0.7] if label else [0.7, 0.2, 0.1]),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def mixed(counts=(300, 60)):
    rng = np.random.default_rng(0)
    x = np.concatenate([drawn(label, count, rng) for label, count in enumerate(counts)])
    return DataSet(x, np.repeat([0, 1], counts), ("most", "rare"), TableTraits(COLUMNS))


def off(rows, of):
    """How far rows lie from class `of`: their numbers on average, in standard deviations; the shares of their sorts."""
    true = drawn(of, 4000, np.random.default_rng(1))
    numbers = [wasserstein_distance(*pair) / pair[1].std() for pair in zip(rows.T[:3], true.T[:3], strict=True)]
    shares = [np.bincount(x[:, 3].astype(int), minlength=3) / len(x) for x in (rows, true)]
    return float(np.mean(numbers)), float(np.abs(shares[0] - shares[1]).sum() / 2)


@cache
def learned(name):
    """Rows of the rare class, from a fit with default settings."""
    return create(name, random_state=0, device="cpu").fit(mixed(), [1]).sample(1, 1000)


@pytest.mark.parametrize("name", ["tvae", pytest.param("ctgan", marks=pytest.mark.slow)])
def test_the_rare_class_is_learned_mode_by_mode_and_share_by_share(name):
    rows = learned(name)
    for near, far in zip(off(rows, 1), off(rows, 0), strict=True):
        assert near < far / 2, "it made rows of the other class"
    own = rows[:, 0]
    assert 0.05 < (own < -2).mean() < 0.5 < (own > 2).mean() < 0.95, "both modes are there, in about their shares"
    assert ((own > -1) & (own < 1)).mean() < 0.1, "and little between"


def test_columns_that_go_together_do_so_in_what_tvae_makes():
    assert np.corrcoef(learned("tvae")[:, 1:3].T)[0, 1] > 0.3


@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_fit_goes_on_where_it_was(name, tmp_path, monkeypatch):
    train = toy((24, 8, 6), 2, 2, missing=True)

    def tiny(workdir=None):
        generator = create(name, random_state=0, device="cpu", steps=30, batch_size=20)
        generator.workdir = workdir
        return generator

    whole = tiny().fit(train, [1])
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken = tiny(tmp_path)
    broken.progress = killed_at(20)
    with pytest.raises(KilledError):
        broken.fit(train, [1])
    seen = []
    resumed = tiny(tmp_path)
    resumed.progress = lambda done, total: seen.append(done)
    resumed.fit(train, [1])
    assert seen == [30]  # it did not start over
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.sample(1, 40), whole.sample(1, 40))


@pytest.mark.parametrize("name", NAMES)
def test_a_class_without_rows_is_a_reason(name):
    with pytest.raises(CannotFill, match="class 1"):
        create(name).fit(toy((12, 0, 6)), [1])


def test_packs_are_whole_whatever_the_batch():
    generator = create("ctgan", random_state=0, steps=2, batch_size=23, pac=4, discriminator_steps=2)
    assert len(generator.fit(toy(), [1]).sample(1, 5)) == 5
