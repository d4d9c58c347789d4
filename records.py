"""What a run's folder holds: run.json and one record for each cell, filled by `benchmark`, read by `reports`.

    run.json                    a `Description`
    cells/ARM-seedN.json        a `Record`; of a cell that failed or was skipped with the same keys, empty
    predictions/ARM-seedN.npz   `probabilities` (classifiers, N_test, K) float32 and, with --tstr, `tstr` (N_test, K);
                                where it is not the most probable class that is decided, `thresholds` (classifiers, K)
                                and `tstr_thresholds` (K,), which they are divided by before the largest decides
    samples/ARM-seedN.npz       by class: `real_K`, `synthetic_K`, `nearest_K`
    samples/test.npz            by rare class: some test examples, `test_K`, and their places among all, `index_K`
    sensitivity/VARIANT/        with --sensitivity, the folder of the run with another learning rate or other steps

With run.json the predictions are enough to make every metric again, which is what a report does: the metrics in the
records are for other readers, and for a report where predictions are not there.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, NoReturn, NotRequired, TypeVar

from typing_extensions import TypedDict  # pydantic reads no other before Python 3.12

from .errors import FillbenchError, did_you_mean

SCHEMA = 1
TEST_SAMPLES = "samples/test.npz"
Role = Literal["floor", "ceiling", "control", "filled"]
Status = Literal["ok", "failed", "skipped"]
Metrics = dict[str, float | None]
AGAIN = "delete it and repeat the command of the run"
F = TypeVar("F")


def other_keys(allowed: bool) -> Callable[[type[F]], type[F]]:
    """Whether a dictionary may have other keys."""

    def decorate(form: type[F]) -> type[F]:
        setattr(form, "__pydantic_config__", {"extra": "allow" if allowed else "forbid"})  # noqa: B010
        return form

    return decorate


@other_keys(False)
class MetricInfo(TypedDict):
    """What was computed when the run was recorded. `threshold`: whether moving a decision threshold moves it."""

    name: str
    label: str
    meaning: str
    higher_is_better: bool
    threshold: bool


@other_keys(False)
class FigureInfo(TypedDict):
    """A column of the table of audits, see `benchmark.audits.base.Figure`."""

    name: str
    label: str
    digits: int
    by_space: bool
    real: str | None
    column: bool
    real_column: bool
    note: str


@other_keys(False)
class FlagInfo(TypedDict):
    """What an audit may flag, and what that means."""

    name: str
    explanation: str


@other_keys(False)
class AuditInfo(TypedDict):
    """What the audits of this kind of data measure, and what they flag. `space`: where nearness is looked for."""

    space: str
    statistics: list[str]
    figures: list[FigureInfo]
    flags: list[FlagInfo]


@other_keys(False)
class ColumnInfo(TypedDict):
    """A column of a table; `categories`: what its codes stand for, None where it holds numbers; whether values may be
    `missing`."""

    name: str
    categories: list[str] | None
    missing: NotRequired[bool]


@other_keys(False)
class DatasetInfo(TypedDict):
    """`shape`: of one example. `test_labels`: of all test examples, in a line. `reading`: how the data was read; if it
    has `warnings`, these are sentences for the reader. `columns`: of a table."""

    name: str
    class_names: list[str]
    shape: list[int]
    train_counts: list[int]
    test_counts: list[int]
    fingerprint: str
    minority: list[int]
    test_labels: str
    reading: dict[str, Any]
    columns: NotRequired[list[ColumnInfo]]


@other_keys(False)
class ArmInfo(TypedDict):
    """`role`: "floor" is the imbalanced data as it is, "ceiling" the removed examples put back, "control" a remedy that
    needs no generator, "filled" what is on trial."""

    name: str
    source: str
    strategy: str
    role: Role
    external_data: bool
    summary: str
    settings: dict[str, Any]


@other_keys(False)
class Description(TypedDict):
    """The content of run.json: all that is decided before the first cell. `manifests`: by seed, their hashes.
    `planned_seeds`: how many were planned at first, and after each time that some were added."""

    schema: int
    fillbench: str
    command: str
    started: str
    kind: str
    noun: str
    plural: str
    seeds: list[int]
    planned_seeds: NotRequired[list[int]]
    config: dict[str, Any]
    dataset: DatasetInfo
    deficits: dict[str, int]
    metrics: list[MetricInfo]
    audit: AuditInfo
    arms: list[ArmInfo]
    manifests: dict[str, str]
    classifier: dict[str, Any]
    versions: dict[str, str]
    hardware: dict[str, Any]


@other_keys(False)
class PerClass(TypedDict):
    """Each (K,), null for a class without test examples."""

    recall: list[float | None]
    precision: list[float | None]
    f1: list[float | None]


@other_keys(False)
class Scores(TypedDict):
    """Of predictions. A metric without a value is null; `confusion_matrix` (K, K): rows are true classes."""

    metrics: Metrics
    per_class: PerClass
    confusion_matrix: list[list[int]]


@other_keys(False)
class ClassifierRun(TypedDict):
    """One classifier of a cell. `train_key`: where the store keeps it. `facts`: what its training tells besides."""

    seed: int
    metrics: Metrics
    train_key: str
    facts: dict[str, Any]


@other_keys(False)
class Cost(TypedDict):
    """Of one classifier, where there are several; `judge_seconds` are spent once for a whole run."""

    fit_seconds: float
    sample_seconds: float
    audit_seconds: float
    judge_seconds: float
    train_seconds: float
    peak_memory_mb: float


@other_keys(False)
class Confusion(TypedDict):
    """The class that most wrong examples are taken for, and their share."""

    label: int
    share: float


@other_keys(False)
class Histogram(TypedDict):
    """Of a column of synthetic and real examples: the `distance` between them; shares in bins between both `ends`, or
    in categories of which they are the first and the last."""

    column: str
    distance: float
    ends: list[float] | list[str]
    made: list[float]
    real: list[float]


@other_keys(True)
class AuditEntry(TypedDict):
    """What was found of one class; besides these, the figures that run.json names, each a number or null, or both by
    space. `real`, `synthetic`: the statistics that run.json names. `cannot_tell`: flags of which none can be said.
    `histograms`: of the columns that differ most, of a table."""

    flags: list[str]
    cannot_tell: NotRequired[list[str]]
    real: dict[str, float]
    synthetic: dict[str, float]
    confused_with: Confusion | None
    histograms: NotRequired[list[Histogram]]


@other_keys(False)
class Audit(TypedDict):
    """`features`: who looked. `flags`: of any class. `classes`: by label."""

    features: str
    flags: list[str]
    classes: dict[str, AuditEntry]


@other_keys(False)
class Record(Scores):
    """What became of a cell: one arm under one seed. `weighted_counts`: `counts_after` where a synthetic example counts
    more or less than a real one, with --synthetic-weight. `fit_key`, `fill_key`: where the store keeps the fitted
    generator and what it made, null where there is none. `tstr`: the metrics of training on synthetic examples alone.
    `samples`: their file."""

    schema: int
    arm: str
    seed: int
    status: Status
    reason: str | None
    phase: str | None
    traceback: str | None
    manifest: str
    counts_before: list[int]
    counts_after: list[int]
    weighted_counts: NotRequired[list[float]]
    fit_key: str | None
    fill_key: str | None
    classifiers: list[ClassifierRun]
    tstr: Metrics | None
    curve: list[dict[str, float]]
    cost: Cost | None
    generator_log: list[dict[str, Any]]
    generator_facts: dict[str, Any]
    audit: Audit | None
    samples: str | None


def blank(arm: str, seed: int, manifest: str, counts_before: list[int]) -> Record:
    """The record of a cell of which no more is known."""
    return {
        "schema": SCHEMA,
        "arm": arm,
        "seed": seed,
        "status": "ok",
        "reason": None,
        "phase": None,
        "traceback": None,
        "manifest": manifest,
        "counts_before": counts_before,
        "counts_after": [],
        "fit_key": None,
        "fill_key": None,
        "metrics": {},
        "per_class": {"recall": [], "precision": [], "f1": []},
        "confusion_matrix": [],
        "classifiers": [],
        "tstr": None,
        "curve": [],
        "cost": None,
        "generator_log": [],
        "generator_facts": {},
        "audit": None,
        "samples": None,
    }


def cell_name(arm: str, seed: int) -> str:
    """The stem of a cell's files."""
    return f"{arm}-seed{seed}"


