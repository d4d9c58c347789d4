"""The look of the figures: colours for a light and a dark page, and how a figure becomes a PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

WIDTH = 9.0  # inches; the page shows figures about 1040 CSS pixels wide
DPI = 150
FONTS = ("Inter", "Helvetica Neue", "Segoe UI", "Liberation Sans", "Arial", "DejaVu Sans")


@dataclass(frozen=True)
class Theme:
    """Colours of one page; the hues are from Okabe and Ito's palette for the colour-blind."""

    name: str
    paper: str
    ink: str
    muted: str
    rule: str
    main: str
    second: str
    third: str
    fourth: str

    @property
    def series(self) -> tuple[str, ...]:
        return (self.main, self.second, self.third, self.fourth)

    def share(self) -> Colormap:
        """From the paper (0) to the full colour (1)."""
        return self._map([self.paper, self.main])

    def change(self) -> Colormap:
        """From loss over the paper (no change) to gain."""
        return self._map([self.second, self.paper, self.main])

    def _map(self, colours: list[str]) -> Colormap:
        from matplotlib.colors import LinearSegmentedColormap

        return LinearSegmentedColormap.from_list("fillbench", colours).with_extremes(bad=self.rule)


LIGHT = Theme("light", "#ffffff", "#1d2126", "#69717b", "#e3e6ea", "#0063a6", "#c4520a", "#007a5a", "#9a4f86")
DARK = Theme("dark", "#14171b", "#e6e8eb", "#98a1ab", "#2c3239", "#5ab4ef", "#f0924a", "#35b58f", "#d58cc0")


@contextmanager
def drawing(theme: Theme) -> Iterator[None]:
    """Within it, matplotlib draws in the theme; no glyph of a class name can fail or be read as TeX."""
    import matplotlib
    from matplotlib import font_manager

    installed = {font.name for font in font_manager.fontManager.ttflist}
    settings: Any = {
        "font.family": [name for name in FONTS if name in installed],
        "font.size": 8,
        "text.parse_math": False,
        "text.color": theme.ink,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.rule,
        "axes.labelcolor": theme.muted,
        "axes.titlecolor": theme.ink,
        "axes.titlesize": 8.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "figure.facecolor": theme.paper,
        "grid.color": theme.rule,
        "grid.linewidth": 0.6,
        "xtick.color": theme.rule,
        "ytick.color": theme.rule,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.muted,
        "xtick.labelsize": 7.5,
        "ytick.labelsize": 7.5,
        "legend.frameon": False,
        "lines.linewidth": 1.4,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    file = io.BytesIO()
    FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
    return file.getvalue()


def lay_out_like(figure: Figure, other: Figure) -> None:
    """Puts everything where it is in a drawn figure of the same content: working that out is slow."""
    figure.set_layout_engine("none")
    for axes, model in zip(figure.axes, other.axes, strict=True):
        axes.set_position(model.get_position(original=True))


def panels(count: int, columns: int, height: float, top: float = 0.3, **subplots: Any) -> tuple[Figure, list[Axes]]:
    """A figure of `count` equal panels in rows of `columns`, `height` inches each."""
    from matplotlib.figure import Figure

    columns = min(columns, max(count, 2))
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, rows * height + top), dpi=DPI, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **subplots).ravel().tolist()
    for spare in axes[count:]:
        spare.set_visible(False)
    return figure, axes[:count]


def arm_panels(titles: list[str], below: str, left: str, height: float = 1.45) -> tuple[Figure, list[Axes]]:
    """A small panel for each arm, all on the same axes, whose labels are written at the edge only."""
    columns = 5 if len(titles) > 4 else max(len(titles), 2)
    figure, axes = panels(len(titles), columns, height, sharex=True, sharey=True)
    for index, (axis, title) in enumerate(zip(axes, titles, strict=True)):
        lowest = index + columns >= len(titles)
        tidy(axis, title, below if lowest else "")
        axis.tick_params(labelbottom=lowest)
        axis.set_ylabel(left if index % columns == 0 else "")
    return figure, axes


def legend_above(figure: Figure, axes: Axes) -> None:
    """Names what one panel shows, for all of them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=7.5, handlelength=1.6)


def tidy(axes: Axes, title: str, below: str) -> None:
    """A title, a label below, and lines across in the place of ticks."""
    axes.set_title(title)
    axes.set_xlabel(below)
    axes.grid(axis="y")
    axes.tick_params(which="both", length=0)


def short(text: str, most: int = 18) -> str:
    """Text on one line, cut to fit a label."""
    line = " ".join(str(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def direct_label(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    """Names a line at its end instead of in a legend."""
    axes.annotate(text, (x, y), (4, 0), textcoords="offset points", color=colour, va="center", fontsize=7.5)


def contrast(colour: Any, theme: Theme) -> str:
    """Ink or paper, whichever can be read on the colour."""
    from matplotlib.colors import to_rgb

    def light(of: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(of)]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    def ratio(a: float, b: float) -> float:
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)

    under = light(colour)
    return max((theme.ink, theme.paper), key=lambda text: ratio(light(text), under))
