"""Real images from a pool: which are taken, from where, and what is no pool."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from fillbench.datasets import load
from fillbench.datasets.images import toy
from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import create

TRAIN = toy((12, 12, 1), (8, 8, 4))
POOL = toy((12, 12, 1), (40, 40, 40), flip=False)


def retrieve(pool, **settings):
    return create("retrieve", random_state=0, device="cpu", pool=str(pool), **settings)


@pytest.fixture
def npz(tmp_path):
    path = tmp_path / "pool.npz"
    np.savez(path, train_images=POOL.x, train_labels=POOL.labels)
    return path


def label_in(pool, images):
    """The labels that the images have in the pool."""
    labels = {image.tobytes(): label for image, label in zip(pool.x, pool.labels, strict=True)}
    return [labels[image.tobytes()] for image in images]


def test_the_images_nearest_to_those_of_the_class_are_taken_whatever_the_pool_calls_them(tmp_path):
    digits = load("digits", tmp_path)
    np.save(tmp_path / "pool.npy", digits.test.x)
    kept = digits.train.take(np.flatnonzero(digits.train.labels == 8)[:5])
    made = retrieve(tmp_path / "pool.npy").fit(kept, [8]).sample(8, 20)
    assert (np.array(label_in(digits.test, made)) == 8).mean() > 0.7, "of ten classes"
    assert len(np.unique(made.reshape(20, -1), axis=0)) == 20


def test_fewer_are_the_nearest_of_more(npz):
    retriever = retrieve(npz).fit(TRAIN, [2])
    few, more = ({image.tobytes() for image in retriever.sample(2, count)} for count in (5, 20))
    assert len(few) == 5
    assert few < more


def test_kept_images_that_lie_in_the_pool_are_not_given_back(tmp_path):
    path = tmp_path / "pool.npy"
    np.save(path, np.concatenate([TRAIN.x, TRAIN.x, POOL.x[-30:]]))
    retriever = retrieve(path).fit(TRAIN, [2])
    made = {image.tobytes() for image in retriever.sample(2, 25)}
    assert not made & {image.tobytes() for image in TRAIN.x}
    assert retriever.facts["pool_images_that_are_kept_ones"] == len(np.unique(TRAIN.x, axis=0))


def test_a_folder_of_any_depth_and_sizes_is_a_pool(tmp_path):
    for index, image in enumerate(POOL.x[:30]):
        folder = tmp_path / "pool" / "any" / f"of {index % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        side = 12 + index % 2 * 4
        Image.fromarray(image[..., 0]).resize((side, side)).convert("RGB").save(folder / f"{index}.png")
    (tmp_path / "pool" / "notes.txt").write_text("no image")
    assert retrieve(tmp_path / "pool").fit(TRAIN, [2]).sample(2, 10).shape == (10, 12, 12, 1)


def test_a_data_set_by_name_is_a_pool():
    digits = retrieve("digits").fit(TRAIN, [2])
    assert digits.sample(2, 3).shape == (3, 12, 12, 1)


def test_what_is_stored_is_the_order_alone(npz):
    retriever = retrieve(npz).fit(TRAIN, [2])
    state = retriever.state()
    assert sum(order.nbytes for order in state["order"].values()) < POOL.x.nbytes / 4
    again = retrieve(npz).restore(TRAIN, state)
    np.testing.assert_array_equal(again.sample(2, 7), retriever.sample(2, 7))


def test_a_pool_that_is_too_small_says_how_many_there_are(npz):
    with pytest.raises(CannotFill, match="has 120 images besides the kept ones, 500 are needed"):
        retrieve(npz).fit(TRAIN, [2]).sample(2, 500)


def test_what_is_no_pool_is_told(tmp_path):
    with pytest.raises(CannotFill, match="is no folder, no file and no data set; did you mean 'digits'"):
        retrieve("digit").fit(TRAIN, [2])
    with pytest.raises(CannotFill, match="holds rows, no images"):
        retrieve("breast-cancer").fit(TRAIN, [2])
    with pytest.raises(CannotFill, match="there are no images in"):
        retrieve(tmp_path).fit(TRAIN, [2])
    np.savez(tmp_path / "labels.npz", train_labels=POOL.labels)
    with pytest.raises(CannotFill, match="holds no images"):
        retrieve(tmp_path / "labels.npz").fit(TRAIN, [2])
    with pytest.raises(FillbenchError, match="pool"):
        create("retrieve")
