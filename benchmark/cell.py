"""One cell: an arm on a data set under a seed, from the kept images to a record."""

from __future__ import annotations

import errno
import io
import json
import shutil
import traceback
from pathlib import Path
from typing import Any

import numpy as np

from ..datasets import DataSet, Split
from ..disk import write_atomically
from ..errors import CannotFill, FillbenchError, why
from .audits import samples
from .audits.flags import raised
from .cache import Store
from .metrics import averaged, evaluate
from .stages import Cell, Phases, Report, Stages, TrainingRun

FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ROOM = 2**20


class DiskFull(FillbenchError):
    """No room is left: not the arm's fault, so the run stops."""


def run_cell(cell: Cell, split: Split, store: Store, run_dir: Path, report: Report) -> dict[str, Any]:
    """Runs a cell and writes its record and samples into `run_dir`; returns the record.

    Whatever the arm does wrong ends as a record with a reason.
    Raises DiskFull.
    """
    kept = split.train.take(cell.manifest.kept)
    record: dict[str, Any] = {
        "arm": cell.arm.name,
        "seed": cell.manifest.seed,
        "status": "ok",
        "reason": cell.arm.skip,
        "phase": None,
        "traceback": None,
        "manifest": cell.manifest.sha256,
        "counts_before": kept.counts().tolist(),
    }
    if cell.arm.skip:
        record["status"] = "skipped"
    else:
        phases = Phases(report)
        try:
            record |= _work(cell, kept, split, store, run_dir, phases)
        except OSError as error:
            if _disk_is_full(error, store.root):
                raise DiskFull(f"no room on the disk of {error.filename or store.root}") from error
            record |= _failure(error, phases.now)
        except CannotFill as error:
            record |= _failure(error, phases.now, "failed" if cell.strict else "skipped")
        except (Exception, SystemExit) as error:  # a plug-in may call sys.exit()
            record |= _failure(error, phases.now)
    try:
        write_atomically(run_dir / "cells" / f"{cell.name}.json", json.dumps(record, indent=1, allow_nan=False))
    except OSError as error:
        raise DiskFull(f"the record of {cell.label} could not be written to {run_dir}: {why(error)}") from error
    return record


def _disk_is_full(error: OSError, where: Path) -> bool:
    """NumPy reports a write that was cut short without an errno, so the disk itself is asked then."""
    return error.errno in FULL_DISK or (error.errno is None and shutil.disk_usage(where).free < ROOM)


def _failure(error: BaseException, phase: str, status: str = "failed") -> dict[str, Any]:
    words = traceback.format_exception_only(error)[-1].strip()
    reason = str(error) if isinstance(error, FillbenchError) else words
    return {"status": status, "reason": reason, "phase": phase, "traceback": "".join(traceback.format_exception(error))}


def _work(cell: Cell, kept: DataSet, split: Split, store: Store, run_dir: Path, phases: Phases) -> dict[str, Any]:
    """The stages of a cell, one after the other: fill, audit, train, evaluate."""
    stages = Stages(cell, kept, split, store, phases)
    record: dict[str, Any] = {"images": {}, "audit": None, "generator_log": [], "generator_facts": {}, "samples": None}
    fill_key, cost = cell.arm.source, {"fit_seconds": 0.0, "sample_seconds": 0.0, "peak_memory_mb": 0.0}
    added = kept.take(np.array([], np.int64))
    if cell.arm.generator:
        fill_key, added, meta = stages.fill()
        audited = stages.audit(added, fill_key)
        cost |= meta.pop("cost") | audited.pop("cost")
        classes = audited.pop("classes")
        for entry in classes.values():
            entry["flags"] = raised(entry, stages.auditor.limits)
        audited["flags"] = sorted({flag for entry in classes.values() for flag in entry["flags"]})
        record |= meta | {"images": classes, "audit": audited}
        record["samples"] = _write_samples(run_dir, cell.name, samples(kept, added, classes))
    elif cell.arm.source == "full":
        added = split.train.without(cell.manifest.kept)
    filled = kept.joined(added)
    runs = [stages.train(filled, fill_key, seed) for seed in cell.classifier_seeds]
    if cell.tstr and cell.arm.generator:
        alone = kept.take(np.flatnonzero(~np.isin(kept.labels, added.labels))).joined(added)
        run = stages.train(alone, f"{fill_key} alone", cell.classifier_seeds[0])
        record["tstr"] = evaluate(run.probabilities, split.test.labels, cell.minority)["metrics"]
    phases("evaluate")
    cost["train_seconds"] = float(np.mean([run.cost["train_seconds"] for run in runs]))
    cost["peak_memory_mb"] = max(cost["peak_memory_mb"], *(run.cost["peak_memory_mb"] for run in runs))
    scores = _scores(cell, runs, split.test)
    counts = filled.counts().tolist()
    return record | {"fill_key": fill_key, **scores, "counts_after": counts, "curve": runs[0].curve, "cost": cost}


def _scores(cell: Cell, runs: list[TrainingRun], test: DataSet) -> dict[str, Any]:
    """What the classifiers of a cell reach together, and each with its predictions."""
    each = [evaluate(run.probabilities, test.labels, cell.minority) for run in runs]
    return averaged(each) | {
        "classifiers": [
            {
                "seed": run.seed,
                "metrics": one["metrics"],
                # As text: one line of a record, not one for every test image.
                "predictions": " ".join(map(str, run.probabilities.argmax(1).tolist())),
                "train_key": run.key,
            }
            for one, run in zip(each, runs, strict=True)
        ]
    }


def _write_samples(run_dir: Path, name: str, grids: dict[str, Any]) -> str:
    path = Path("samples") / f"{name}.npz"
    content = io.BytesIO()
    np.savez(content, **grids)
    write_atomically(run_dir / path, content.getvalue())
    return path.as_posix()
