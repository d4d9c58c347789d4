"""Worker processes on this machine, by loky."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any

from loky import ProcessPoolExecutor
from loky.backend import get_context
from loky.process_executor import BrokenProcessPool

from ..stages import Cell
from .base import Died, Event, Executor, Job, OnEvent, Record, Worker

_here: dict[str, Any] = {}  # of a worker process: its Worker, and the queue for events


class LocalExecutor(Executor):
    """`workers` processes at a time. One that dies takes no other cell down."""

    def __init__(self, job: Job, workers: int) -> None:
        self.job, self.workers = job, workers

    def run(self, cells: Sequence[Cell], on_event: OnEvent) -> Iterator[tuple[Cell, Record | Died]]:
        """See Executor."""
        waiting = {cell.label: cell for cell in cells}
        while waiting:
            suspects: dict[str, Cell] = {}
            yield from self._batch(waiting, self.workers, on_event, suspects)
            # One of those that were under way took its worker down. Alone, it shows.
            for cell in suspects.values():
                alone, killed = {cell.label: cell}, dict[str, Cell]()
                yield from self._batch(alone, 1, on_event, killed)
                if killed:
                    yield cell, Died("its worker process was killed or crashed: too little memory? Try fewer --workers")
                del waiting[cell.label]

    def _batch(
        self, waiting: dict[str, Cell], workers: int, on_event: OnEvent, suspects: dict[str, Cell]
    ) -> Iterator[tuple[Cell, Record | Died]]:
        """Runs cells at once and takes those that end out of `waiting`; when a worker dies, what was under way is put
        into `suspects`."""
        context = get_context("loky")
        events = context.Queue()  # a new one: a worker that was killed may have left the last one locked
        threads = str(self.job.threads)
        executor = ProcessPoolExecutor(
            workers,
            context=context,
            initializer=_start,
            initargs=(os.getpid(), self.job, events),
            env={
                "OMP_NUM_THREADS": threads,
                "MKL_NUM_THREADS": threads,
                "LOKY_MAX_MEMORY_LEAK_SIZE": "1e15",  # data and models grow a worker: no reason to start another
            },
        )
        running: set[str] = set()
        try:
            if filling := [cell for cell in waiting.values() if cell.arm.generator and not cell.arm.skip]:
                executor.submit(_prepare, filling[0])  # before the first arm needs it and the others wait
            futures = {executor.submit(_run, cell): cell for cell in waiting.values()}
            for future in _as_completed(futures, events, running, on_event):
                cell, record = futures[future], future.result()
                running.discard(cell.label)
                del waiting[cell.label]
                yield cell, record
        except BrokenProcessPool:
            under_way = {name: cell for name, cell in waiting.items() if cell.label in running}
            suspects |= under_way or waiting
        finally:
            executor.shutdown(wait=True, kill_workers=True)


def _as_completed(
    futures: dict[Future[Any], Cell], events: Any, running: set[str], on_event: OnEvent
) -> Iterator[Future[Any]]:
    """Futures as they finish, handing the workers' events on in between."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_COMPLETED)
        while not events.empty():
            event = events.get()
            running.add(event.cell)
            on_event(event)
        on_event(None)
        yield from done


def _start(parent: int, job: Job, events: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    _here.update(worker=Worker(job), events=events)


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
            _here["events"].put(Event(cell.label, phase, done, total))

    return _here["worker"].run(cell, report)


def _prepare(cell: Cell) -> None:
    _here["worker"].prepare(cell)
