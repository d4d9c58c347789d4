"""Every trap is caught, and honest images are left alone."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import timm
import torch

from fillbench.benchmark.audits import audit, auditor_of, samples
from fillbench.benchmark.audits.audit import spaced
from fillbench.benchmark.audits.judge import make_judge, read_judge
from fillbench.classifiers.images import Config, ImageTrainer
from fillbench.datasets import DataSet, Split, load
from fillbench.datasets.images import toy
from fillbench.tests.audited import CPU, Bench
from fillbench.tests.traps import TRAPS

EIGHT, COUNT = 8, 84


def digits(test: DataSet | None = None) -> Split:
    split = load("digits", Path())
    return replace(split, test=test or split.test)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("judge"), digits(), EIGHT)


@pytest.mark.parametrize("name", TRAPS)
def test_every_trap_is_caught(bench, name):
    trap = TRAPS[name](seed=0)
    trap.fit(bench.split.train.take(bench.kept), {EIGHT: COUNT})
    found = bench.audit(trap.sample(EIGHT, COUNT))
    assert trap.flag in found["flags"], {key: value for key, value in found.items() if key != "nearest"}


def test_other_real_images_raise_no_flag(tmp_path):
    test = digits().test
    half = np.arange(0, len(test), 2)
    bench = Bench(tmp_path, digits(test.take(half)), EIGHT)
    honest = test.without(half)
    found = bench.audit(honest.images[honest.labels == EIGHT])
    assert found["flags"] == []
    for rate in ("near_rate", "test_leak_rate", "removed_leak_rate"):
        assert max(found[rate].values()) < 0.2
    assert found["duplicate_rate"] == 0
    assert found["label_fidelity"] > 0.7
    assert 0.7 < found["diversity"] < 1.3
    assert found["kid_low"] < 0.02
    assert 0.2 < found["test_side"] < 0.8


def test_no_figure_under_the_sample_size_that_it_needs(bench):
    found = bench.audit(bench.split.test.x[bench.split.test.labels == EIGHT][:30])
    for name in ("kid", "kid_low", "kid_high", "fid", "fid_floor", "precision", "recall", "density", "coverage"):
        assert found[name] is None


@pytest.mark.parametrize("size", [1, 44, 60, 84, 87])
def test_the_floor_of_fid_is_at_the_same_sample_size(size):
    rows = spaced(87, size)
    assert len(rows) == len(set(rows)) == size
    assert rows.min() >= 0
    assert rows.max() < 87


def test_an_image_near_a_kept_one_is_a_copy_and_no_leak(bench):
    """A kept image may look like a test image; who returns it has copied, not leaked."""
    train = bench.split.train
    kept = train.x[bench.kept[train.labels[bench.kept] == EIGHT]]
    found = bench.audit(np.repeat(kept, 17, axis=0))
    assert found["flags"] == ["copies"]
    assert found["copy_rate"] == 1.0
    assert found["near_rate"] == {"pixels": 1.0, "features": 1.0}


def test_samples_show_for_each_image_the_kept_one_that_is_nearest(bench):
    train = bench.split.train
    kept = train.take(bench.kept)
    rare = kept.x[kept.labels == EIGHT]
    made = replace(train, x=rare[[3, 0, 4]], labels=np.full(3, EIGHT))
    found = bench.audit(made.x)
    grids = samples(kept, made, {"8": found})
    np.testing.assert_array_equal(grids["nearest_8"], made.x)
    np.testing.assert_array_equal(grids["synthetic_8"], made.x)


def test_where_nothing_was_removed_the_rest_is_audited_all_the_same(bench):
    train = bench.split.train
    whole = copy(bench)
    whole.kept = np.arange(len(train))
    found = whole.audit(train.of_class(EIGHT))
    assert found["removed_leak_rate"] == {"pixels": None, "features": None}
    assert found["test_side"] is None
    assert found["flags"] == ["copies"]


def test_a_single_image_is_not_flagged_by_chance(bench):
    fresh = (bench.split.test.x[bench.split.test.labels == EIGHT].astype(int)[:40:2] // 2).astype(np.uint8)
    noise = np.random.default_rng(0)
    for image in fresh:
        mixed = (image + noise.normal(90, 30, image.shape)).clip(0, 255).astype(np.uint8)
        assert not {"copies", "leaks", "wrong label", "collapsed"} & set(bench.audit(mixed[None])["flags"])


def test_a_class_with_few_test_images_is_audited_against_the_removed_ones(tmp_path):
    test = digits().test
    few = np.concatenate([np.flatnonzero(test.labels != EIGHT), np.flatnonzero(test.labels == EIGHT)[:10]])
    bench = Bench(tmp_path, digits(test.take(few)), EIGHT)
    train = bench.split.train
    kept = train.x[bench.kept[train.labels[bench.kept] == EIGHT]]
    found = bench.audit(np.repeat(kept[:, :, ::-1], 17, axis=0))
    assert "copies" in found["flags"]
    assert found["kid"] is None


def test_a_judge_of_a_classifier_with_pretrained_weights_is_trained_from_scratch(bench, tmp_path):
    config = Config(model="resnet10t", steps=2, batch_size=8, pretrained=True)
    make_judge(config, bench.split, [EIGHT], CPU, tmp_path)
    assert read_judge(tmp_path, "images", (8, 8, 1), CPU).recall


def test_a_model_in_channels_last_is_stored(tmp_path):
    """As on a GPU."""
    config = Config(model="resnet10t", steps=2, batch_size=8)
    trained = ImageTrainer().train(config, toy(), toy(), 0, CPU)
    trained.model.network.to(memory_format=torch.channels_last)
    trained.model.save(tmp_path)
    opened = ImageTrainer().open(tmp_path, CPU)
    np.testing.assert_allclose(opened.probabilities(toy().x), trained.probabilities, atol=1e-5)


def test_colour_images_are_seen_by_dinov2_where_its_weights_are(tmp_path, monkeypatch):
    create = timm.create_model
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda repo, file: "model.safetensors")

    def random_weights(*args, **options):
        torch.manual_seed(0)  # the same whenever it is asked for, as weights from a file are
        return create(*args, **options | {"pretrained": False})

    monkeypatch.setattr(timm, "create_model", random_weights)
    split = Split("toy", toy((8, 8, 3), (30, 25, 24)), toy((8, 8, 3), (22, 22, 22)))
    make_judge(Config(model="resnet10t", steps=2, batch_size=8), split, [2], CPU, tmp_path)
    judge = read_judge(tmp_path, "images", (8, 8, 3), CPU)
    made = split.train.take(np.flatnonzero(split.train.labels == 2))
    found = audit(made, split, np.arange(len(split.train)), auditor_of("images")(), judge)
    assert found["features"] == "DINOv2 (ViT-S/14)"
    seen = judge.look(made.x)[0]
    assert seen.shape == (24, 384)
    torch.testing.assert_close(seen, judge.features_of("train", np.arange(55, 79)))
