"""A kind of data that the project has never heard of goes the whole way, from one plug-in file to a report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fillbench
from fillbench import FillbenchError
from fillbench.benchmark.check import check
from fillbench.benchmark.shelf import Shelf

VECTORS = '''
"""Vectors of eight floats: traits, a data set, a trainer, an auditor, two generators."""
import json
from dataclasses import asdict, dataclass

import numpy as np
import torch
from fillbench.benchmark import audits
from fillbench.classifiers import base as classifiers
from fillbench.classifiers.strategies import Strategy
from fillbench.datasets import DataSet, Traits, base as datasets
from fillbench.datasets.builtin import Source, add
from fillbench.generators import Generator, register
from fillbench.registry import Registry


@datasets.register("vectors")
@dataclass(frozen=True)
class VectorTraits(Traits):
    """(N, F) float32."""

    noun, plural = "vector", "vectors"

    def complaint(self, x, like):
        if not isinstance(x, np.ndarray) or x.dtype != np.float32:
            return f"{getattr(x, 'dtype', type(x).__name__)} values, not float32"
        return None if x.shape[1:] == like.shape[1:] else f"the shape {x.shape}"

    def nearest(self, values):
        return np.asarray(values, np.float32)

    @classmethod
    def toys(cls):
        return {"vectors": clouds((24, 8, 6)), "a class of two": clouds((24, 2, 6))}


def clouds(counts, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(counts)), counts)
    x = (rng.normal(size=(len(labels), 8)) + 2 * np.eye(8)[labels]).astype(np.float32)
    return DataSet(x, labels, tuple("abc"[: len(counts)]), VectorTraits())


def read(data_dir):
    parts = clouds((90, 80, 70)), clouds((40, 40, 40), 1)
    return *((part.x, part.labels) for part in parts), parts[0].class_names


add("clouds", Source("three clouds of points", VectorTraits(), read))


WAYS = Registry("strategy", Strategy)


@WAYS.register("ce")
class Plain(Strategy):
    """Every example counts the same."""


@WAYS.register("balanced")
class Balanced(Strategy):
    """Every class counts the same."""

    cheap = True


class Centroids(classifiers.Model):
    def __init__(self, centres, bias):
        self.centres, self.bias = centres, bias

    def features(self, x):
        return np.asarray(x, np.float32)

    def probabilities(self, x):
        logits = -((self.features(x)[:, None] - self.centres) ** 2).sum(2) / 2 + self.bias
        return torch.from_numpy(logits).float().softmax(1).numpy()

    def save(self, folder):
        np.savez(folder / "centroids.npz", centres=self.centres, bias=self.bias)


@classifiers.register("vectors")
class CentroidTrainer(classifiers.Trainer):
    """The nearest mean, with the classes' shares as a bias."""

    @dataclass(frozen=True)
    class Config:
        model: str = "centroids"

    default = "centroids"
    strategies = WAYS

    def settle(self, config, train, device):
        return config

    def judge(self, config):
        return config, "balanced"

    def train(self, config, data, test, seed, device, progress=None, strategy="ce", kept=None, weight=1.0):
        counts = np.maximum(data.counts(), 1)
        centres = np.stack([data.x[data.labels == k].mean(0) for k in range(len(counts))])
        bias = np.log(counts / counts.sum()) if strategy == "ce" else np.zeros(len(counts))
        model = Centroids(centres, bias)
        curve = [{"step": 1, "train_loss": 0.5, "test_loss": 0.5, "test_accuracy": 0.5}]
        return classifiers.Trained(model.probabilities(test.x), curve, model)

    def open(self, folder, device):
        with np.load(folder / "centroids.npz", allow_pickle=False) as stored:
            return Centroids(stored["centres"], stored["bias"])


@audits.register("vectors")
class VectorAuditor(audits.Auditor):
    """By Euclidean distance."""

    space, statistics, off_range = "values", ("mean", "std"), "Mean or spread far off"

    def prepare(self, x, device):
        return torch.from_numpy(np.array(x)).to(device)

    def distances(self, queries, targets):
        return torch.cdist(queries, targets)

    def describe(self, x):
        return {"mean": float(x.mean()), "std": float(x.std())}

    def off(self, made, real):
        return ["mean far off"] if abs(made["mean"] - real["mean"]) > real["std"] else []


