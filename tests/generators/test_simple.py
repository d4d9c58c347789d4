from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from fillbench import CannotFill, FillbenchError, create
from fillbench.datasets import DataSet, ImageTraits
from fillbench.datasets.images import toy

TRAIN = toy((8, 8, 1))
PHOTO = ImageTraits(flip=True)


def one_class(pixels: np.ndarray, traits: ImageTraits = PHOTO) -> DataSet:
    return DataSet(pixels, np.zeros(len(pixels), np.int64), ("a",), traits)


def test_oversampling_repeats_only_kept_images_each_about_as_often():
    made = create("oversample", random_state=0).fit(TRAIN, {1: 20}).sample(1, 20)
    kept = TRAIN.images[TRAIN.labels == 1]
    times = [int((made == image).all(axis=(1, 2, 3)).sum()) for image in kept]
    assert sum(times) == 20
    assert max(times) - min(times) <= 1


@pytest.mark.parametrize("name", ["smote", "borderline-smote", "adasyn"])
def test_interpolation_gives_the_exact_count_between_the_kept_images(name):
    made = create(name, random_state=0).fit(TRAIN, {1: 41, 2: 3}).sample(1, 41)
    kept = TRAIN.images[TRAIN.labels == 1]
    assert made.shape == (41, 8, 8, 1)
    assert (made >= kept.min(axis=0)).all()
    assert (made <= kept.max(axis=0)).all()


def test_neighbours_adapt_to_a_class_of_two_images():
    train = toy((8, 8, 1), (24, 2, 6))
    assert len(create("smote", random_state=0).fit(train, {1: 9}).sample(1, 9)) == 9


def test_a_class_of_one_image_is_a_reason_and_no_crash():
    with pytest.raises(CannotFill, match="'class 1' has 1 image; smote goes between at least 2"):
        create("smote").fit(toy((8, 8, 1), (24, 1, 6)), {1: 9})


def test_borderline_smote_widens_its_neighbourhood_when_all_of_a_tiny_class_counts_as_noise():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (203, 4, 4, 1), dtype=np.uint8)  # class 1: three strangers among 200
    train = DataSet(images, np.repeat([0, 1], [200, 3]), ("many", "few"), ImageTraits())
    assert len(create("borderline-smote", random_state=0).fit(train, {1: 5}).sample(1, 5)) == 5


def test_adasyn_on_a_class_far_from_all_others_weighs_its_examples_alike():
    images = np.zeros((30, 4, 4, 1), np.uint8)
    images[20:] = 200 + np.arange(10, dtype=np.uint8)[:, None, None, None]
    train = DataSet(images, np.repeat([0, 1], [20, 10]), ("a", "b"), ImageTraits())
    made = create("adasyn").fit(train, [1]).sample(1, 5)
    kept = train.of_class(1)
    assert made.shape == (5, *kept.shape[1:])
    assert ((made >= kept.min(axis=0)) & (made <= kept.max(axis=0))).all(), "between the kept ones"


def test_classical_flips_only_where_the_data_set_says_it_is_safe():
    half = np.zeros((4, 8, 8, 1), np.uint8)
    half[:, :, :4] = 200
    half[:, 0, 0, 0] = (1, 2, 3, 4)  # tells the four apart
    still = ImageTraits(flip=False, shift=0.0, rotate=0.0)
    for traits, expected in ((still, False), (ImageTraits(flip=True, shift=0.0, rotate=0.0), True)):
        made = create("classical", random_state=0).fit(one_class(half, traits), {0: 64}).sample(0, 64).astype(int)
        right_is_brighter = made[:, :, 4:].mean(axis=(1, 2, 3)) > made[:, :, :4].mean(axis=(1, 2, 3))
        assert right_is_brighter.any() == expected


def test_strong_turns_and_inverts_where_mild_does_not():
    images = toy((16, 16, 3)).images[:12]
    mild, strong = (
        create("classical", policy=policy, random_state=0).fit(one_class(images), {0: 50}).sample(0, 50)
        for policy in ("mild", "strong")
    )
    named = create("classical-strong", random_state=0).fit(one_class(images), {0: 50}).sample(0, 50)
    assert (named == strong).all()
    assert np.abs(strong.astype(float).mean() - images.mean()) > np.abs(mild.astype(float).mean() - images.mean())


@pytest.fixture
def pool(tmp_path):
    return np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8), tmp_path


def test_images_made_elsewhere_are_read_from_folders_npy_and_npz_alike(pool):
    images, path = pool
    for k, image in enumerate(images):
        (path / "png" / "class 1").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path / "png" / "class 1" / f"{k:02}.png")
    (path / "npy").mkdir()
    np.save(path / "npy" / "class 1.npy", images)
    names = np.array(["class 0", "class 1"])
    np.savez(path / "made.npz", images=images, labels=np.ones(20, np.int64), class_names=names)
    made = [
        create("from-files", path=str(path / where), random_state=0).fit(TRAIN, {1: 9}).sample(1, 9)
        for where in ("png", "npy", "made.npz")
    ]
    assert (made[0] == made[1]).all()
    assert (made[0] == made[2]).all()
    assert len(np.unique(made[0], axis=0)) == 9, "no image is used twice"


