"""The forest plot: the difference of every arm to `none` on each data set, and its random-effects mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from .comparisons import Floats
from .many_to_one import RandomEffects
from .theme import LIGHT, drawing, panels, png, short

COLUMNS = 4


def forest(
    gaps: Mapping[str, tuple[Floats, Floats]],
    means: Mapping[str, RandomEffects],
    data_sets: Sequence[str],
    label: str,
    title: str,
) -> bytes:
    """A PNG with a panel per arm: its difference on each data set and how far the interval reaches to either side,
    both (data sets,) and NaN where unknown, with the arm's mean below."""
    rows = np.arange(len(data_sets))
    with drawing(LIGHT):
        figure, axes = panels(len(gaps), COLUMNS, 0.55 + 0.16 * (len(rows) + 1), 0.6, sharex=True, sharey=True)
        for axis, (arm, (gap, half)) in zip(axes, gaps.items(), strict=True):
            mean = means[arm]
            axis.axvline(0, color=LIGHT.muted, linewidth=0.7)
            axis.hlines(rows, gap - half, gap + half, color=LIGHT.main, linewidth=1.1)
            axis.plot(gap, rows, "s", color=LIGHT.main, markersize=3)
            axis.hlines(len(rows), mean.low, mean.high, color=LIGHT.second, linewidth=1.8)
            axis.plot(mean.mean, len(rows), "D", color=LIGHT.second, markersize=4.5)
            axis.set_title(short(arm, 32))
            axis.grid(axis="x")
            axis.tick_params(labelbottom=True, length=0)
        low, high = axes[0].get_xlim()
        axes[0].set_xlim(max(-1, low), min(1, high))
        axes[0].set_ylim(len(rows) + 0.7, -0.7)
        axes[0].set_yticks([*rows, len(rows)], [*(short(name, 16) for name in data_sets), "mean"])
        figure.supxlabel(label, color=LIGHT.muted, fontsize=8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=8.5)
        return png(figure)
