"""Tells how far a run is: live bars in a terminal, one line per finished cell in a log."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from ..records import Record

HEARTBEAT = 30.0  # seconds between signs of life in a log


class Progress:
    """Call `update` while cells run and `finish` when one ends; both from one thread."""

    def __init__(self, total: int, workers: int, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True)
        self._total, self._workers = total, workers
        self._ended: set[str] = set()
        self._started: dict[str, float] = {}
        self._phases: dict[str, tuple[Any, float, int, int]] = {}  # phase and total, since when, how far then and now
        self._durations: list[float] = []
        self.running: dict[str, str] = {}
        """What each cell under way is doing."""
        self._last_beat = time.monotonic()
        columns = (
            TextColumn("{task.description}"),
            BarColumn(30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self._bars = Bars(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._overall = self._bars.add_task("cells", total=total, note="")
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._bars.stop()

    def tell(self, line: str) -> None:
        """Prints a line as it is, above the bars."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def update(self, cell: str, phase: str, done: int, total: int) -> None:
        """A cell is in `phase`, `done` of `total` steps into it."""
        if cell in self._ended:  # told late
            return
        self._started.setdefault(cell, time.monotonic())
        self.running[cell] = f"{cell} {phase}" + (f" {100 * done // total} %" if total > 1 else "")
        left = self._phase_left(cell, phase, done, total)
        self.running[cell] += f" ({left} left)" if left else ""
        if cell not in self._tasks:
            self._tasks[cell] = self._bars.add_task(cell, total=None, note="")
        self._bars.update(self._tasks[cell], total=total, completed=done, description=f"{cell}: {phase}", note=left)

    def _phase_left(self, cell: str, phase: str, done: int, total: int) -> str:
        """The time that a phase will still take at the speed it has had; only for phases of a minute or more."""
        now = time.monotonic()
        known, since, first, last = self._phases.get(cell, (None, now, 0, 0))
        if known != (phase, total) or done < last:
            # What is there at the first word of it, from before a kill, says nothing of the speed.
            since, first = now, done
        self._phases[cell] = (phase, total), since, first, done
        speed = (done - first) / (now - since) if now > since else 0
        return _words((total - done) / speed) if speed and (total - first) / speed >= 60 else ""

    def finish(self, cell: str, record: Record) -> None:
        """A cell has ended with `record`."""
        now = time.monotonic()
        seconds = now - self._started.pop(cell, now)
        self.running.pop(cell, None)
        if cell in self._tasks:
            self._bars.remove_task(self._tasks.pop(cell))
        self._ended.add(cell)
        if seconds > 1:  # faster ones came from the cache, and say nothing of the rest
            self._durations.append(seconds)
        width = len(str(self._total))
        count = f"[{len(self._ended):{width}}/{self._total}]"
        line = f"{count} {cell}: {self._outcome(record)}, {seconds:.0f} s{self._time_left()}"
        self.tell(line)
        self._bars.update(self._overall, completed=len(self._ended), note=self._time_left().lstrip("; "))
        self._last_beat = time.monotonic()

    def beat(self) -> None:
        """In a log, now and then says what is running."""
        if self.console.is_terminal or not self.running or time.monotonic() - self._last_beat < HEARTBEAT:
            return
        self._last_beat = time.monotonic()
        self.tell("  running: " + ", ".join(self.running.values()))

    @staticmethod
    def _outcome(record: Record) -> str:
        if record["status"] == "ok":
            recall = record["metrics"]["minority_recall"]
            return "done" if recall is None else f"minority recall {recall:.3f}"
        return f"{record['status'].upper()}: {record['reason']}"

    def _time_left(self) -> str:
        remaining = self._total - len(self._ended)
        if not self._durations or not remaining:
            return ""
        seconds = remaining * sum(self._durations) / len(self._durations) / self._workers
        return f"; about {_words(seconds)} left"


def _words(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
