"""What an executor is given and what it gives; and what a worker does, wherever it is."""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from tqdm import tqdm

from ...datasets import Split
from ...records import Record
from ...registry import load_plugin
from ..cache import Store
from ..cell import run_cell
from ..stages import Cell, Report, judge_of


class Event(NamedTuple):
    """A cell, by its label, is in a phase, `done` of `total` steps into it."""

    cell: str
    phase: str
    done: int
    total: int


class Died(NamedTuple):
    """A cell took its worker down, with what can be said of it."""

    reason: str


OnEvent = Callable[[Event | None], None]  # None now and then, when there is nothing to tell


@dataclass(frozen=True)
class Job:
    """What the cells of a run or a sweep share: the folder of the store, which has their data sets too."""

    cache: Path
    threads: int
    plugins: tuple[str, ...]


class Executor(ABC):
    """Runs cells somewhere; their records are written there too, into the folders of their runs."""

    @abstractmethod
    def run(self, cells: Sequence[Cell], on_event: OnEvent) -> Iterator[tuple[Cell, Record | Died]]:
        """Every cell with its record as it ends, in any order. Raises DiskFull when the disk is full."""


class Worker:
    """Runs cells of a job, one at a time, in the process where it was made."""

    def __init__(self, job: Job) -> None:
        warnings.filterwarnings("ignore", category=UserWarning, module=r"torch|timm|kornia|torchmetrics")
        tqdm.set_lock(threading.RLock())  # its own is a semaphore, which a worker that is ended would leave behind
        torch.set_num_threads(job.threads)
        for path in job.plugins:  # so that their classes are found when cells arrive
            load_plugin(Path(path).expanduser())
        self.store = Store(job.cache)
        self._split = lru_cache(1)(self._opened)

    def _opened(self, dataset: str) -> Split:
        return Split.open(self.store.path("datasets", dataset))

    def run(self, cell: Cell, report: Report) -> Record:
        """The record of a cell, which is written too."""
        return run_cell(cell, self._split(cell.manifest.dataset), self.store, report)

    def prepare(self, cell: Cell) -> None:
        """Trains the judge that the audits share. What goes wrong here is told by the first cell that needs it."""
        with suppress(Exception):
            judge_of(cell, self._split(cell.manifest.dataset), self.store)