@register("jitter")
class Jitter(Generator):
    """Kept vectors with noise."""

    kinds = ("vectors",)

    def _fit(self, train, labels):
        self.train = train

    def _sample(self, label, count):
        kept = self.train.of_class(label)
        noise = self.rng.normal(0, 0.5, (count, *self.train.shape))
        return self.train.traits.nearest(kept[self.rng.integers(0, len(kept), count)] + noise)


@register("normal")
class Normal(Generator):
    """A normal distribution of each class."""

    kinds = ("vectors",)

    def _fit(self, train, labels):
        self.means = {str(label): train.of_class(label).mean(0) for label in labels}

    def _sample(self, label, count):
        return self.rng.normal(self.means[str(label)], 1.0, (count, 8)).astype(np.float32)
'''


@pytest.fixture(scope="module")
def vectors(tmp_path_factory) -> Path:
    file = tmp_path_factory.mktemp("plugin") / "vectors_kind.py"
    file.write_text(VECTORS)
    return file


@pytest.fixture(scope="module")
def run(vectors, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    board = fillbench.run(
        dataset="clouds",
        plugin=[str(vectors)],
        generators="all",
        minority="c",
        keep=6,
        seeds=2,
        tstr=True,
        keep_models=True,
        cache=str(folder / "cache"),
        out=str(folder / "run"),
    )
    assert set(board["status"]) == {"ok"}, board[["arm", "status", "reason"]]
    return folder / "run"


def test_the_kind_has_its_generators_controls_and_those_for_any_kind(run):
    board = pd.read_csv(run / "leaderboard.csv")
    assert {"none", "full", "none+balanced", "oversample", "smote", "jitter", "normal"} <= set(board["arm"])
    assert not {"dcgan", "classical"} & set(board["arm"]), "those are for images"
    recalls = board.set_index("arm")["minority_recall_mean"]
    assert recalls["normal"] > recalls["none"], "the bias of the nearest mean is gone"


def test_its_examples_are_audited_in_its_own_space(run):
    record = json.loads((run / "cells" / "oversample-seed0.json").read_text())
    (entry,) = record["audit"]["classes"].values()
    assert set(entry["near_rate"]) == {"values", "features"}
    assert "copies" in entry["flags"]
    honest = json.loads((run / "cells" / "normal-seed0.json").read_text())
    assert honest["audit"]["flags"] == []


def test_the_report_speaks_of_its_examples_and_of_no_images(run):
    page = (run / "report.html").read_text()
    text = page[page.index("<body") : page.index("<script>")]
    for name in ("data:image", "max_megapixels"):  # an address, and the name of an option
        text = text.replace(name, "")
    assert "synthetic vectors" in text
    for word in (" image", "pixel"):
        assert word not in text.lower()
    assert "image" not in (run / "leaderboard.md").read_text()


def test_its_models_are_kept_and_opened_again(run):
    shelf = Shelf(run)
    record = json.loads((run / "cells" / "normal-seed0.json").read_text())
    with np.load(run / "predictions" / "normal-seed0.npz", allow_pickle=False) as stored:
        (probabilities,) = stored["probabilities"]
    assert record["status"] == "ok"
    made = shelf.generator("normal", seed=0).sample(2, 5)
    assert made.shape == (5, 8)
    classifier = shelf.classifier("normal", seed=0)
    assert (classifier.probabilities(made) >= 0).all()
    assert probabilities.shape == (120, 3)


def test_its_generators_pass_the_conformance_suite_on_its_own_toys(vectors):
    assert [result for result in check(str(vectors)) if not result.passed] == []


def test_a_generator_of_another_kind_is_refused_by_name(vectors, tmp_path):
    options = {"dataset": "clouds", "plugin": [str(vectors)], "minority": "c", "keep": 6, "cache": str(tmp_path)}
    with pytest.raises(FillbenchError, match="dcgan takes images, not vectors"):
        fillbench.run(generators="dcgan", **options)
    with pytest.raises(FillbenchError, match="dcgan takes images, not vectors"):
        fillbench.run(generators="all", set={"dcgan.steps": 5}, **options)
    with pytest.raises(FillbenchError, match="--steps has no meaning for vectors"):
        fillbench.run(generators="jitter", steps=5, **options)
    with pytest.raises(FillbenchError, match="--sensitivity has no meaning for vectors: centroids has no lr"):
        fillbench.run(generators="jitter", sensitivity=True, out=str(tmp_path / "run"), **options)
    assert not (tmp_path / "run").exists()
