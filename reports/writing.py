"""Writes the reports of a run, each file whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from ..disk import write_atomically
from .figures import FIGURES
from .html import page
from .latex import latex
from .leaderboard import leaderboard
from .markdown import markdown
from .pictures import Picture, draw_all
from .previews import preview_of, samples_of
from .records import Run
from .sensitivity import sensitivity

SAMPLES = "samples"


def write(run_dir: Path, draw: Callable[[Run, pd.DataFrame], dict[str, Picture]] = draw_all) -> pd.DataFrame:
    """leaderboard.csv, .md and .tex, report.html and figures/*.png of a run directory; `draw` makes the figures."""
    run = Run.read(run_dir)
    board = leaderboard(run)
    preview = preview_of(run.run["kind"])
    samples = samples_of(run, board, preview)
    pictures = draw(run, board)
    drawn = {name: picture.light for name, picture in pictures.items()}
    if sheet := preview.sheet(run, samples):
        drawn[SAMPLES] = sheet
    (run_dir / "figures").mkdir(exist_ok=True)
    for name in (*FIGURES, SAMPLES):
        file = run_dir / "figures" / f"{name}.png"
        if name in drawn:
            write_atomically(file, drawn[name])
        else:
            file.unlink(missing_ok=True)  # left by an earlier report of the same run
    again = sensitivity(run, board)
    texts = {
        "leaderboard.csv": board.to_csv(index=False, lineterminator="\n"),
        "leaderboard.md": markdown(run, board, again),
        "leaderboard.tex": latex(run, board),
        "report.html": page(run, board, pictures, samples, again),
    }
    for name, text in texts.items():
        write_atomically(run_dir / name, text.encode("utf-8", "replace"))
    return board
