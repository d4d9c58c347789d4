"""One image is one image, wherever it lies."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fillbench import FillbenchError
from fillbench.datasets import load
from fillbench.datasets.duplicates import identities
from fillbench.tests.pictures import folder, save

HERE = Path(".")


def images(count: int, start: int = 0) -> np.ndarray:
    return np.random.default_rng(start).integers(0, 255, (count, 4, 4), dtype=np.uint8)


def repeated(tmp_path: Path) -> Path:
    """Train: two of the test images, one image three times, and one under both classes."""
    train, test = images(12), images(8, 1)
    train[0], train[9] = test[0], test[5]
    train[2] = train[3] = train[1]
    train[11] = train[4]
    return save(
        tmp_path / "a.npz", train_images=train, test_images=test, test_labels=np.repeat([0, 1], 4), class_names=None
    )


def test_images_that_are_there_twice_are_counted_and_told(tmp_path):
    split = load(f"npz:{repeated(tmp_path)}", HERE)
    assert split.reading["duplicates"] == {
        "train_in_test": 2,
        "repeated_in_train": 3,
        "repeated_in_test": 0,
        "under_several_classes": 2,
    }
    lines = " ".join(split.reading["warnings"])
    assert "2 of the 12 train images are test images too" in lines
    assert "images under several classes, to the last bit: 2" in lines
    assert "--deduplicate" in lines
    assert len(split.train) == 12


def test_deduplicating_drops_from_train_what_is_tested_on_and_what_nobody_can_say_the_class_of(tmp_path):
    split = load(f"npz:{repeated(tmp_path)}", HERE, deduplicate=True)
    assert split.reading["duplicates"]["dropped"] == {"train": 6, "test": 0}
    assert split.train.counts().tolist() == [4, 2]
    kinds = identities(np.concatenate([split.train.x, split.test.x]))
    assert len(np.unique(kinds)) == len(kinds)


def test_the_same_pixels_in_another_format_are_the_same_image(tmp_path):
    folder(tmp_path)
    Image.open(tmp_path / "ant" / "0.png").save(tmp_path / "bee" / "copy.bmp")
    assert load(f"folder:{tmp_path}", HERE).reading["duplicates"]["under_several_classes"] == 2


def test_data_without_duplicates_is_no_news():
    split = load("digits", HERE)
    assert split.reading["warnings"] == []
    assert set(split.reading["duplicates"].values()) == {0}
    assert len(load("digits", HERE, deduplicate=True).train) == len(split.train)


def test_deduplicating_may_leave_too_few(tmp_path):
    train = np.concatenate([images(8), images(1, 2).repeat(4, axis=0)])
    with pytest.raises(FillbenchError, match=r"class '1' .*1 train image.*--deduplicate"):
        load(f"npz:{save(tmp_path / 'a.npz', train_images=train)}", HERE, deduplicate=True)


def test_seventy_thousand_small_images_take_less_than_a_second():
    many = np.random.default_rng(0).integers(0, 255, (70_000, 28, 28, 1), dtype=np.uint8)
    many[-1] = many[0]
    start = time.process_time()
    kinds = identities(many)
    assert time.process_time() - start < 1
    assert kinds[-1] == kinds[0]
    assert len(np.unique(kinds)) == 69_999
