"""Kept models: the run's generators and classifiers, opened again, do what they did."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import fillbench
from fillbench import FillbenchError
from fillbench.benchmark.export import export, export_models
from fillbench.benchmark.shelf import Shelf, keep
from fillbench.classifiers.images import ImageTrainer
from fillbench.datasets import DataSet

CPU = torch.device("cpu")
ARMS = ("oversample", "smote", "dcgan", "gan", "smote-gan", "ddpm")


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory) -> Path:
    """A run with kept models, whose cache is gone."""
    folder = tmp_path_factory.mktemp("shelf")
    fillbench.run(
        generators=",".join(ARMS),
        minority="8",
        seeds=1,
        steps=2,
        classifier="resnet10t",
        device="cpu",
        set={**{f"{name}.steps": 3 for name in ("dcgan", "gan", "smote-gan", "ddpm")}, "ddpm.sampling_steps": 2},
        keep_models=True,
        cache=str(folder / "cache"),
        out=str(folder / "run"),
    )
    for arm in ARMS:
        export(folder / "run", arm, 0, "npy", folder / "exported" / arm)
    shutil.rmtree(folder / "cache")
    return folder / "run"


def predicted(run_dir, arm):
    with np.load(run_dir / "predictions" / f"{arm}-seed0.npz", allow_pickle=False) as stored:
        return stored["probabilities"][0]


def test_a_reopened_generator_gives_the_same_images_as_the_runs(run_dir):
    shelf = Shelf(run_dir)
    for arm in ARMS:
        images, labels, added = (
            np.load(run_dir.parent / "exported" / arm / f"{name}.npy") for name in ("images", "labels", "is_added")
        )
        again = shelf.generator(arm, seed=0, device="cpu").sample(8, int(added.sum()))
        np.testing.assert_array_equal(again, images[added], err_msg=arm)
        assert set(labels[added]) == {8}


def test_a_reopened_classifier_gives_the_probabilities_of_the_run(run_dir):
    shelf = Shelf(run_dir)
    test = DataSet.open(run_dir / "models" / "dataset" / shelf.run["dataset"]["fingerprint"] / "test")
    for arm in ("none", "none+balanced-softmax", "dcgan"):
        found = shelf.classifier(arm, device="cpu").probabilities(test.x)
        np.testing.assert_array_equal(found, predicted(run_dir, arm), err_msg=arm)


def test_a_classifier_that_shares_a_training_is_reopened_and_handed_out_with_its_shift(run_dir, tmp_path):
    shelf, arm = Shelf(run_dir), "none+logit-adjustment"
    test = DataSet.open(run_dir / "models" / "dataset" / shelf.run["dataset"]["fingerprint"] / "test")
    assert shelf.classifier_entry(arm, 0) == shelf.classifier_entry("none", 0)
    export_models(run_dir, arm, 0, tmp_path / "given")
    for model in (shelf.classifier(arm, device="cpu"), ImageTrainer().open(tmp_path / "given" / "classifier", CPU)):
        np.testing.assert_allclose(model.probabilities(test.x), predicted(run_dir, arm), rtol=1e-4)
    assert (predicted(run_dir, arm) != predicted(run_dir, "none")).any()


def test_models_are_handed_out_with_what_they_need(run_dir, tmp_path):
    told = export_models(run_dir, "dcgan", 0, tmp_path / "dcgan")
    assert "real" not in told
    assert {path.name for path in (tmp_path / "dcgan").iterdir()} == {"about.json", "classifier", "generator"}
    assert json.loads((tmp_path / "dcgan" / "about.json").read_text())["arm"]["name"] == "dcgan"
    told = export_models(run_dir, "oversample", 0, tmp_path / "oversample")
    assert "samples from the real images" in told
    assert (DataSet.open(tmp_path / "oversample" / "kept").labels == 8).sum() == 5
    export_models(run_dir, "none", 0, tmp_path / "none")
    assert {path.name for path in (tmp_path / "none").iterdir()} == {"about.json", "classifier"}
    suffixes = {path.suffix for path in tmp_path.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".npy", ".safetensors"}, "nothing runs code when it is loaded"


def test_a_kill_while_a_model_is_put_away_leaves_it_whole_or_not_there(tmp_path, monkeypatch):
    entry, link, put = tmp_path / "store" / "key", os.link, []
    entry.mkdir(parents=True)
    for name in ("a", "b"):
        (entry / name).write_text(name)

    def killed(source, target):
        if put:
            raise KeyboardInterrupt
        put.append(target)
        link(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", killed)
        with pytest.raises(KeyboardInterrupt):
            keep(tmp_path / "run", "fits", entry)
    kept = tmp_path / "run" / "models" / "fits" / "key"
    assert not kept.exists()
    for _ in range(2):
        keep(tmp_path / "run", "fits", entry)
    assert {path.name for path in kept.iterdir()} == {"a", "b"}


def test_what_was_not_kept_is_told(run_dir, tmp_path):
    shelf = Shelf(run_dir)
    with pytest.raises(FillbenchError, match="none has no generator"):
        shelf.generator("none")
    with pytest.raises(FillbenchError, match="did you mean 'dcgan'"):
        shelf.classifier("dcgna")
    with pytest.raises(FillbenchError, match="no seed 5"):
        shelf.classifier("dcgan", seed=5)
    copy = shutil.copytree(run_dir, tmp_path / "copy")
    shutil.rmtree(copy / "models")
    with pytest.raises(FillbenchError, match=r"was not kept.*--keep-models"):
        Shelf(copy).classifier("dcgan")
