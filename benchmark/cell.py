"""One cell: an arm on a data set under a seed, from the kept examples to a record."""

from __future__ import annotations

import errno
import json
import shutil
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, cast, get_type_hints

import numpy as np
from numpy.typing import NDArray

from ..classifiers.base import weighted_counts
from ..datasets import Split
from ..disk import write_arrays, write_atomically
from ..errors import CannotFill, FillbenchError, why
from ..generators.state import NotStorable
from ..records import Audit, Cost, Record, Scores, Status, blank, cell_name
from ..reports.metrics import evaluate, mean_scores
from .audits import Auditor, samples
from .audits.flags import raised
from .cache import Missing, Store
from .shelf import DATASET, keep
from .stages import CLASSIFIERS, FITS, Cell, Phases, Report, Stages, TrainingRun

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ROOM = 2**20


class DiskFull(FillbenchError):
    """No room is left: not the arm's fault, so the run stops."""


def run_cell(cell: Cell, split: Split, store: Store, report: Report) -> Record:
    """Runs a cell of `split` and writes its record, predictions and samples into its run's folder; returns the record.

    Whatever the arm does wrong ends as a record with a reason.
    Raises DiskFull, and Missing where the store makes nothing and lacks something.
    """
    record = blank_of(cell, split)
    if cell.arm.skip:
        record["status"], record["reason"] = "skipped", cell.arm.skip
    else:
        phases = Phases(report)
        try:
            record = _work(cell, record, split, store, phases)
        except Missing:
            raise
        except OSError as error:
            if _disk_is_full(error, store.root):
                raise DiskFull(f"no room on the disk of {error.filename or store.root}") from error
            record = _failed(record, error, phases.now)
        except CannotFill as error:
            record = _failed(record, error, phases.now, "failed" if cell.strict else "skipped")
        except (Exception, SystemExit) as error:  # a plug-in may call sys.exit()
            record = _failed(record, error, phases.now)
    try:
        write_record(cell.run_dir, record)
    except OSError as error:
        raise DiskFull(f"the record of {cell.label} could not be written to {cell.run_dir}: {why(error)}") from error
    return record


def blank_of(cell: Cell, split: Split) -> Record:
    """The record of a cell that has not been run."""
    labels = split.train.labels[cell.manifest.kept]
    counts = np.bincount(labels, minlength=len(split.train.class_names)).tolist()
    return blank(cell.arm.name, cell.manifest.seed, cell.manifest.sha256, counts)


def write_record(run_dir: Path, record: Record) -> None:
    """Writes a record into the run's folder."""
    name = cell_name(record["arm"], record["seed"])
    write_atomically(run_dir / "cells" / f"{name}.json", json.dumps(record, indent=1, allow_nan=False))


def _disk_is_full(error: OSError, where: Path) -> bool:
    """NumPy reports a write that was cut short without an errno, so the disk itself is asked then."""
    return error.errno in FULL_DISK or (error.errno is None and shutil.disk_usage(where).free < ROOM)


def _failed(record: Record, error: BaseException, phase: str, status: Status = "failed") -> Record:
    words = traceback.format_exception_only(error)[-1].strip()
    reason = str(error) if isinstance(error, FillbenchError) else words
    trace = "".join(traceback.format_exception(error))
    return {**record, "status": status, "reason": reason, "phase": phase, "traceback": trace}