def test_images_made_elsewhere_take_the_size_and_colours_of_the_data(pool):
    images, path = pool
    np.save(path / "class 1.npy", images)
    train = toy((16, 12, 3))
    made = create("from-files", path=str(path), random_state=0).fit(train, {1: 9}).sample(1, 9)
    assert made.shape == (9, 16, 12, 3)


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            lambda path, images: np.save(path / "class 1.npy", images[:3]),
            "3 images of class 'class 1'.*9 are needed",
        ),
        (lambda path, images: np.save(path / "clas 1.npy", images), "'clas 1', which is no class"),
        (lambda path, images: np.save(path / "class 1.npy", images.astype(np.float32)), "float32"),
        (lambda path, images: (path / "class 1.npy").write_bytes(b"junk"), "class 1.npy"),
    ],
)
def test_images_made_elsewhere_that_will_not_do_say_why(pool, prepare, message):
    images, path = pool
    prepare(path, images)
    with pytest.raises(FillbenchError, match=message):
        create("from-files", path=str(path)).fit(TRAIN, [1]).sample(1, 9)


def test_labels_of_an_npz_without_names_are_labels_of_the_data_set(pool):
    images, path = pool
    names = ("0", "1", "10", "11", "2")  # as folders are sorted
    train = toy((8, 8, 1), counts=(12, 12, 12, 12, 5))
    train = DataSet(train.x, train.labels, names, train.traits)
    np.savez(path / "made.npz", images=images, labels=np.repeat([2, 4], 10))
    np.savez(path / "named.npz", images=images, labels=np.repeat([2, 4], 10), class_names=np.array([*"01234"]))
    made = create("from-files", path=str(path / "made.npz"), random_state=0).fit(train, {4: 10}).sample(4, 10)
    assert {image.tobytes() for image in made} == {image.tobytes() for image in images[10:]}
    with pytest.raises(FillbenchError, match="images of '4', which is no class"):
        create("from-files", path=str(path / "named.npz")).fit(train, {4: 10})
    np.savez(path / "made.npz", images=images, labels=np.full(20, 5))
    with pytest.raises(FillbenchError, match=r"label 5.*0 to 4"):
        create("from-files", path=str(path / "made.npz")).fit(train, {4: 10})


def test_a_folder_of_exported_arrays_gives_its_added_images_back(pool):
    images, path = pool
    names = ("9", "class 1", "x")
    train = DataSet(TRAIN.images, TRAIN.labels, ("class 1", "x", "9"), TRAIN.traits)
    np.save(path / "images.npy", images)
    np.save(path / "labels.npy", np.ones(20, np.int64))
    for named in (False, True):
        if named:
            (path / "class_names.json").write_text(json.dumps(names))
        label = 0 if named else 1
        made = create("from-files", path=str(path), random_state=0).fit(train, {label: 20}).sample(label, 20)
        assert len(np.unique(made, axis=0)) == 20
    np.save(path / "is_added.npy", np.arange(20) >= 12)
    made = create("from-files", path=str(path), random_state=0).fit(train, {0: 8}).sample(0, 8)
    assert {image.tobytes() for image in made} == {image.tobytes() for image in images[12:]}
    for name, content in (("is_added.npy", np.ones(3, bool)), ("labels.npy", np.ones(3, int))):
        before = (path / name).read_bytes()
        np.save(path / name, content)
        with pytest.raises(FillbenchError, match=rf"{name}.*\(3,\)"):
            create("from-files", path=str(path)).fit(train, {0: 8})
        (path / name).write_bytes(before)
    (path / "class_names.json").write_text("{")
    with pytest.raises(FillbenchError, match=r"class_names\.json"):
        create("from-files", path=str(path)).fit(train, {0: 8})


def test_images_made_elsewhere_match_class_names_in_any_unicode_form(pool):
    images, path = pool
    np.save(path / "cafe\N{COMBINING ACUTE ACCENT}.npy", images)
    names = ("x", "caf\N{LATIN SMALL LETTER E WITH ACUTE}", "y")
    train = DataSet(TRAIN.images, TRAIN.labels, names, TRAIN.traits)
    assert len(create("from-files", path=str(path)).fit(train, {1: 9}).sample(1, 9)) == 9


def test_arrays_and_folders_side_by_side_are_refused(pool):
    images, path = pool
    np.save(path / "class 1.npy", images)
    (path / "class 2").mkdir()
    with pytest.raises(FillbenchError, match=r"\.npy files and folders"):
        create("from-files", path=str(path)).fit(TRAIN, {1: 9})


def test_from_files_needs_its_path_and_one_that_exists():
    with pytest.raises(FillbenchError, match="needs its setting 'path'"):
        create("from-files")
    with pytest.raises(FillbenchError, match="does not exist"):
        create("from-files", path="/nowhere").fit(TRAIN, {1: 9})


def test_the_key_of_files_changes_with_their_bytes(pool):
    images, path = pool
    np.save(path / "class 1.npy", images)
    before = create("from-files", path=str(path)).inputs()
    np.save(path / "class 1.npy", 255 - images)
    assert create("from-files", path=str(path)).inputs() != before


def test_classical_keeps_the_ends_of_wide_images():
    strips = np.zeros((6, 16, 256, 1), np.uint8)
    strips[:, 6:10] = 200
    train = DataSet(strips, np.repeat([0, 1], 3), ("a", "b"), ImageTraits(shift=0.0))
    made = create("classical", random_state=0, device="cpu").fit(train, [1]).sample(1, 40)
    ends = made[:, :, [20, 235], 0].max(axis=1)
    assert (ends > 60).mean() > 0.9
