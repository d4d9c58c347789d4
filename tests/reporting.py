"""Reports for tests that look at no figure: drawing takes most of the time."""

from pathlib import Path

import pandas as pd

from fillbench.reports.writing import write


def report_without_figures(run_dir: Path) -> pd.DataFrame:
    return write(run_dir, draw=lambda run, board: {})


def page_of(run) -> str:
    """The report.html of a fake run."""
    report_without_figures(run.path)
    return (run.path / "report.html").read_text()
