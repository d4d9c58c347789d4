"""The runs that a page shows: those of the given folders, by an id of their own."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ..benchmark.shelf import Shelf
from ..errors import FillbenchError, did_you_mean
from ..reports.leaderboard import leaderboard
from ..reports.records import Run
from ..reports.words import answer, beyond_controls, cells_done, rare, standing


class OpenRun:
    """A finished run: its records, its leaderboard and its kept models, each read when it is first asked for."""

    def __init__(self, run_id: str, path: Path) -> None:
        self.id, self.path = run_id, path
        self._lock = threading.Lock()
        self.run = Run.read(path)

    @cached_property
    def shelf(self) -> Shelf:
        """Its kept models."""
        return Shelf(self.path)

    @property
    def board(self) -> pd.DataFrame:
        """Its leaderboard."""
        with self._lock:  # many ask at once, and it takes a while
            return self._board

    @cached_property
    def _board(self) -> pd.DataFrame:
        return leaderboard(self.run)

    @cached_property
    def told(self) -> dict[str, Any]:
        """What every page says of it."""
        run, board = self.run, self.board
        return {
            "id": self.id,
            "name": f"{run.dataset['name']}: filling {rare(run)}",
            "folder": self.path.name,
            "started": run.run["started"][:16].replace("T", " "),
            "answer": answer(run, board),
            "beyond": beyond_controls(run, board),
            "standing": standing(run, board),
            "cells": cells_done(run),
            "command": run.run["command"],
            "has_models": self.has_models,
            "has_report": self.report is not None,
            "noun": run.run["noun"],
            "plural": run.run["plural"],
            "floor": run.floor,
        }

    @property
    def has_models(self) -> bool:
        """Whether it was run with --keep-models."""
        return (self.path / "models").is_dir()

    @property
    def report(self) -> Path | None:
        """Its report.html; None where there is none in its own folder."""
        file = self.path / "report.html"
        inside = file.is_file() and file.resolve().is_relative_to(self.path.resolve())
        return file if inside else None

    def arm(self, name: str | None, otherwise: str) -> str:
        """The arm of that name, or the other one where none is named. Raises FillbenchError for an unknown one."""
        if not name:
            return otherwise
        if name not in self.run.arm_names:
            raise FillbenchError(f"this run has no arm '{name}'; {did_you_mean(name, self.run.arm_names)}")
        return name


class Library:
    """Runs by id, in the order of their folders. Raises FillbenchError for a folder that holds none."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.runs: dict[str, OpenRun] = {}
        for folder in folders:
            plain = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "run"
            run_id, count = plain, 1
            while run_id in self.runs:
                count += 1
                run_id = f"{plain}-{count}"
            self.runs[run_id] = OpenRun(run_id, folder)
