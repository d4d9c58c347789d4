"""fillbench from Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .config import resolve
from .data import prepare

if TYPE_CHECKING:
    from .shelf import Shelf


def open(run_dir: Path | str) -> Shelf:
    """The kept models of a run folder: `open("runs/mine").generator("dcgan")`, `.classifier("none").predict(images)`.

    Raises FillbenchError when it is no run folder.
    """
    from .shelf import Shelf  # PyTorch is slow to import

    return Shelf(run_dir)


def run(*, preset: str | None = None, **settings: Any) -> pd.DataFrame:
    """Runs the benchmark and returns its leaderboard, one row per arm, as in leaderboard.csv.

    `settings` are the flags of `benchmark run` with underscores (`imbalance_ratio=100`, `set={"dcgan.steps": 500}`);
    `DataFrame.attrs["run_dir"]` is the folder with the report.
    Raises FillbenchError for input that will not do.
    """
    config = resolve(settings, preset)
    data = prepare(config)
    from .runner import run as run_config  # PyTorch is slow to import

    leaderboard, run_dir, _ = run_config(config, data)
    leaderboard.attrs["run_dir"] = str(run_dir)
    return leaderboard


def sweep(
    *, over: Mapping[str, Sequence[Any]], pairs: bool = False, preset: str | None = None, **settings: Any
) -> pd.DataFrame:
    """Runs the benchmark at every combination of values, `over={"fill": [0.25, 0.5, 1.0], "dcgan.steps": [500, 2000]}`;
    with `pairs` at the first ones, the second ones, and so on. Returns the leaderboards of all points as one table.

    `settings` are as for `run`; `DataFrame.attrs["run_dir"]` is the folder with the report.
    Raises FillbenchError for input that will not do.
    """
    from . import points

    asked = points.prepare(settings, preset, over, pairs)
    from .sweep import sweep as run_sweep  # PyTorch is slow to import

    table, out, _ = run_sweep(asked)
    table.attrs["run_dir"] = str(out)
    return table
