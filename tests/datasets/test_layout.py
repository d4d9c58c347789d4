"""Which image is of which part, which class and which patient."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fillbench import FillbenchError
from fillbench.datasets import load
from fillbench.datasets.folder import list_classes
from fillbench.datasets.names import folder_of
from fillbench.tests.pictures import folder, picture, save

HERE = Path(".")


def counts(spec, **options):
    split = load(str(spec), HERE, **options)
    return split.train.counts().tolist(), split.test.counts().tolist()


def parts(root: Path, **folders: int) -> Path:
    """A folder of parts with as many images of each class as told."""
    for start, (name, count) in enumerate(folders.items()):
        folder(root / name, count=count, start=1000 * start)
    return root


@pytest.mark.parametrize("train", ["train", "Train", "Training"])
@pytest.mark.parametrize("test", ["test", "Testing"])
@pytest.mark.parametrize("val", ["val", "Valid", "validation"])
def test_parts_are_known_by_their_usual_names_and_validation_joins_train(tmp_path, train, test, val):
    path = f"folder:{parts(tmp_path, **{train: 5, test: 3, val: 2})}"
    assert counts(path) == ([7, 7], [3, 3])
    assert counts(path, drop_validation=True) == ([5, 5], [3, 3])
    assert "validation" in load(path, HERE).reading["split"]


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_without_a_test_part_the_validation_part_is_the_test_set_and_it_is_told(tmp_path, kind):
    if kind == "folder":
        path = f"folder:{parts(tmp_path, train=5, val=3)}"
    else:
        images = {"val_images": np.arange(96, dtype=np.uint8).reshape(6, 4, 4), "val_labels": np.repeat([0, 1], 3)}
        path = f"npz:{save(tmp_path / 'a.npz', **images, test_images=None, test_labels=None)}"
    split = load(path, HERE)
    assert split.test.counts().tolist() == [3, 3]
    assert any("validation part is the test set" in line for line in split.reading["warnings"])
    with pytest.raises(FillbenchError, match="--drop-validation"):
        load(path, HERE, drop_validation=True)


def test_a_train_part_alone_has_a_quarter_held_back(tmp_path):
    assert counts(f"folder:{parts(tmp_path, Train=8)}") == ([6, 6], [2, 2])
    assert "quarter" in load(f"folder:{tmp_path}", HERE).reading["split"]
    path = save(tmp_path / "a.npz", test_images=None, test_labels=None)
    assert counts(f"npz:{path}") == ([6, 3], [2, 1])


def test_npz_parts_go_by_the_same_names(tmp_path):
    images = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    path = save(tmp_path / "a.npz", valid_images=images, valid_labels=np.array([1, 1, 1]))
    assert counts(f"npz:{path}") == ([8, 7], [2, 2])


@pytest.mark.parametrize("kind", ["folder", "npz"])
def test_dropping_a_validation_part_that_there_is_not_is_refused(tmp_path, kind):
    path = {"folder": folder(tmp_path), "npz": save(tmp_path / "a.npz")}[kind]
    with pytest.raises(FillbenchError, match=r"--drop-validation.*no validation part"):
        load(f"{kind}:{path}", HERE, drop_validation=True)


def test_two_folders_of_the_same_part_are_refused(tmp_path):
    parts(tmp_path, train=4, Training=4, test=4)
    with pytest.raises(FillbenchError, match=r"'Training' and 'train'.*one of them"):
        load(f"folder:{tmp_path}", HERE)


def test_a_class_may_be_called_train(tmp_path):
    folder(tmp_path, classes=("bus", "train"))
    assert load(f"folder:{tmp_path}", HERE).train.class_names == ("bus", "train")


def test_what_lies_beside_the_parts_is_told(tmp_path):
    folder(parts(tmp_path, train=4, test=4), classes=("unlabelled",))
    assert any("'unlabelled'" in line for line in load(f"folder:{tmp_path}", HERE).reading["warnings"])


def test_a_class_that_is_not_in_both_parts_is_told_with_the_part_that_lacks_it(tmp_path):
    parts(tmp_path, train=4, test=4)
    picture(tmp_path / "test" / "cow" / "1.png")
    with pytest.raises(FillbenchError, match=r"class 'cow' .*train"):
        load(f"folder:{tmp_path}", HERE)


def test_a_folder_within_a_class_folder_is_told_as_such(tmp_path):
    folder(tmp_path)
    folder(tmp_path / "ant", classes=("masks",))
    with pytest.raises(FillbenchError, match="masks' is a folder within the class folder"):
        load(f"folder:{tmp_path}", HERE)


def test_masks_beside_their_images_are_told(tmp_path):
    folder(tmp_path)
    for name in ("0_mask.png", "0_mask_1.png", "1-segmentation.png"):
        picture(tmp_path / "ant" / name, value=hash(name) % 1000)
    (line,) = [line for line in load(f"folder:{tmp_path}", HERE).reading["warnings"] if "mask" in line]
    assert line.startswith("3 files")
    worn = folder(tmp_path / "worn", classes=("with_mask", "without_mask"))
    for k in range(3):
        picture(worn / "with_mask" / f"{k}_with_mask.png", value=500 + k)
    assert not any("mask" in line for line in load(f"folder:{worn}", HERE).reading["warnings"])


def test_class_names_of_train_and_test_match_in_any_unicode_form(tmp_path):
    name = "na\N{LATIN SMALL LETTER I WITH DIAERESIS}f"
    folder(tmp_path / "train", classes=(unicodedata.normalize("NFC", name), "x"))
    folder(tmp_path / "test", classes=(unicodedata.normalize("NFD", name), "x"), start=500)
    assert load(f"folder:{tmp_path}", HERE).train.class_names == (name, "x")


NAMES = st.text(min_size=1, max_size=20).map(lambda name: unicodedata.normalize("NFC", name))


@settings(max_examples=60)
@given(NAMES)
def test_every_class_name_is_told_by_the_folder_that_export_gives_it(tmp_path_factory, name):
    root = tmp_path_factory.mktemp("names")
    picture(root / folder_of(name) / "0.png")
    assert list(list_classes(root)) == [name]


@settings(max_examples=20)
@given(st.sets(NAMES, min_size=2, max_size=4) | st.just({"train", "Test", "val", "(1) benign", "..", "a/b", "50%25 x"}))
def test_a_folder_of_any_class_names_can_be_given_back_as_a_data_set(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("names")
    for label, name in enumerate(sorted(names)):
        folder(root, classes=(folder_of(name),), count=4, start=10 * label)
    assert set(load(f"folder:{root}", HERE).train.class_names) == names


def test_a_folder_that_only_looks_encoded_keeps_its_name(tmp_path):
    assert list(list_classes(folder(tmp_path, classes=("50%20 off", "100%"), count=1))) == ["100%", "50%20 off"]


def test_class_names_of_an_npz_are_checked(tmp_path):
    for names, message in (
        (["", "b"], "without a name"),
        (["\N{ANGSTROM SIGN}", "\N{LATIN CAPITAL LETTER A WITH RING ABOVE}"], "twice"),
    ):
        with pytest.raises(FillbenchError, match=message):
            load(f"npz:{save(tmp_path / 'a.npz', class_names=np.array(names))}", HERE)


def test_a_label_that_is_no_number_is_told(tmp_path):
    labels = np.repeat([0.0, 1.0], [8, 4])
    labels[3] = np.nan
    with pytest.raises(FillbenchError, match="NaN at index 3"):
        load(f"npz:{save(tmp_path / 'a.npz', train_labels=labels)}", HERE)


def patients(root: Path, images: dict[str, dict[str, int]]) -> Path:
    """Pictures p<patient>_<k>.png: how many of each class each patient has."""
    value = 0
    for name, of in images.items():
        for patient, count in of.items():
            for k in range(count):
                picture(root / name / f"{patient}_{k}.png", value=(value := value + 1))
    return root


def identities(split, root: Path) -> tuple[set[str], set[str]]:
    """Which patients are in train and in test, told by their pixels."""
    whole = {}
    for file in root.rglob("*.png"):
        from PIL import Image

        whole[np.asarray(Image.open(file)).tobytes()] = file.name.split("_")[0]
    return tuple({whole[image.tobytes()] for image in part.images} for part in (split.train, split.test))


def test_no_patient_is_in_train_and_in_test(tmp_path):
    sick = {f"p{k}": 2 + k % 3 for k in range(8)}
    well = {f"p{k}": 3 for k in range(4, 20)}
    root = patients(tmp_path, {"sick": sick, "well": well})
    split = load(f"folder:{root}", HERE, group=r"/(p\d+)_")
    train, test = identities(split, root)
    assert not train & test
    assert split.reading["groups"] == {"pattern": r"/(p\d+)_", "groups": 20, "in_test": len(test)}
    share = split.test.counts() / (split.test.counts() + split.train.counts())
    assert (np.abs(share - 0.25) < 0.1).all()
    assert json.loads(json.dumps(split.reading)) == split.reading
    again = load(f"folder:{root}", HERE, group=r"/(p\d+)_")
    assert (again.test.x == split.test.x).all()


@pytest.mark.parametrize(
    ("group", "message"),
    [
        ("([", "is no regular expression"),
        (r"p\d+", "has no group.*parentheses"),
        (r"(case\d+)", "matches none of the 12 files, such as 'sick/p"),
        (r"(p[1-4])_", r"does not match 'well/p\d_\d.png'"),
        (r"(sick|well)", "on both sides"),
        (r"()p\d", "one group"),
    ],
)
def test_a_group_that_will_not_do_says_why(tmp_path, group, message):
    root = patients(tmp_path, {"sick": {"p1": 4, "p2": 1, "p3": 1}, "well": {"p4": 4, "p5": 1, "p6": 1}})
    with pytest.raises(FillbenchError, match=message):
        load(f"folder:{root}", HERE, group=group)


def test_patients_that_given_parts_share_are_told(tmp_path):
    parts(tmp_path, train=5, test=5)
    split = load(f"folder:{tmp_path}", HERE, group=r"/(\d)\.png")
    assert any("5 of the 5 groups" in line and "train" in line for line in split.reading["warnings"])


@pytest.mark.parametrize(
    ("kind", "options", "flag"),
    [
        ("npz", {"ground": "black"}, "--ground"),
        ("npz", {"bits": 12}, "--bits"),
        ("npz", {"group": "(a)"}, "--group"),
        ("npz", {"max_megapixels": 300}, "--max-megapixels"),
        ("digits", {"bits": 12}, "--bits"),
        ("digits", {"flip": True}, "--flip"),
        ("digits", {"size": 8}, "--size"),
        ("digits", {"drop_validation": True}, "--drop-validation"),
    ],
)
def test_a_flag_that_means_nothing_for_a_data_set_is_refused(tmp_path, kind, options, flag):
    spec = f"npz:{save(tmp_path / 'a.npz')}" if kind == "npz" else kind
    with pytest.raises(FillbenchError, match=f"{flag} is for .*folder:DIR.* not for"):
        load(spec, HERE, **options)
