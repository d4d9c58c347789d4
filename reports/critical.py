"""The critical difference diagram: arms along their average ranks, bars joining those that no test tells apart.

Janez Demšar, Statistical comparisons of classifiers over multiple data sets, JMLR 7 (2006).
"""

from __future__ import annotations

import pandas as pd
from scikit_posthocs import critical_difference_diagram

from .theme import LIGHT, drawing, panels, png


def diagram(ranks: pd.Series, pairs: pd.DataFrame, level: float, title: str) -> bytes:
    """A PNG of the average ranks by arm; two arms are joined unless their p-value in `pairs` is below the level."""
    margin = 0.02 * len(ranks)
    with drawing(LIGHT):
        figure, (axes,) = panels(1, 1, 1)
        drawn = critical_difference_diagram(
            ranks,
            pairs,
            alpha=level,
            ax=axes,
            label_fmt_left="{label}  {rank:.2f}\N{EN SPACE}",  # the space keeps the text off its line
            label_fmt_right="\N{EN SPACE}{rank:.2f}  {label}",
            elbow_props={"color": LIGHT.muted, "linewidth": 0.7},
            marker_props={"color": LIGHT.ink, "s": 12},
            crossbar_props={"color": LIGHT.main, "linewidth": 2.5, "solid_capstyle": "butt"},
            text_h_margin=margin,
        )
        for label in drawn["labels"]:  # by itself a label takes the colour of its line
            label.set_color(LIGHT.ink)
        axes.set_xlim(1 - margin, len(ranks) + margin)
        axes.set_xticks(range(1, len(ranks) + 1))
        axes.spines["top"].set(visible=True, bounds=(1, len(ranks)))
        figure.suptitle(title, x=0.01, ha="left", fontsize=8.5)
        figure.set_figheight(0.75 + 0.19 * -axes.dataLim.y0)  # each bar and each label is one unit high
        return png(figure)