def read_run(path: Path) -> Description:
    """run.json of a run's folder. Raises FillbenchError when there is none, or none of this schema."""
    if not (path / "run.json").is_file():
        reason = "it has no run.json" if path.is_dir() else "it does not exist"
        raise FillbenchError(f"'{path}' is no run folder: {reason}; give the folder that `benchmark run` wrote")
    content = read_json(path / "run.json")
    if content.get("schema") != SCHEMA:
        _refuse_schema(path, content)
    return checked(Description, content, f"'{path / 'run.json'}' is damaged", "choose another --out")


def read_record(file: Path) -> Record:
    """The record of a cell. Raises FillbenchError when the file holds none of this schema."""
    content = read_json(file)
    if content.get("schema") != SCHEMA:
        what = _schema_of(content)
        raise FillbenchError(f"'{file}' is a record of {what}, not of schema {SCHEMA}; {AGAIN}")
    return checked(Record, content, f"'{file}' is not a record", AGAIN)


def good_record(run_dir: Path, run: Description, arm: str, seed: int) -> Record:
    """The record of a cell that went well. Raises FillbenchError for an unknown arm or seed, or another end."""
    arms = [one["name"] for one in run["arms"]]
    if arm not in arms:
        raise FillbenchError(f"this run has no arm '{arm}'; {did_you_mean(arm, arms)}")
    if seed not in run["seeds"]:
        raise FillbenchError(f"this run has no seed {seed}; it has: {', '.join(map(str, run['seeds']))}")
    path = run_dir / "cells" / f"{cell_name(arm, seed)}.json"
    if not path.is_file():
        raise FillbenchError(f"{arm} seed {seed} has not been run yet; go on with: {run['command']} --out {run_dir}")
    record = read_record(path)
    if record["status"] != "ok":
        raise FillbenchError(f"{arm} seed {seed} {record['status']}: {record['reason']}")
    return record


