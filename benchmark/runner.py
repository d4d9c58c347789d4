"""Runs the cells of a plan, and writes the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import torch

from ..errors import FillbenchError, why
from ..records import Record
from . import sensitivity
from .cache import Missing, Store
from .cell import DiskFull, blank_of, run_cell, write_record
from .codeversion import code_of
from .config import RunConfig
from .data import Data
from .executors import Died, Executor, Job, LocalExecutor
from .executors.base import Event, OnEvent
from .plan import Plan, make_plan
from .progress import Progress
from .rundir import open_run
from .stages import Cell


def run(config: RunConfig, data: Data) -> tuple[pd.DataFrame, Path, list[Record]]:
    """Runs everything that `config` asks of `data`; returns the leaderboard, the run's folder and the records.

    With `sensitivity` what its variants find goes into the report only.
    Raises FillbenchError for input that will not do, and KeyboardInterrupt as it came: what is finished stays.
    """
    store = Store(Path(config.cache).expanduser())
    try:
        plan = make_plan(config, data, store)
        entry = store.get("datasets", data.manifests[0].dataset, lambda new, work: data.split.save(new))
    except OSError as error:
        raise FillbenchError(
            f"cache folder '{store.root}' cannot be written ({why(error)}); choose another --cache"
        ) from None
    if config.sensitivity:
        sensitivity.check(plan)
    run_dir = open_run(plan)
    job = Job(store.root, entry, run_dir, plan.threads, plan.config.plugin)
    try:
        records = _records(plan, job, LocalExecutor(job, plan.workers))
        leaderboard = _report(run_dir, store)
        if config.sensitivity:
            for variant in sensitivity.variants(plan, leaderboard, run_dir):
                again = replace(job, run_dir=open_run(variant))
                _records(variant, again, LocalExecutor(again, variant.workers))
            leaderboard = _report(run_dir, store)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(run_dir)) from None
    except DiskFull as error:
        raise FillbenchError(
            f"{error}; what is finished is kept: free some space and run again with --out {run_dir}"
        ) from None
    return leaderboard, run_dir, records


def _report(run_dir: Path, store: Store) -> pd.DataFrame:
    """The leaderboard, which is written with the report. Raises DiskFull."""
    from ..reports.writing import write  # pandas and matplotlib are slow to import
    from .drawn import drawn

    try:
        return write(run_dir, partial(drawn, store))
    except OSError as error:
        raise DiskFull(f"the report could not be written to {run_dir}: {why(error)}") from error


def _cells(plan: Plan) -> list[Cell]:
    gpus = torch.cuda.device_count() if str(plan.device) == "cuda" else 0
    return [
        Cell(
            arm=arm,
            manifest=plan.data.manifests[seed],
            deficits=plan.data.deficits,
            minority=plan.data.minority,
            classifier=plan.classifier,
            judge=plan.judge,
            classifier_seeds=tuple(seed + 1000 * repeat for repeat in range(plan.config.classifier_seeds)),
            seeds=len(plan.data.manifests),
            tstr=plan.config.tstr,
            keep_models=plan.config.keep_models,
            device=f"cuda:{index % gpus}" if gpus else str(plan.device),
            threads=plan.threads,
            strict="all" not in plan.config.generators,
            code=code_of(arm.generator) if arm.generator else "",
        )
        for index, (arm, seed) in enumerate(plan.cells)
    ]


def _records(plan: Plan, job: Job, executor: Executor) -> list[Record]:
    """The records of all cells, in their order, with progress told as they come."""
    cells = _cells(plan)
    records: dict[str, Record] = {}
    with Progress(len(cells), plan.workers) as progress:
        progress.tell(
            f"{plan.data.split.name}: {len(plan.arms)} arms x {len(plan.data.manifests)} seeds = {len(cells)} cells "
            f"on {plan.device}, {plan.workers} at a time; records go to {job.run_dir}"
        )
        for warning in plan.warnings:
            progress.tell(f"warning: {warning}")

        def on_event(event: Event | None) -> None:
            if event:
                progress.update(*event)
            progress.beat()

        for cell, found in _worked_on(cells, plan, job, executor, on_event):
            record = _died(cell, found, plan, job.run_dir) if isinstance(found, Died) else found
            records[cell.name] = record
            progress.finish(record)
    return [records[cell.name] for cell in cells]


def _worked_on(
    cells: list[Cell], plan: Plan, job: Job, executor: Executor, on_event: OnEvent
) -> Iterator[tuple[Cell, Record | Died]]:
    """First those of which the store has everything, which need no worker; then what is missing."""
    finished, missing = Store(job.cache, makes=False), []
    for cell in cells:
        try:
            yield cell, run_cell(cell, plan.data.split, finished, job.run_dir, lambda phase, done, total: None)
        except Missing:
            missing.append(cell)
    if missing:
        yield from executor.run(missing, on_event)


def _died(cell: Cell, found: Died, plan: Plan, run_dir: Path) -> Record:
    record: Record = {**blank_of(cell, plan.data.split), "status": "failed", "reason": found.reason}
    write_record(run_dir, record)
    return record
