"""Figures of a sweep: what each arm does beside `none` or the controls, at every value of a setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from .leaderboard import PARTS
from .theme import Theme, arm_panels, legend_above, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Axis(NamedTuple):
    """A setting and its values, which are `amounts`, or names."""

    key: str
    values: Sequence[str]
    amounts: bool


def curves(table: pd.DataFrame, arms: Sequence[str], base: str, metric: str, axis: Axis, theme: Theme) -> Figure | None:
    """A panel for each of the arms of `table`, which has a row for each arm and value: its difference to a base in a
    metric, with the interval. Beside that to `none`, those of the controls, as far as they are near."""
    columns = [f"vs_{base}_{metric}_{part}" for part in PARTS]
    known = table[table[columns[0]].notna()]
    arms = [arm for arm in arms if arm in set(known["arm"])]
    if not arms:
        return None
    controls = list(dict.fromkeys(known.loc[known["control"], "arm"])) if base == "none" else []
    figure, axes = arm_panels([short(arm, 22) for arm in arms], axis.key, f"Gain in {metric}", height=1.7)
    for panel, arm in zip(axes, arms, strict=True):
        panel.axhline(0, color=theme.muted, lw=0.8, ls=(0, (3, 3)))
        for number, other in enumerate(one for one in controls if one != arm):
            x, rows = _points(known, other, axis)
            panel.plot(x, rows[columns[0]], color=theme.muted, lw=0.7, label="" if number else "controls")
        x, rows = _points(known, arm, axis)
        mean, low, high = (rows[column] for column in columns)
        panel.fill_between(x, low, high, color=theme.main, alpha=0.18, lw=0, label="95 % interval")
        panel.plot(x, mean, color=theme.main, marker="o", ms=3, label="arm")
        if not axis.amounts:
            panel.set_xticks(range(len(axis.values)), [short(value, 12) for value in axis.values])
    _reach(axes[0], known.loc[known["arm"].isin(arms), columns].to_numpy(float))
    legend_above(figure, axes[0])
    return figure


def _points(table: pd.DataFrame, arm: str, axis: Axis) -> tuple[list[float], pd.DataFrame]:
    """The places of an arm's rows on the axis, and the rows."""
    rows = table[table["arm"] == arm]
    x = rows[axis.key].astype(float) if axis.amounts else rows[axis.key].map(list(axis.values).index)
    return sorted(x), rows.iloc[x.argsort(kind="stable")]


def _reach(panel: Axes, shown: np.ndarray) -> None:
    """The axis of all panels: from zero to what is shown, whatever lies far off beside it."""
    least, most = min(0.0, float(np.nanmin(shown))), max(0.0, float(np.nanmax(shown)))
    room = 0.05 * (most - least)
    panel.set_ylim(least - room, most + (room or 1))
