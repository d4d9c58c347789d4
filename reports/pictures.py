"""Draws every figure twice, for a light and a dark page."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from . import charts, heatmaps, histograms, predictions
from .figures import FIGURES
from .records import Run
from .theme import DARK, LIGHT, Theme, drawing, lay_out_like, png

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DRAWN_BY = (charts, heatmaps, histograms, predictions)  # their figures are in the table once they are imported


@dataclass(frozen=True)
class Picture:
    """A figure as two PNGs."""

    light: bytes
    dark: bytes

    @property
    def sources(self) -> tuple[str, str]:
        """The light and the dark variant as data URIs."""
        return data_uri(self.light), data_uri(self.dark)


def draw_all(run: Run, board: pd.DataFrame) -> dict[str, Picture]:
    """Every figure of a run that has data, by name."""
    return in_both_themes({name: partial(plot.draw, run, board) for name, plot in FIGURES.items()})


def in_both_themes(draw: Mapping[str, Callable[[Theme], Figure | None]]) -> dict[str, Picture]:
    """Figures by name; those that have nothing to show are left out."""
    with drawing(LIGHT):
        drawn = {name: one(LIGHT) for name, one in draw.items()}
        light = {name: (figure, png(figure)) for name, figure in drawn.items() if figure}
    found = {}
    with drawing(DARK):
        for name, (model, image) in light.items():
            figure = draw[name](DARK)
            assert figure is not None  # the same records drew the light one
            lay_out_like(figure, model)
            found[name] = Picture(image, png(figure))
    return found


def data_uri(png_bytes: bytes) -> str:
    """A PNG as a URI that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png_bytes).decode("ascii")
