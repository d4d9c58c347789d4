from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from fillbench import FillbenchError
from fillbench.datasets import builtin, load


def test_digits_are_scikit_learns_to_the_last_bit():
    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)[..., None]
    labels = digits.target.astype(np.int64)
    expected = train_test_split(images, labels, test_size=0.5, stratify=labels, random_state=0)
    split = load("digits", Path("."))
    for found, wanted in zip(
        (split.train.x, split.test.x, split.train.labels, split.test.labels), expected, strict=True
    ):
        assert found.dtype == wanted.dtype
        assert np.array_equal(found, wanted)


def test_digits_are_split_into_stratified_halves_that_share_no_index():
    split = load("digits", Path("."))
    assert split.train.x.shape == (898, 8, 8, 1)
    assert split.test.x.shape == (899, 8, 8, 1)
    assert split.train.x.max() == 255
    assert np.abs(split.train.counts() - split.test.counts()).max() <= 1
    assert not split.train.traits.flip, "a mirrored digit is another sign"


def test_torchvision_sets_are_read_from_the_data_folder(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for stem, count in (("train", 20), ("t10k", 10)):
        labels = np.arange(count, dtype=np.uint8) % 10
        images = np.repeat(labels, 784).reshape(count, 28, 28)
        for part, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            (raw / f"{stem}-{part}-ubyte").write_bytes(header + array.tobytes())
    split = load("mnist", tmp_path)
    assert split.train.x.shape == (20, 28, 28, 1)
    assert (split.train.x[:, 0, 0, 0] == split.train.labels).all()


def test_fashion_mnist_is_read_from_debians_package(tmp_path, monkeypatch):
    for stem, count in (("train", 20), ("t10k", 10)):
        labels = np.arange(count, dtype=np.uint8) % 10
        for part, array in (
            ("images-idx3", np.repeat(labels, 784).reshape(count, 28, 28)),
            ("labels-idx1", labels),
        ):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
            (tmp_path / f"{stem}-{part}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    monkeypatch.setattr(builtin, "DEBIAN_FASHION", (tmp_path,))
    split = load("fashion_mnist", tmp_path / "data")
    assert split.test.x.shape == (10, 28, 28, 1)
    assert split.train.class_names[6] == "shirt"
    assert "fashion_mnist" in builtin.offline()


def test_without_network_the_error_says_what_is_missing_where_it_goes_and_what_works(tmp_path, monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network") if kwargs["download"] else RuntimeError("Dataset not found")

    monkeypatch.setattr("torchvision.datasets.CIFAR10", offline)
    with pytest.raises(FillbenchError, match=r"no network.*cifar-10-python.*digits") as error:
        load("cifar10", tmp_path)
    assert str(tmp_path) in str(error.value)
