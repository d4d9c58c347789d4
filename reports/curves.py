"""Figures of a sweep: what each arm does beside `none`, at every value of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .theme import Theme, arm_panels, legend_above, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOG_FROM = 20  # times the smallest value, from where on an axis is logarithmic


def curves(
    table: pd.DataFrame, of_controls: bool, key: str, values: Sequence[str], metric: str, theme: Theme
) -> Figure | None:
    """A panel for each control, or each other arm, of `table`, which has a row for each arm and value of `key`: its
    difference to `none` in a metric with the interval, and those of the controls as far as they are near."""
    table = table[table[_column(metric, "mean")].notna()]
    shown = table[table["control"] == of_controls]
    arms = list(dict.fromkeys(shown["arm"]))
    if not arms:
        return None
    controls = set(table.loc[table["control"], "arm"])
    figure, axes = arm_panels([short(arm, 22) for arm in arms], key, f"Gain in {metric}", height=1.7)
    for axis, arm in zip(axes, arms, strict=True):
        axis.axhline(0, color=theme.muted, lw=0.8, ls=(0, (3, 3)))
        for number, other in enumerate(sorted(controls - {arm})):
            x, rows = _points(table, other, key, values)
            axis.plot(x, rows[_column(metric, "mean")], color=theme.muted, lw=0.7, label="" if number else "controls")
        x, rows = _points(table, arm, key, values)
        low, mean, high = (rows[_column(metric, part)] for part in ("ci_low", "mean", "ci_high"))
        axis.fill_between(x, low, high, color=theme.main, alpha=0.18, lw=0, label="95 % interval")
        axis.plot(x, mean, color=theme.main, marker="o", ms=3, label="arm")
        _scale(axis, values)
    bounds = shown[[_column(metric, part) for part in ("mean", "ci_low", "ci_high")]].to_numpy(float)
    least, most = min(0.0, float(np.nanmin(bounds))), max(0.0, float(np.nanmax(bounds)))
    axes[0].set_ylim(least - 0.05 * (most - least), most + (0.05 * (most - least) or 1))
    legend_above(figure, axes[0])
    return figure


def numeric(values: Sequence[str]) -> bool:
    """Whether all of them are numbers."""
    try:
        return bool(np.isfinite([float(value) for value in values]).all())
    except ValueError:
        return False


def _column(metric: str, part: str) -> str:
    return f"vs_none_{metric}_{part}"


def _points(table: pd.DataFrame, arm: str, key: str, values: Sequence[str]) -> tuple[list[float], pd.DataFrame]:
    """The places of an arm's rows on the axis, and the rows."""
    rows = table[table["arm"] == arm]
    if numeric(values):
        x = rows[key].astype(float)
        return sorted(x), rows.iloc[x.argsort(kind="stable")]
    spots = rows[key].map(list(values).index)
    return sorted(spots), rows.iloc[spots.argsort(kind="stable")]


def _scale(axis: Axes, values: Sequence[str]) -> None:
    if not numeric(values):
        axis.set_xticks(range(len(values)), [short(value, 12) for value in values])
        return
    numbers = sorted(float(value) for value in values)
    if numbers[0] > 0 and numbers[-1] / numbers[0] >= LOG_FROM:
        axis.set_xscale("log")
