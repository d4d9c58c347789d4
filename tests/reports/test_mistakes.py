"""Which rare test examples an arm decides right where the floor does not; and what of them is shown."""

from __future__ import annotations

import numpy as np
import pytest

from fillbench.disk import write_arrays
from fillbench.records import TEST_SAMPLES
from fillbench.reports.leaderboard import leaderboard
from fillbench.reports.mistakes import change_rows, leading_generator, mistakes_shown
from fillbench.reports.records import Run
from fillbench.tests.predicted import RARE, TESTED, written
from fillbench.tests.reporting import page_of


def decided(right_by_seed):
    """Probabilities (S, N, 4) of classes in order: the rare class is decided right where that is said, all else is."""
    labels = np.repeat(np.arange(4), TESTED)
    right = np.ones((len(right_by_seed), len(labels)), bool)
    right[:, labels == RARE] = right_by_seed
    guesses = np.where(right, labels, (labels + 1) % 4)
    return np.where(np.arange(4) == guesses[..., None], 0.7, 0.1).astype(np.float32)


@pytest.fixture
def run(fake):
    """Of 100 rare test images `none` has the first 50 right, and smote those from 40 to 89; the third seed errs."""
    before, after = np.arange(TESTED) < 50, (np.arange(TESTED) >= 40) & (np.arange(TESTED) < 90)
    arms = {"none": [before, before, ~before], "smote": [after, after, ~after], "full": [before | True] * 3}
    return written(fake, {name: decided(np.array(right)) for name, right in arms.items()})


def test_what_is_fixed_broken_and_still_wrong_is_counted_over_most_seeds(run):
    read = Run.read(run.path)
    rows = {row["arm"]: row for row in change_rows(read, leaderboard(read))}
    assert rows["smote"] == {"arm": "smote", "fixed": 40, "broken": 40, "net": 0, "still_wrong": 10}
    assert rows["full"] == {"arm": "full", "fixed": 50, "broken": 0, "net": 50, "still_wrong": 0}
    assert "none" not in rows


def test_the_images_that_are_shown_are_those_that_changed(run):
    spots = 3 * TESTED + np.arange(0, TESTED, 5)
    images = np.arange(20, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    write_arrays(run.path / TEST_SAMPLES, {f"index_{RARE}": spots, f"test_{RARE}": images})
    read = Run.read(run.path)
    assert leading_generator(read, leaderboard(read)) == "smote"
    (shown,) = mistakes_shown(read, "smote")
    assert shown.note == "40 fixed, 40 broken, 10 still wrong of 100"
    values = {name: x[:, 0, 0, 0].tolist() for name, x in shown.parts}
    assert values == {"fixed": [*range(10, 18)], "broken": [*range(8)], "still wrong": [18, 19]}
    page = page_of(run)
    assert "smote, the generator that knows most" in page
    assert 'alt="3, rare test images: fixed"' in page


def test_an_older_folder_without_test_images_has_the_table_alone(run):
    assert mistakes_shown(Run.read(run.path), "smote") == []
    page = page_of(run)
    assert '<td data-value="40">40</td>' in page
    assert "the generator that knows most" not in page