def _work(cell: Cell, known: Record, split: Split, store: Store, phases: Phases) -> Record:
    """The stages of a cell, one after the other: fill, audit, train, evaluate."""
    kept = split.train.take(cell.manifest.kept)
    stages = Stages(cell, kept, split, store, phases)
    record: Record = {**known}
    cost = dict.fromkeys(get_type_hints(Cost), 0.0)
    key, added = cell.arm.source, kept.take(np.array([], np.int64))
    if cell.arm.generator:
        filling = stages.fill()
        audited = stages.audit(filling)
        key, added = filling.key, filling.added
        record["fit_key"], record["fill_key"] = filling.fit_key, key
        cost |= filling.cost | audited["cost"]
        record["generator_log"], record["generator_facts"] = filling.log, filling.facts
        record["audit"] = _flagged(audited, stages.auditor, cell.seeds)
        record["samples"] = path = f"samples/{cell.name}.npz"
        write_arrays(cell.run_dir / path, samples(kept, added, audited["classes"]))
    elif cell.arm.role == "ceiling":
        added = split.train.without(cell.manifest.kept)
    filled = kept.joined(added)
    weight = cell.synthetic_weight if cell.arm.role == "filled" else 1.0
    runs = [stages.train(filled, key, seed, len(kept), weight) for seed in cell.classifier_seeds]
    if cell.keep_models:
        _keep_models(stages, runs, cell.run_dir)
    predictions = _predicted(runs, "probabilities", "thresholds")
    if cell.tstr and cell.arm.generator:
        others = kept.take(np.flatnonzero(~np.isin(kept.labels, added.labels)))
        run = stages.train(others.joined(added), f"{key} alone", cell.classifier_seeds[0], len(others))
        predictions |= {name: found[0] for name, found in _predicted([run], "tstr", "tstr_thresholds").items()}
        record["tstr"] = _worth(run, split, cell)["metrics"]
    write_arrays(cell.run_dir / "predictions" / f"{cell.name}.npz", predictions)
    cost["train_seconds"] = float(np.mean([run.cost["train_seconds"] for run in runs]))
    cost["peak_memory_mb"] = max(cost["peak_memory_mb"], *(run.cost["peak_memory_mb"] for run in runs))
    record["cost"] = cast(Cost, cost)
    record["counts_after"], record["curve"] = filled.counts().tolist(), runs[0].curve
    if weight != 1:
        record["weighted_counts"] = weighted_counts(filled, len(kept), weight).tolist()
    phases("evaluate")
    return _scored(record, runs, [_worth(run, split, cell) for run in runs])


def _predicted(runs: list[TrainingRun], probabilities: str, thresholds: str) -> dict[str, NDArray[Any]]:
    """What classifiers predict and, where they have any, the thresholds that they decide by, under these names."""
    found = {probabilities: np.stack([run.probabilities for run in runs])}
    by = [run.thresholds for run in runs if run.thresholds is not None]
    return found | ({thresholds: np.stack(by)} if by else {})


def _worth(run: TrainingRun, split: Split, cell: Cell) -> Scores:
    """The scores of one classifier."""
    return evaluate(run.probabilities, split.test.labels, cell.minority, run.thresholds)


def _keep_models(stages: Stages, runs: list[TrainingRun], run_dir: Path) -> None:
    keep(run_dir, DATASET, stages.store.path("datasets", stages.cell.manifest.dataset))
    for run in runs:
        keep(run_dir, CLASSIFIERS, run.entry)
    if stages.cell.arm.generator:
        with suppress(NotStorable):
            keep(run_dir, FITS, stages.fitted())


def _flagged(audited: dict[str, Any], auditor: Auditor, seeds: int) -> Audit:
    """What the audit says, with the flags that it raises, and those of which it cannot tell."""
    classes = audited["classes"]
    looks = len(classes) * seeds
    for entry in classes.values():
        entry["flags"], entry["cannot_tell"] = raised(entry, auditor, looks)
    flags = sorted({flag for entry in classes.values() for flag in entry["flags"]})
    return {"features": audited["features"], "flags": flags, "classes": classes}


def _scored(record: Record, runs: list[TrainingRun], each: list[Scores]) -> Record:
    """The record with what the classifiers of a cell reach together, and each."""
    record |= mean_scores(each)
    record["classifiers"] = [
        {"seed": run.seed, "metrics": one["metrics"], "train_key": run.key, "facts": run.facts}
        for one, run in zip(each, runs, strict=True)
    ]
    return record
