"""A run directory in memory: what was planned, the records, and what was predicted."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import FillbenchError
from ..records import (
    AGAIN,
    TEST_SAMPLES,
    ArmInfo,
    DatasetInfo,
    Description,
    MetricInfo,
    Record,
    Scores,
    cell_name,
    read_record,
    read_run,
)
from .estimates import Estimate, Predictions, averaged
from .metrics import described, estimates, mean_scores, scores

COSTS = ("fit_seconds", "sample_seconds", "train_seconds", "peak_memory_mb")
THRESHOLDS = {"probabilities": "thresholds", "tstr": "tstr_thresholds"}  # of a file of predictions
UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


def as_float(value: Any) -> float:
    """A number as a float; null, text and infinities become NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    return float(value) if math.isfinite(value) else math.nan


class Evaluated(NamedTuple):
    """What the predictions of a cell are worth: the metrics, averaged over classifiers, and the scores of each; and
    which test examples (N,) each decides right."""

    estimates: dict[str, Estimate]
    scores: list[Scores]
    right: list[NDArray[np.bool_]]


@dataclass
class Run:
    """One run directory in memory. Only what run.json plans (arms x seeds) is kept of the records."""

    path: Path
    run: Description
    records: dict[tuple[str, int], Record] = field(repr=False)
    _evaluated: dict[tuple[str, int], Evaluated | None] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def read(cls, path: Path) -> Run:
        """Read a run directory; a FillbenchError says what is wrong with it."""
        plan = read_run(path)
        arms = {arm["name"] for arm in plan["arms"]}
        records = {}
        for file in sorted((path / "cells").glob("*.json")):
            record = read_record(file)
            if record["arm"] in arms and record["seed"] in plan["seeds"]:
                _check(record, plan, file)
                records[record["arm"], record["seed"]] = record
        return cls(path, plan, records)

    @property
    def seeds(self) -> list[int]:
        return self.run["seeds"]

    @property
    def arms(self) -> list[ArmInfo]:
        return self.run["arms"]

    @cached_property
    def metrics(self) -> list[MetricInfo]:
        """All that this version knows, whatever was recorded."""
        return described(self.said)

    @property
    def dataset(self) -> DatasetInfo:
        return self.run["dataset"]

    @property
    def class_names(self) -> list[str]:
        return self.dataset["class_names"]

    @property
    def minority(self) -> list[int]:
        return self.dataset["minority"]

    @cached_property
    def arm_names(self) -> list[str]:
        return [arm["name"] for arm in self.arms]

    def only(self, names: Collection[str]) -> Run:
        """The run as if it had no other arms."""
        arms = [arm for arm in self.arms if arm["name"] in names]
        records = {cell: record for cell, record in self.records.items() if cell[0] in names}
        found = Run(self.path, {**self.run, "arms": arms}, records)
        found._evaluated = self._evaluated
        return found

    def arm(self, name: str) -> ArmInfo:
        """What run.json says about an arm."""
        return self.arms[self.arm_names.index(name)]

    def _first(self, role: str) -> str | None:
        return next((arm["name"] for arm in self.arms if arm["role"] == role), None)

    @cached_property
    def floor(self) -> str | None:
        """The arm that is the imbalanced data as it is."""
        return self._first("floor")

    @cached_property
    def ceiling(self) -> str | None:
        """The arm that has the removed examples put back."""
        return self._first("ceiling")

    def is_reference(self, name: str) -> bool:
        """Whether an arm is the floor or the ceiling of the others."""
        return self.arm(name)["role"] in ("floor", "ceiling")

    def is_control(self, name: str) -> bool:
        """Whether an arm is a remedy that needs no generator."""
        return self.arm(name)["role"] == "control"

    @cached_property
    def controls(self) -> list[str]:
        """The controls that cost nothing and can be had here: a loss that the classifier does not suit is skipped in
        every seed."""
        return self._controls(external=False)

    def _controls(self, external: bool) -> list[str]:
        names = [name for name in self.arm_names if self.is_control(name) and not self._only_skipped(name)]
        return [name for name in names if self.arm(name)["external_data"] == external]

    def controls_of(self, name: str) -> list[str]:
        """What an arm is held against: the other controls, and those with external data if it has some too. None for a
        reference."""
        if self.is_reference(name):
            return []
        outside = self._controls(external=True) if self.arm(name)["external_data"] else []
        return [one for one in (*self.controls, *outside) if one != name]

    def _only_skipped(self, arm: str) -> bool:
        found = self.of(arm)
        return bool(found) and all(record["status"] == "skipped" for record in found)

    def missing(self, arm: str) -> str:
        """Why an arm has no verdict: what did not go well, or has not been done; '' if all is there."""
        for record in self.of(arm):
            if record["status"] != "ok":
                return f"seed {record['seed']} {record['status']}"
            if not self.estimates(record):
                return f"the predictions of seed {record['seed']} are not there"
        lacking = len(self.seeds) - len(self.of(arm))
        return f"{lacking} of {len(self.seeds)} seeds not done" if lacking else ""

    def said(self, text: str) -> str:
        """A text with the words of this run in the place of {noun}, {plural}, {floor} and {ceiling}."""
        floor, ceiling = self.floor or "the floor", self.ceiling or "the ceiling"
        words = text.format(noun=self.run["noun"], plural=self.run["plural"], floor=floor, ceiling=ceiling)
        return words[:1].upper() + words[1:] if text.startswith("{plural} ") else words

    def settings(self, name: str) -> dict[str, Any]:
        """The settings of an arm; and what it and its classifier chose or counted, as its first good seed tells."""
        facts: dict[str, Any] = {}
        for record in self.ok(name)[:1]:
            facts |= record["generator_facts"]
            for one in record["classifiers"][:1]:
                facts |= {f"classifier.{key}": value for key, value in one["facts"].items()}
        return {**self.arm(name)["settings"], **facts}

    def of(self, arm: str | None) -> list[Record]:
        """The records of an arm, in the order of the seeds; none of no arm."""
        return [self.records[arm, seed] for seed in self.seeds if arm is not None and (arm, seed) in self.records]

    def ok(self, arm: str | None) -> list[Record]:
        """The records of the seeds of an arm that went well."""
        return [record for record in self.of(arm) if record["status"] == "ok"]

    def metric(self, arm: str | None, name: str) -> dict[int, float]:
        """A metric of an arm by seed, averaged over classifiers, without the seeds that have no number."""
        found = {}
        for record in self.ok(arm):
            known = self.estimates(record)
            found[record["seed"]] = known[name].value if known else as_float(record["metrics"].get(name))
        return {seed: value for seed, value in found.items() if not math.isnan(value)}

    def _evaluate(self, record: Record) -> Evaluated | None:
        """What the predictions of a cell are worth, computed once; None without them."""
        key = record["arm"], record["seed"]
        if key not in self._evaluated:
            predicted = self.predictions(record)
            self._evaluated[key] = _evaluated(predicted) if predicted else None
        return self._evaluated[key]

    def estimates(self, record: Record) -> dict[str, Estimate]:
        """Every metric of the predictions of a cell, averaged over classifiers; none without them."""
        found = self._evaluate(record)
        return found.estimates if found else {}

    def by_classifier(self, record: Record, name: str) -> list[float]:
        """A metric of each classifier of a cell; where predictions are not there, what its record says."""
        found = self._evaluate(record)
        each = found.scores if found else record["classifiers"]
        return [as_float(one["metrics"].get(name)) for one in each]

    def right(self, record: Record) -> list[NDArray[np.bool_]]:
        """Which test examples (N,) each classifier of a cell decides right; none without predictions."""
        found = self._evaluate(record)
        return found.right if found else []

    def scores(self, record: Record) -> Scores:
        """What the predictions of a cell tell of each class; where they are not there, what its record says."""
        found = self._evaluate(record)
        return mean_scores(found.scores) if found else record

    def tstr(self, record: Record) -> dict[str, Estimate]:
        """The metrics of training on synthetic examples alone; none where that was not done, or without predictions."""
        predicted = self.predictions(record, "tstr") if record["tstr"] else []
        return _evaluated(predicted).estimates if predicted else {}

    @cached_property
    def test_labels(self) -> NDArray[np.int64]:
        """The classes of all test examples (N,)."""
        return np.array(self.dataset["test_labels"].split(), dtype=np.int64)

    def predictions(self, record: Record, which: str = "probabilities") -> list[Predictions]:
        """What each classifier of a cell predicted, or the one of `tstr`; none without a file.

        Raises FillbenchError when it cannot be read.
        """
        name, thresholds = cell_name(record["arm"], record["seed"]), THRESHOLDS[which]
        file = self._inside(f"predictions/{name}.npz")
        if file is None:
            return []
        try:
            with np.load(file, allow_pickle=False) as stored:
                found = stored[which]
                by = np.atleast_2d(stored[thresholds]) if thresholds in stored else None
            each = found[None] if which == "tstr" else found
            if each.shape[1:] != (len(self.test_labels), len(self.class_names)):
                raise ValueError(f"it has the shape {found.shape}")
            pairs = list(zip(each, [None] * len(each) if by is None else by, strict=True))
        except UNREADABLE as error:
            raise FillbenchError(f"'{file}' cannot be read ({error}); {AGAIN}") from None
        return [Predictions(one, self.test_labels, self.minority, own) for one, own in pairs]

    def cost(self, arm: str, name: str) -> float:
        """The mean cost of an arm over its good seeds, NaN where there are none."""
        values = [as_float({**cost}[name]) for record in self.ok(arm) if (cost := record["cost"])]
        return sum(values) / len(values) if values else math.nan

    def samples(self, record: Record) -> dict[str, NDArray[Any]]:
        """The sample examples of a record by key; empty where there are none that can be read."""
        return self._arrays(record["samples"]) if record["samples"] else {}

    def shown_tests(self) -> dict[int, tuple[NDArray[np.int64], NDArray[Any]]]:
        """By rare class, which of the test examples the folder shows, ascending, and these; empty in older folders."""
        stored = self._arrays(TEST_SAMPLES)
        labels = [label for label in self.minority if {f"index_{label}", f"test_{label}"} <= stored.keys()]
        return {label: (stored[f"index_{label}"], stored[f"test_{label}"]) for label in labels}

    def _arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of a file of this directory by key; empty where it cannot be read."""
        file = self._inside(name)
        if file is None:
            return {}
        try:
            with np.load(file, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except UNREADABLE:
            return {}

    def _inside(self, name: str) -> Path | None:
        """A file of this directory, and of no other."""
        file = (self.path / name).resolve()
        return file if file.is_relative_to(self.path.resolve()) and file.is_file() else None


def _evaluated(each: list[Predictions]) -> Evaluated:
    known = [estimates(one) for one in each]
    means = {name: averaged(one[name] for one in known) for name in known[0]}
    light = {name: Estimate(one.value, one.influence.astype(np.float32)) for name, one in means.items()}
    return Evaluated(light, [scores(*pair) for pair in zip(each, known, strict=True)], [one.right for one in each])


def _check(record: Record, plan: Description, file: Path) -> None:
    """A finished record has what run.json promises. Raises FillbenchError."""
    if record["status"] != "ok":
        return
    lacking = [one["name"] for one in plan["metrics"] if one["name"] not in record["metrics"]]
    for entry in (record["audit"] or {"classes": {}})["classes"].values():
        lacking += [one["name"] for one in plan["audit"]["figures"] if one["name"] not in entry]
    if lacking:
        raise FillbenchError(f"'{file}' lacks {lacking[0]}, which run.json promises; {AGAIN}")
