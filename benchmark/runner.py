"""Runs the cells of a plan in worker processes, and writes the report."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from loky import ProcessPoolExecutor
from loky.backend import get_context
from loky.process_executor import BrokenProcessPool
from tqdm import tqdm

from ..datasets import Split
from ..errors import FillbenchError, why
from ..records import Record
from ..registry import load_plugin
from .cache import Store
from .cell import DiskFull, blank_of, run_cell, write_record
from .codeversion import code_of
from .config import RunConfig
from .plan import Plan, make_plan
from .progress import Progress
from .rundir import open_run
from .stages import Cell, judge_of

_worker: dict[str, Any] = {}


def run(config: RunConfig) -> tuple[pd.DataFrame, Path, list[Record]]:
    """Runs everything that `config` asks for; returns the leaderboard, the run's folder and the records.

    Raises FillbenchError for input that will not do, and KeyboardInterrupt as it came: what is finished stays.
    """
    from ..reports import write_report

    plan = make_plan(config)
    run_dir = open_run(plan)
    store = Store(Path(config.cache).expanduser())
    try:
        data = store.get("datasets", plan.manifests[0].dataset, lambda new, work: plan.split.save(new))
    except OSError as error:
        raise FillbenchError(
            f"cache folder '{store.root}' cannot be written ({why(error)}); choose another --cache"
        ) from None
    try:
        records = _execute(plan, _cells(plan), store.root, data, run_dir)
        try:
            leaderboard = write_report(run_dir)
        except OSError as error:
            raise DiskFull(f"the report could not be written to {run_dir}: {why(error)}") from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt(str(run_dir)) from None
    except DiskFull as error:
        raise FillbenchError(
            f"{error}; what is finished is kept: free some space and run again with --out {run_dir}"
        ) from None
    return leaderboard, run_dir, records


def _cells(plan: Plan) -> list[Cell]:
    gpus = torch.cuda.device_count() if str(plan.device) == "cuda" else 0
    return [
        Cell(
            arm=arm,
            manifest=plan.manifests[seed],
            deficits=plan.deficits,
            minority=plan.minority,
            classifier=plan.classifier,
            classifier_seeds=tuple(seed + 1000 * repeat for repeat in range(plan.config.classifier_seeds)),
            tstr=plan.config.tstr,
            device=f"cuda:{index % gpus}" if gpus else str(plan.device),
            threads=plan.threads,
            strict="all" not in plan.config.generators,
            code=code_of(arm.generator) if arm.generator else "",
        )
        for index, (arm, seed) in enumerate(plan.cells)
    ]


def _execute(plan: Plan, cells: list[Cell], cache: Path, data: Path, run_dir: Path) -> list[Record]:
    """The records of all cells. A worker that dies takes no other cell down."""
    context = get_context("loky")
    where = (os.getpid(), cache, data, run_dir, plan.threads, plan.config.plugin)
    env = {"OMP_NUM_THREADS": str(plan.threads), "MKL_NUM_THREADS": str(plan.threads)}
    records: dict[str, Record] = {}
    with Progress(len(cells), plan.workers) as progress:
        progress.tell(
            f"{plan.split.name}: {len(plan.arms)} arms x {len(plan.manifests)} seeds = {len(cells)} cells "
            f"on {plan.device}, {plan.workers} at a time; records go to {run_dir}"
        )

        def batch(members: list[Cell], workers: int) -> bool:
            """Runs cells at once; whether every worker lived to the end."""
            events = context.Queue()  # a new one: a worker that was killed may have left the last one locked
            initargs = (*where, events)
            executor = ProcessPoolExecutor(
                workers, context=context, initializer=_start_worker, initargs=initargs, env=env
            )
            try:
                if filling := [cell for cell in members if cell.arm.generator and not cell.arm.skip]:
                    executor.submit(_prepare, filling[0])  # before the first arm needs it and the others wait
                futures = {executor.submit(_run, cell): cell for cell in members}
                for future in _as_completed(futures, events, progress):
                    record = future.result()
                    records[futures[future].name] = record
                    progress.finish(record)
            except BrokenProcessPool:
                return False
            finally:
                executor.shutdown(wait=True, kill_workers=True)
            return True

        waiting = cells
        while waiting and not batch(waiting, plan.workers):
            waiting = [cell for cell in cells if cell.name not in records]
            # One of those that were under way took its worker down. Alone, it shows.
            for cell in [cell for cell in waiting if cell.label in progress.running] or waiting:
                if not batch([cell], 1):
                    records[cell.name] = _died(cell, plan.split, run_dir)
                    progress.finish(records[cell.name])
            waiting = [cell for cell in cells if cell.name not in records]
    return [records[cell.name] for cell in cells]


def _as_completed(futures: dict[Future[Any], Cell], events: Any, progress: Progress) -> Iterator[Future[Any]]:
    """Futures as they finish, handing the workers' events to `progress` in between."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
        while not events.empty():
            progress.update(*events.get())
        progress.beat()
        yield from done


def _died(cell: Cell, split: Split, run_dir: Path) -> Record:
    reason = "its worker process was killed or crashed: too little memory? Try fewer --workers"
    record: Record = {**blank_of(cell, split), "status": "failed", "reason": reason}
    write_record(run_dir, record)
    return record


def _start_worker(
    parent: int,
    cache: Path,
    data: Path,
    run_dir: Path,
    threads: int,
    plugins: tuple[str, ...],
    events: Any,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|timm|kornia|torchmetrics")
    tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a worker that is ended would leave behind
    torch.set_num_threads(threads)
    for path in plugins:  # so that their classes are found when cells arrive
        load_plugin(Path(path).expanduser())
    _worker.update(store=Store(cache), split=Split.open(data), run_dir=run_dir, events=events)


def _die_with(parent: int) -> None:
    """Ends this process soon after its parent has gone, so that a killed run leaves nothing behind."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _run(cell: Cell) -> Record:
    told, now = 0.0, ""

    def report(phase: str, done: int, total: int) -> None:
        nonlocal told, now
        if phase != now or time.monotonic() - told > 0.2:
            told, now = time.monotonic(), phase
            _worker["events"].put((cell.label, phase, done, total))

    return run_cell(cell, _worker["split"], _worker["store"], _worker["run_dir"], report)


def _prepare(cell: Cell) -> None:
    """Trains the judge that the audits share. What goes wrong here is told by the first cell that needs it."""
    with suppress(Exception):
        judge_of(cell, _worker["split"], _worker["store"])
