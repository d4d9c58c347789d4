"""Every trap is caught, and honest images are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from fillbench.benchmark.audit import audit, flags, thumbnails
from fillbench.benchmark.judge import make_judge, read_judge
from fillbench.classifiers.training import Config
from fillbench.datasets import ImageSet, load
from fillbench.datasets.imbalance import step_targets, thin
from fillbench.tests import traps

CPU = torch.device("cpu")
EIGHT, COUNT = 8, 84
TRAPS = {name: cls for name, cls in traps.register.__self__._classes.items() if name.startswith("trap-")}


class Bench:
    """Digits with eight cut to five images, and a judge of them."""

    def __init__(self, folder: Path, test: ImageSet) -> None:
        split = load("digits", Path(), None, False, False)
        self.parts = {"train": split.train, "test": test}
        self.kept = thin(split.train.labels, step_targets(split.train.counts(), [EIGHT], 5), 0)
        make_judge(Config(model="resnet10t", steps=60, batch_size=64), self.parts, [EIGHT], CPU, folder)
        self.judge = read_judge(folder, 10, (8, 8, 1), CPU)

    def audit(self, images):
        train = self.parts["train"]
        labels = np.full(len(images), EIGHT)
        made = ImageSet(np.ascontiguousarray(images), labels, train.class_names, train.traits)
        found = audit(made, self.parts, self.kept, self.judge, CPU)
        assert found["flags"] == sorted(found["classes"]["8"]["flags"])
        return found["classes"]["8"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("judge"), load("digits", Path(), None, False, False).test)


@pytest.mark.parametrize("name", TRAPS)
def test_every_trap_is_caught(bench, name):
    trap = TRAPS[name](seed=0)
    trap.fit(bench.parts["train"].take(bench.kept), {EIGHT: COUNT})
    found = bench.audit(trap.sample(EIGHT, COUNT))
    assert trap.flag in found["flags"], {key: value for key, value in found.items() if key != "nearest"}


def test_other_real_images_raise_no_flag(tmp_path):
    test = load("digits", Path(), None, False, False).test
    half = np.arange(0, len(test), 2)
    bench = Bench(tmp_path, test.take(half))
    honest = test.without(half)
    found = bench.audit(honest.images[honest.labels == EIGHT])
    assert found["flags"] == []
    for rate in ("copy_rate", "test_leak_rate", "removed_leak_rate"):
        assert max(found[rate].values()) < 0.2
    assert found["duplicate_rate"] == 0
    assert found["label_fidelity"] > 0.7
    assert 0.7 < found["diversity"] < 1.3
    assert found["kid_low"] < 0.02 < found["kid_high"] + 0.05


def test_no_figure_under_the_sample_size_that_it_needs(bench):
    found = bench.audit(bench.parts["test"].images[bench.parts["test"].labels == EIGHT][:30])
    for name in ("kid", "kid_low", "kid_high", "fid", "fid_floor", "precision", "recall", "density", "coverage"):
        assert found[name] is None


def test_an_image_near_a_kept_one_is_a_copy_and_no_leak(bench):
    """A kept image may look like a test image; who returns it has copied, not leaked."""
    train = bench.parts["train"]
    kept = train.images[bench.kept[train.labels[bench.kept] == EIGHT]]
    found = bench.audit(np.repeat(kept, 17, axis=0))
    assert found["flags"] == ["copies"]
    assert found["copy_rate"] == {"pixels": 1.0, "features": 1.0}


def test_thumbnails_show_for_each_image_the_kept_one_that_is_nearest(bench):
    train = bench.parts["train"]
    kept = train.take(bench.kept)
    rare = kept.images[kept.labels == EIGHT]
    made = ImageSet(rare[[3, 0, 4]], np.full(3, EIGHT), train.class_names)
    found = bench.audit(made.images)
    grids = thumbnails(kept, made, {"8": found})
    np.testing.assert_array_equal(grids["nearest_8"], made.images)
    np.testing.assert_array_equal(grids["synthetic_8"], made.images)


def test_a_class_without_test_images_or_removed_ones_is_audited_as_far_as_it_goes(tmp_path, bench):
    parts = {"train": bench.parts["train"], "test": bench.parts["test"]}
    made = ImageSet(parts["train"].images[:COUNT], np.full(COUNT, EIGHT), parts["train"].class_names)
    found = audit(made, parts, np.arange(len(parts["train"])), bench.judge, CPU)["classes"]["8"]
    assert found["removed_leak_rate"] == {"pixels": None, "features": None}
    assert flags(found)
