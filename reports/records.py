"""Reads a run directory: run.json, cells/*.json and the sample images they point to."""

from __future__ import annotations

import json
import math
import zipfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FillbenchError

Record = dict[str, Any]

METRICS = (
    "minority_recall",
    "minority_f1",
    "macro_f1",
    "balanced_accuracy",
    "g_mean",
    "accuracy",
    "weighted_f1",
    "auroc",
    "majority_recall",
    "minority_precision",
)
HEADLINE = "minority_recall"
COSTS = ("fit_seconds", "sample_seconds", "train_seconds", "peak_memory_mb")


def as_float(value: Any) -> float:
    """A number as a float; null, text and infinities become NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


@dataclass
class Run:
    """One run directory in memory. Only what run.json plans (arms x seeds) is kept of the records."""

    path: Path
    run: dict[str, Any]
    records: dict[tuple[str, int], Record] = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Run:
        """Read a run directory; a FillbenchError says what is wrong with it."""
        plan = _read_plan(path)
        arms = {arm["name"] for arm in plan["arms"]}
        records = {}
        for file in sorted((path / "cells").glob("*.json")):
            record = _read_json(file)
            missing = [key for key in ("arm", "seed", "status") if key not in record]
            if missing:
                raise FillbenchError(f"{file} is not a cell record: it lacks {', '.join(missing)}")
            if record["arm"] in arms and record["seed"] in plan["seeds"]:
                records[record["arm"], record["seed"]] = record
        return cls(path, plan, records)

    @property
    def seeds(self) -> list[int]:
        return self.run["seeds"]

    @property
    def arms(self) -> list[dict[str, Any]]:
        return self.run["arms"]

    @cached_property
    def arm_names(self) -> list[str]:
        return [arm["name"] for arm in self.arms]

    @property
    def dataset(self) -> dict[str, Any]:
        return self.run["dataset"]

    @property
    def class_names(self) -> list[str]:
        return [str(name) for name in self.dataset["class_names"]]

    @property
    def minority(self) -> list[int]:
        return self.dataset["minority"]

    def arm(self, name: str) -> dict[str, Any]:
        """What run.json says about an arm."""
        return self.arms[self.arm_names.index(name)]

    def settings(self, name: str) -> dict[str, Any]:
        """The settings of an arm; and what it chose or counted itself, as its first good seed tells."""
        facts = next((record.get("generator_facts") or {} for record in self.ok(name)), {})
        return {**(self.arm(name).get("settings") or {}), **facts}

    def of(self, arm: str) -> list[Record]:
        """The records of an arm, in the order of the seeds."""
        return [self.records[arm, seed] for seed in self.seeds if (arm, seed) in self.records]

    def ok(self, arm: str) -> list[Record]:
        """The records of the seeds of an arm that went well."""
        return [record for record in self.of(arm) if record["status"] == "ok"]

    def metric(self, arm: str, name: str) -> dict[int, float]:
        """A metric of an arm by seed, without the seeds that have no number."""
        values = {r["seed"]: as_float((r.get("metrics") or {}).get(name)) for r in self.ok(arm)}
        return {seed: value for seed, value in values.items() if not math.isnan(value)}

    @cached_property
    def _test_labels(self) -> np.ndarray:
        """The classes of all test images (N,); empty in a run that did not store them."""
        return np.array(str(self.dataset.get("test_labels") or "").split(), dtype=np.int64)

    @cached_property
    def minority_labels(self) -> np.ndarray:
        """The classes (I,) of the test images that are of a minority class."""
        return self._test_labels[np.isin(self._test_labels, self.minority)]

    def recognised(self, arm: str) -> dict[int, np.ndarray]:
        """By seed, how often each minority test image was recognised: (I,) in 0..1, over the classifier seeds."""
        rare = np.isin(self._test_labels, self.minority)
        found = {}
        for record in self.ok(arm):
            texts = [one["predictions"] for one in record.get("classifiers") or []]
            rows = [np.array(text.split(), dtype=np.int64) for text in texts]
            if rows and all(len(row) == len(rare) for row in rows):
                found[record["seed"]] = np.mean([row[rare] == self.minority_labels for row in rows], axis=0)
        return found

    def cost(self, arm: str, name: str) -> float:
        """The mean cost of an arm over its good seeds, NaN where nothing was measured."""
        values = [as_float((record.get("cost") or {}).get(name)) for record in self.ok(arm)]
        known = [value for value in values if not math.isnan(value)]
        return sum(known) / len(known) if known else math.nan

    def samples(self, record: Record) -> dict[str, np.ndarray]:
        """The sample images of a record by key; empty where there are none that can be read."""
        name = record.get("samples")
        file = (self.path / str(name)).resolve()
        if not name or not file.is_relative_to(self.path.resolve()) or not file.is_file():
            return {}
        try:
            with np.load(file, allow_pickle=False) as stored:
                arrays = {key: stored[key] for key in stored.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            return {}
        return {key: images for key, images in arrays.items() if _drawable(images)}


def _drawable(images: np.ndarray) -> bool:
    return images.ndim == 4 and images.dtype == np.uint8 and images.shape[3] in (1, 3) and images.size > 0


def _read_plan(path: Path) -> dict[str, Any]:
    if not (path / "run.json").is_file():
        what = "is not a run directory (it has no run.json)" if path.is_dir() else "does not exist"
        raise FillbenchError(f"{path} {what}: give the folder that `benchmark run` wrote")
    plan = _read_json(path / "run.json")
    missing = [key for key in ("seeds", "dataset", "arms") if key not in plan]
    dataset = plan.get("dataset")
    if not isinstance(dataset, dict):
        dataset = {}
    missing += [f"dataset.{key}" for key in ("name", "class_names", "minority") if key not in dataset]
    if missing:
        raise FillbenchError(f"{path / 'run.json'} is not the plan of a run: it lacks {', '.join(missing)}")
    if not all(isinstance(arm, dict) and "name" in arm for arm in plan["arms"]):
        raise FillbenchError(f"{path / 'run.json'}: every one of the arms needs a name")
    return plan


def _read_json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise FillbenchError(f"{file} cannot be read: {error}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise FillbenchError(
            f"{file} is not valid JSON ({place}); delete it and repeat the command of the run"
        ) from error
    if not isinstance(content, dict):
        raise FillbenchError(f"{file} holds a JSON {type(content).__name__}, not an object")
    return content
