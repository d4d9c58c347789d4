"""DeepSMOTE and minority CutMix: what they make of kept images."""

from __future__ import annotations

import numpy as np
import pytest

from fillbench import FillbenchError
from fillbench.datasets.images import toy
from fillbench.generators import checkpoint, create
from fillbench.tests.kills import KilledError, killed_at

TRAIN = toy((8, 8, 1), (24, 16, 6))


def deepsmote(**options):
    return create("deepsmote", steps=40, batch_size=8, random_state=0, device="cpu", **options)


def test_images_lie_between_those_of_the_class_as_the_autoencoder_sees_them():
    generator = create("deepsmote", steps=150, batch_size=16, random_state=0, device="cpu").fit(TRAIN, {2: 40})
    made = generator.sample(2, 40).astype(float)
    to_class = [np.abs(made.mean(0) - TRAIN.x[TRAIN.labels == label].mean(0)).mean() for label in range(3)]
    assert np.argmin(to_class) == 2
    losses = [line["reconstruction_loss"] for line in generator.history]
    assert losses[-1] < 0.5 * losses[0]


def test_an_interrupted_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = deepsmote().fit(TRAIN, {2: 4})
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken, resumed = (deepsmote() for _ in range(2))
    broken.workdir = resumed.workdir = tmp_path
    broken.progress = killed_at(20)
    with pytest.raises(KilledError):
        broken.fit(TRAIN, {2: 4})
    seen: list[int] = []
    resumed.progress = lambda done, total: seen.append(done)
    resumed.fit(TRAIN, {2: 4})
    assert seen == [40], "it did not start over"
    assert resumed.history == whole.history
    np.testing.assert_array_equal(resumed.sample(2, 4), whole.sample(2, 4))


def test_a_class_of_one_image_has_no_neighbours():
    alone = TRAIN.take(np.flatnonzero((TRAIN.labels != 2) | (np.arange(len(TRAIN)) == 40)))
    with pytest.raises(FillbenchError, match="deepsmote goes between at least 2"):
        deepsmote().fit(alone, {2: 4})


@pytest.mark.parametrize("least", [0.5, 0.85])
def test_most_of_a_pasted_image_is_of_its_class_and_the_rest_of_another_image(least):
    dark = TRAIN.x.copy()
    dark[TRAIN.labels == 2] //= 2
    dark[TRAIN.labels != 2] = 200
    train = type(TRAIN)(dark, TRAIN.labels, TRAIN.class_names, TRAIN.traits)
    made = create("cutmix-minority", random_state=0, least=least).fit(train, {2: 200}).sample(2, 200)
    pasted = (made != 200).mean(axis=(1, 2, 3))
    assert pasted.min() > least
    assert (pasted < 1).all()
    boxes = (made != 200)[..., 0]
    assert all((box == np.outer(box.any(1), box.any(0))).all() for box in boxes), "what is pasted is a box"


def test_a_box_that_could_only_be_all_of_an_image_is_refused():
    with pytest.raises(FillbenchError, match=r"of 8x8 pixels no box covers more than 0\.9 but all of them"):
        create("cutmix-minority", random_state=0, least=0.9).fit(TRAIN, {2: 4})
