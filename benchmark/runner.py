"""Runs the cells of a plan, and writes the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import torch

from ..datasets import Split
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


class PlannedRun(NamedTuple):
    """A plan, the folder of its run, and which point of a sweep it is, in words."""

    plan: Plan
    run_dir: Path
    point: str = ""


def run(config: RunConfig, data: Data) -> tuple[pd.DataFrame, Path, list[Record]]:
    """Runs everything that `config` asks of `data`; returns the leaderboard, the run's folder and the records.

    With `sensitivity` what its variants find goes into the report only.
    Raises FillbenchError for input that will not do, and KeyboardInterrupt as it came: what is finished stays.
    """
    store = Store(Path(config.cache).expanduser())
    plan = planned(config, data, store)
    if config.sensitivity:
        sensitivity.check(plan)
    run_dir = open_run(plan)
    with told_how_to_go_on(run_dir):
        (records,) = records_of([PlannedRun(plan, run_dir)], store)
        leaderboard = report(run_dir, store)
        if config.sensitivity:
            for variant in sensitivity.variants(plan, leaderboard, run_dir):
                records_of([PlannedRun(variant, open_run(variant))], store)
            leaderboard = report(run_dir, store)
    return leaderboard, run_dir, records


def planned(config: RunConfig, data: Data, store: Store) -> Plan:
    """The plan for `data`, which is put into the store. Raises FillbenchError for whatever will not do."""
    try:
        plan = make_plan(config, data, store)
        store.get("datasets", data.manifests[0].dataset, lambda new, work: data.split.save(new))
    except OSError as error:
        raise FillbenchError(
            f"cache folder '{store.root}' cannot be written ({why(error)}); choose another --cache"
        ) from None
    return plan


@contextmanager
def told_how_to_go_on(out: Path) -> Iterator[None]:
    """Names the folder that goes on where Ctrl-C or a full disk cut in."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(out)) from None
    except DiskFull as error:
        raise FillbenchError(
            f"{error}; what is finished is kept: free some space and run again with --out {out}"
        ) from None


def report(run_dir: Path, store: Store) -> pd.DataFrame:
    """The leaderboard, which is written with the report. Raises DiskFull."""
    from ..reports.writing import write  # pandas and matplotlib are slow to import
    from .drawn import drawn

    try:
        return write(run_dir, partial(drawn, store))
    except OSError as error:
        raise DiskFull(f"the report could not be written to {run_dir}: {why(error)}") from error


def cells_of(asked: PlannedRun) -> list[Cell]:
    """The cells of a plan, seed by seed."""
    plan = asked.plan
    gpus = torch.cuda.device_count() if str(plan.device) == "cuda" else 0
    return [
        Cell(
            run_dir=asked.run_dir,
            arm=arm,
            manifest=plan.data.manifests[seed],
            deficits=plan.data.deficits,
            minority=plan.data.minority,
            classifier=plan.classifier,
            judge=plan.judge,
            classifier_seeds=tuple(seed + 1000 * repeat for repeat in range(plan.config.classifier_seeds)),
            seeds=len(plan.data.manifests),
            tstr=plan.config.tstr,
            synthetic_weight=plan.config.synthetic_weight,
            keep_models=plan.config.keep_models,
            device=f"cuda:{index % gpus}" if gpus else str(plan.device),
            threads=plan.threads,
            strict="all" not in plan.config.generators,
            code=code_of(arm.generator) if arm.generator else "",
            point=asked.point,
        )
        for index, (arm, seed) in enumerate(plan.cells)
    ]


def records_of(everything: Sequence[PlannedRun], store: Store) -> list[list[Record]]:
    """The records of all cells of every plan, in their order, with progress told as they come.

    All of them go through one executor, seed by seed, so that a killed sweep has whole seeds to show.
    """
    cells = [cells_of(asked) for asked in everything]
    total, plans = sum(map(len, cells)), [asked.plan for asked in everything]
    workers = max(plan.workers for plan in plans)
    splits = {plan.data.manifests[0].dataset: plan.data.split for plan in plans}
    records: dict[str, Record] = {}
    with Progress(total, workers) as progress:
        for asked, own in zip(everything, cells, strict=True):
            progress.tell(_announced(asked, len(own), workers))
        for warning in dict.fromkeys(warning for plan in plans for warning in plan.warnings):
            progress.tell(f"warning: {warning}")

        def on_event(event: Event | None) -> None:
            if event:
                progress.update(*event)
            progress.beat()

        executor = LocalExecutor(Job(store.root, plans[0].threads, plans[0].config.plugin), workers)
        by_seed = sorted(chain.from_iterable(cells), key=lambda cell: cell.manifest.seed)
        for cell, found in _worked_on(by_seed, splits, store, executor, on_event):
            record = _died(cell, found, splits[cell.manifest.dataset]) if isinstance(found, Died) else found
            records[cell.label] = record
            progress.finish(cell.label, record)
    return [[records[cell.label] for cell in own] for own in cells]


def _announced(asked: PlannedRun, cells: int, workers: int) -> str:
    plan = asked.plan
    where = f"{plan.data.split.name}, {asked.point}" if asked.point else plan.data.split.name
    return (
        f"{where}: {len(plan.arms)} arms x {len(plan.data.manifests)} seeds = {cells} cells "
        f"on {plan.device}, {workers} at a time; records go to {asked.run_dir}"
    )


def _worked_on(
    cells: list[Cell], splits: Mapping[str, Split], store: Store, executor: Executor, on_event: OnEvent
) -> Iterator[tuple[Cell, Record | Died]]:
    """First those of which the store has everything, which need no worker; then what is missing."""
    finished, missing = Store(store.root, makes=False), []
    for cell in cells:
        try:
            yield cell, run_cell(cell, splits[cell.manifest.dataset], finished, lambda phase, done, total: None)
        except Missing:
            missing.append(cell)
    if missing:
        yield from executor.run(missing, on_event)


def _died(cell: Cell, found: Died, split: Split) -> Record:
    record: Record = {**blank_of(cell, split), "status": "failed", "reason": found.reason}
    write_record(cell.run_dir, record)
    return record
