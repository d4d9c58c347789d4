"""Trained with default settings on real digits, a generator makes digits that are recognised, and many of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.svm import SVC

from fillbench.datasets import DataSet, load
from fillbench.generators import create

DIGIT = 3


@cache
def digits() -> tuple[DataSet, DataSet]:
    split = load("digits", Path("."))
    return split.train, split.test


def flat(images: np.ndarray) -> np.ndarray:
    return images.reshape(len(images), -1) / 255


@cache
def recogniser() -> SVC:
    train, test = digits()
    svm = SVC(gamma="scale").fit(flat(train.x), train.labels)
    assert svm.score(flat(test.x), test.labels) > 0.97
    return svm


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["gan", "dcgan", "cgan", "wgan-gp", "ddpm", "deepsmote"])
def test_samples_are_recognised_and_varied(name):
    train, _ = digits()
    real = train.x[train.labels == DIGIT]
    generator = create(name, random_state=0, device="cpu").fit(train, {DIGIT: 200})
    samples = generator.sample(DIGIT, 200)
    recognised = (recogniser().predict(flat(samples)) == DIGIT).mean()
    variety = pdist(flat(samples)).mean() / pdist(flat(real)).mean()
    assert recognised >= 0.85
    assert variety >= 0.5