def read_json(file: Path) -> dict[str, Any]:
    """A JSON object. Raises FillbenchError when the file holds none."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise FillbenchError(f"'{file}' is not valid JSON ({place}); {AGAIN}") from None
    except (OSError, ValueError) as error:
        raise FillbenchError(f"'{file}' cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise FillbenchError(f"'{file}' holds a JSON {type(content).__name__}, not an object")
    return content


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"it holds {word}, which is no JSON")


def _schema_of(content: dict[str, Any]) -> str:
    return f"schema {content['schema']!r}" if "schema" in content else "an earlier version, without a schema"


def _refuse_schema(path: Path, content: dict[str, Any]) -> NoReturn:
    command = content.get("command")
    command = command if isinstance(command, str) and command else "benchmark run …"
    new = shlex.quote(str(path.with_name(f"{path.name}-again")))
    raise FillbenchError(
        f"run.json of '{path}' is of {_schema_of(content)}, and this version reads schema {SCHEMA}; "
        f"run it again into a new folder: {command} --out {new}"
    )


def checked(form: Any, content: dict[str, Any], where: str, again: str) -> Any:
    """`content`, which has the form. Raises FillbenchError with the first thing that is wrong."""
    from pydantic import ValidationError  # slow to import

    try:
        return _adapter(form).validate_python(content, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        what = {"missing": f"it lacks {key}", "extra_forbidden": f"it has an unknown key, {key}"}
        found = what.get(first["type"], f"{key}: {first['msg']}")
        raise FillbenchError(f"{where}: {found}; {again}") from None


@cache
def _adapter(form: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(form)
