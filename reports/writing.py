"""Writes the reports of a run, each file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from .figures import FIGURES, SAMPLES, draw_all, sample_sheet, strips_of
from .html import page
from .leaderboard import leaderboard
from .markdown import markdown
from .records import Run


def write(run_dir: Path) -> pd.DataFrame:
    """leaderboard.csv, leaderboard.md, report.html and figures/*.png of a run directory."""
    run = Run.read(run_dir)
    board = leaderboard(run)
    strips = strips_of(run, board)
    pictures = draw_all(run, board)
    drawn = {name: picture.light for name, picture in pictures.items()}
    if sheet := sample_sheet(run, strips):
        drawn[SAMPLES] = sheet
    (run_dir / "figures").mkdir(exist_ok=True)
    for name in (*FIGURES, SAMPLES):
        file = run_dir / "figures" / f"{name}.png"
        if name in drawn:
            _write(file, drawn[name])
        else:
            file.unlink(missing_ok=True)  # left by an earlier report of the same run
    _write(run_dir / "leaderboard.csv", board.to_csv(index=False, lineterminator="\n"))
    _write(run_dir / "leaderboard.md", markdown(run, board))
    _write(run_dir / "report.html", page(run, board, pictures, strips))
    return board


def _write(file: Path, content: str | bytes) -> None:
    """The file appears complete under its name, or the old one stays."""
    raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
    new = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        new.write_bytes(raw)
        os.replace(new, file)
    finally:
        new.unlink(missing_ok=True)
