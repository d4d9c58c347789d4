from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from fillbench import FillbenchError
from fillbench.datasets import fingerprint, load
from fillbench.tests.pictures import folder, picture, save

HERE = Path(".")


def test_npz_labels_of_medmnist_come_out_flat(tmp_path):
    split = load(f"npz:{save(tmp_path / 'a.npz')}", HERE)
    assert split.train.x.shape == (12, 4, 4, 1)
    assert split.train.labels.dtype == np.int64
    assert split.train.counts().tolist() == [8, 4]
    assert split.train.class_names == ("0", "1")


def test_the_validation_split_joins_train_unless_told_otherwise(tmp_path):
    path = save(tmp_path / "a.npz", val_images=np.ones((3, 4, 4), np.uint8), val_labels=np.array([1, 1, 1]))
    assert load(f"npz:{path}", HERE).train.counts().tolist() == [8, 7]
    assert load(f"npz:{path}", HERE, drop_validation=True).train.counts().tolist() == [8, 4]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"test_labels": None}, "no 'test_labels'"),
        ({"train_images": np.zeros((12, 4, 4), np.float32)}, "float32"),
        ({"train_images": np.zeros((12, 4, 4, 4), np.uint8)}, "shape"),
        ({"train_images": np.zeros((0, 4, 4), np.uint8)}, "shape"),
        ({"train_labels": np.zeros((12, 3), np.int64)}, "one label"),
        ({"train_labels": np.zeros(12)}, "whole numbers"),
        ({"train_labels": np.full(12, -1)}, "whole numbers"),
        ({"train_labels": np.full(12, 2**63, np.uint64)}, "under 100000"),
        ({"class_names": np.array(["only one"])}, "label 1"),
        ({"class_names": np.array(["same", "same"])}, "twice"),
        ({"train_labels": np.repeat([0, 1], [11, 1])}, "class '1' .* 1 train"),
        ({"train_labels": np.zeros(12, int), "test_labels": np.zeros(4, int)}, "one class"),
        ({"test_images": np.zeros((4, 5, 4), np.uint8)}, "differ in shape"),
    ],
)
def test_an_npz_that_will_not_do_says_why(tmp_path, changes, message):
    with pytest.raises(FillbenchError, match=message):
        load(f"npz:{save(tmp_path / 'a.npz', **changes)}", HERE)


def test_pickled_arrays_are_never_loaded(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, train_images=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(FillbenchError, match="pickled"):
        load(f"npz:{path}", HERE)


@pytest.mark.parametrize("damage", [b"", b"not an array", "truncate", "flip"])
def test_a_damaged_npz_is_told_not_thrown(tmp_path, damage):
    path = save(tmp_path / "a.npz")
    raw = path.read_bytes()
    if damage == "truncate":
        damage = raw[: len(raw) // 2]
    elif damage == "flip":
        at = raw.find(b"train_images") + 300
        damage = raw[:at] + bytes([raw[at] ^ 255]) + raw[at + 1 :]
    path.write_bytes(damage)
    with pytest.raises(FillbenchError, match=r"a\.npz"):
        load(f"npz:{path}", HERE)


def test_a_zip_that_holds_no_arrays_is_told(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FillbenchError, match="train_images"):
        load(f"npz:{tmp_path / 'a.npz'}", HERE)


def test_what_else_lies_in_the_zip_is_left_alone(tmp_path):
    path = save(tmp_path / "a.npz")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
    assert len(load(f"npz:{path}", HERE).train) == 12


def test_a_header_that_claims_more_than_the_memory_is_told(tmp_path):
    header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (6400000000000000000,), }"
    raw = b"\x93NUMPY\x01\x00" + (len(header) + 1).to_bytes(2, "little") + header + b"\n"
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("train_images.npy", raw)
    with pytest.raises(FillbenchError, match="memory"):
        load(f"npz:{tmp_path / 'a.npz'}", HERE)


def test_a_flat_folder_is_split_by_class_and_always_the_same_way(tmp_path):
    split = load(f"folder:{folder(tmp_path)}", HERE)
    assert split.train.class_names == ("ant", "bee")
    assert split.train.counts().tolist() == [6, 6]
    assert split.test.counts().tolist() == [2, 2]
    assert split.train.x.shape[1:] == (5, 6, 1)
    assert fingerprint(split) == fingerprint(load(f"folder:{tmp_path}", HERE))


def test_train_and_test_folders_are_taken_as_they_are(tmp_path):
    folder(tmp_path / "train", mode="RGB")
    folder(tmp_path / "test", mode="RGB", start=500)
    split = load(f"folder:{tmp_path}", HERE)
    assert split.train.counts().tolist() == split.test.counts().tolist() == [8, 8]
    assert split.train.x.shape[1:] == (5, 6, 3)


def test_hidden_files_do_not_count(tmp_path):
    folder(tmp_path)
    (tmp_path / ".DS_Store").write_text("x")
    (tmp_path / "ant" / ".DS_Store").write_text("x")
    assert len(load(f"folder:{tmp_path}", HERE).train) == 12


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "ant" / "notes.txt").write_text("hello"), "notes.txt.*not an image"),
        (lambda root: (root / "stray.png").write_bytes(b""), "stray.png.*class folders"),
        (lambda root: (root / "cow").mkdir(), "cow.*empty"),
        (lambda root: picture(root / "cow" / "1.png"), "cow.*fewer than 4"),
        (lambda root: [f.unlink() for f in (root / "bee").iterdir()] and (root / "bee").rmdir(), "1 class"),
    ],
)
def test_a_folder_that_will_not_do_says_which_file(tmp_path, spoil, message):
    spoil(folder(tmp_path))
    with pytest.raises(FillbenchError, match=message):
        load(f"folder:{tmp_path}", HERE)


def test_an_unknown_dataset_gets_the_nearest_name():
    with pytest.raises(FillbenchError, match="'digits'"):
        load("digit", HERE)


def test_the_fingerprint_sees_one_pixel(tmp_path):
    path = save(tmp_path / "a.npz")
    before = fingerprint(load(f"npz:{path}", HERE))
    with np.load(path) as arrays:
        images = arrays["test_images"]
    images[3, 3, 3] += 1
    assert fingerprint(load(f"npz:{save(path, test_images=images)}", HERE)) != before
