"""Turns the records of a run into tables, figures, Markdown and one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["write_report"]


def write_report(run_dir: Path) -> pd.DataFrame:
    """Write leaderboard.csv, leaderboard.md, leaderboard.tex, report.html and figures/ into the run directory."""
    from .writing import write  # pandas and matplotlib are slow to import

    return write(Path(run_dir))
