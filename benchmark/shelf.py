"""Kept models: the fitted generators and trained classifiers of a run, in its folder, to be opened again.

    shelf = fillbench.open("runs/mine")  # of a run with --keep-models
    images = shelf.generator("dcgan", seed=0).sample(label=8, count=20)
    labels = shelf.classifier("dcgan", seed=0).predict(images)

They lie in `models/`, under the keys of their fits and trainings: safetensors and JSON, nothing that runs when loaded.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from contextlib import suppress
from pathlib import Path

import numpy as np

from .. import generators
from ..classifiers.base import Model, trainer_of
from ..compute import pick_device
from ..datasets import DataSet, Split
from ..errors import FillbenchError
from ..generators import Generator
from ..records import ArmInfo, Description, Record, good_record, read_run
from ..registry import load_plugin
from ..reports.adjustment import shift_of, trained_on
from ..settings import build
from .stages import CLASSIFIERS, FITS, reopened

DATASET = "dataset"


def keep(run_dir: Path, what: str, entry: Path) -> None:
    """Puts an entry of the store on the shelf of a run: linked where the disk allows it, else copied."""
    target = run_dir / "models" / what / entry.name
    if target.is_dir():
        return
    new = target.with_name(f".{entry.name}.{uuid.uuid4().hex}")  # a kill leaves no half of a model under its name
    try:
        shutil.copytree(entry, new, copy_function=_link)
        with suppress(OSError):  # another worker was faster, with the same content
            new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


class Shelf:
    """The kept models of a run folder. Raises FillbenchError when it is no run folder."""

    def __init__(self, run_dir: Path | str) -> None:
        self.run_dir = Path(run_dir).expanduser()
        self.run: Description = read_run(self.run_dir)
        for path in self.run["config"]["plugin"]:
            load_plugin(Path(path).expanduser())

    def generator(self, arm: str, seed: int = 0, device: str = "auto") -> Generator:
        """The fitted generator of an arm, which samples what the run's did.

        Raises FillbenchError for an unknown arm or seed, one without a generator, or a model that was not kept.
        """
        source, entry = self.generator_entry(arm, seed)
        cls = generators.load(source)
        config = build(cls.Config, self._about(arm)["settings"], f"generator '{source}'")
        meta = json.loads((entry / "meta.json").read_text())
        return reopened(cls(config, seed=seed, device=pick_device(device)), self.kept(seed), entry, meta)

    def classifier(self, arm: str, seed: int = 0, device: str = "auto") -> Model:
        """The trained classifier of an arm (of its first classifier seed). Raises FillbenchError as `generator`."""
        trainer = trainer_of(self.run["kind"])()
        model = trainer.open(self.classifier_entry(arm, seed), pick_device(device))
        if trainer.strategies.get(self._about(arm)["strategy"]).shift:  # what is kept is the training that it shares
            return model.shifted(shift_of(trained_on(self._record(arm, seed))))
        return model

    def has_classifier(self, arm: str, seed: int) -> bool:
        """Whether the classifier of an arm was kept; its cell may have failed, or not be done."""
        with suppress(FillbenchError):
            return bool(self.classifier_entry(arm, seed))
        return False

    def has_generator(self, arm: str, seed: int) -> bool:
        """The same of its generator, which some arms do not have."""
        with suppress(FillbenchError):
            return bool(self.generator_entry(arm, seed))
        return False

    def kept(self, seed: int) -> DataSet:
        """The training examples that the generators of a seed were given."""
        train = Split.open(self._entry(DATASET, self.run["dataset"]["fingerprint"], "the data set")).train
        manifest = json.loads((self.run_dir / "manifests" / f"seed{seed}.json").read_text())
        return train.take(np.array(manifest["kept"], np.int64))

    def generator_entry(self, arm: str, seed: int) -> tuple[str, Path]:
        """The name of an arm's generator, and the folder of its fitted state."""
        key = self._record(arm, seed)["fit_key"]
        if key is None:
            raise FillbenchError(f"{arm} has no generator: nothing was made for it")
        return self._about(arm)["source"], self._entry(FITS, key, f"the generator of {arm} seed {seed}")

    def classifier_entry(self, arm: str, seed: int) -> Path:
        """The folder of an arm's trained classifier."""
        key = self._record(arm, seed)["classifiers"][0]["train_key"]
        return self._entry(CLASSIFIERS, key, f"the classifier of {arm} seed {seed}")

    def _about(self, arm: str) -> ArmInfo:
        return next(one for one in self.run["arms"] if one["name"] == arm)

    def _record(self, arm: str, seed: int) -> Record:
        return good_record(self.run_dir, self.run, arm, seed)

    def _entry(self, what: str, key: str, words: str) -> Path:
        path = self.run_dir / "models" / what / key
        if not path.is_dir():
            again = f"{self.run['command']} --keep-models --out {self.run_dir}"
            raise FillbenchError(f"{words} was not kept: not every generator can be; or repeat the run: {again}")
        return path
