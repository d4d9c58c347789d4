"""A figure of the columns in which synthetic examples differ most from real ones, where the audits have any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..records import Histogram
from .audits import entries
from .figures import figure
from .heatmaps import finished
from .numbers import number, significant
from .records import Run
from .theme import Theme, panels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CLASSES_SHOWN = 3
WIDE, HIGH = 0.84, 0.5  # of the room of a histogram; above it is its name, and below its ends


class Row(NamedTuple):
    """The histograms of an arm and a rare class."""

    title: str
    columns: list[Histogram]


def _rows(run: Run, board: pd.DataFrame) -> list[Row]:
    """Of each arm's first good seed, class by class."""
    labels = run.minority[:CLASSES_SHOWN]
    found = []
    for label in labels:
        after = f", {run.class_names[label]}" if len(labels) > 1 else ""
        for arm in finished(run, board):
            seen = [entry["histograms"] for entry in entries(run.ok(arm)[0], label) if entry.get("histograms")]
            found += [Row(short(arm + after, 30), histograms) for histograms in seen]
    return found


@figure(
    "columns",
    section="samples",
    alt="Histograms of the columns in which synthetic {plural} differ most from real ones, by arm",
    caption="The columns in which the synthetic {plural} of an arm (line) differ most from the real training {plural} "
    "of the class (filled), by the distance beside the name: Kolmogorov and Smirnov's, of categories the total "
    "variation. All other columns differ less. Of the first seed, and of three rare classes at most. Below stand the "
    "least and the largest real value, and what lies beyond is in the bin at the end; or the most and the least "
    "frequent of the categories shown.",
)
def columns(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """A row for each arm and class: real histograms filled, synthetic ones as a line."""
    rows = _rows(run, board)
    if not rows:
        return None
    sheet, (axis,) = panels(1, 1, 0.72 * len(rows), top=0.1)
    for spot, row in enumerate(rows):
        for place, histogram in enumerate(row.columns):
            _draw(axis, place, -spot, histogram, theme)
    axis.set_yticks([-spot + HIGH / 2 for spot in range(len(rows))], [row.title for row in rows])
    axis.set_xticks([])
    axis.set_xlim(-0.04, max(len(row.columns) for row in rows) - 1 + WIDE + 0.04)
    axis.set_ylim(-len(rows) + 0.72, 0.78)
    axis.tick_params(length=0, labelcolor=theme.ink)
    for side in axis.spines.values():
        side.set_visible(False)
    return sheet


def _draw(axis: Axes, left: float, bottom: float, histogram: Histogram, theme: Theme) -> None:
    """One histogram in the room at (left, bottom)."""
    real, made = np.array(histogram["real"]), np.array(histogram["made"])
    edges = left + WIDE * np.linspace(0, 1, len(real) + 1)
    scale = HIGH / (max(real.max(), made.max()) or 1)  # no value is there
    axis.stairs(bottom + scale * real, edges, baseline=bottom, fill=True, color=theme.muted, alpha=0.35)
    axis.stairs(bottom + scale * made, edges, baseline=bottom, color=theme.second, lw=1.0)
    name = f"{short(histogram['column'], 17)}  {number(histogram['distance'], 2)}"
    axis.text(left, bottom + HIGH + 0.05, name, fontsize=6.5, color=theme.ink)
    for spot, side, end in zip((left, left + WIDE), ("left", "right"), histogram["ends"], strict=True):
        axis.text(spot, bottom - 0.04, _said(end), fontsize=6, color=theme.muted, ha=side, va="top")


def _said(end: Any) -> str:
    return short(end, 10) if isinstance(end, str) else significant(end)
