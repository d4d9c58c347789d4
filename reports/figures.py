"""The sections of the page, and the table of its figures, in which each enters itself where it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from .records import Run
from .theme import Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Run, pd.DataFrame, Theme], "Figure | None"]


@dataclass(frozen=True)
class Section:
    """A section of the page. What it has besides figures is in templates/sections, in the file of its name."""

    name: str
    link: str
    title: str


SECTIONS = (
    Section("leaderboard", "Leaderboard", "Leaderboard"),
    Section("verdicts", "Verdicts", "Verdicts"),
    Section("sensitivity", "Sensitivity", "Sensitivity"),
    Section("cost", "Cost", "Time and memory against gain"),
    Section("usefulness", "Quality and gain", "Does quality tell the gain?"),
    Section("audits", "Audits", "Audits of the synthetic {plural}"),
    Section("samples", "Samples", "Samples"),
    Section("mistakes", "Mistakes", "Mistakes before and after"),
    Section("recall", "Recall by class", "Recall of every class against {floor}"),
    Section("confusion", "Confusion", "What is taken for what"),
    Section("probabilities", "Probabilities", "What the probabilities tell"),
    Section("training", "Training", "Training"),
    Section("counts", "Class counts", "Class counts before and after"),
    Section("troubles", "Failed and skipped", "Failed and skipped"),
    Section("repeat", "Repeat it", "Repeat it"),
)


@dataclass(frozen=True)
class Plot:
    """A figure: `draw` gives None where there is nothing to show, and the page says `empty` then, if anything.

    Texts may hold {noun}, {plural}, {floor} and {ceiling}. `title` heads what begins within a section.
    """

    name: str
    section: str
    alt: str
    caption: str
    draw: Draw
    empty: str = ""
    title: str = ""


FIGURES: dict[str, Plot] = {}


def figure(name: str, section: str, alt: str, caption: str, empty: str = "", title: str = "") -> Callable[[Draw], Draw]:
    """Enters a function that draws into the table. A new figure takes no more than this."""
    if section not in {one.name for one in SECTIONS}:
        raise ValueError(f"the page has no section '{section}'")

    def enter(draw: Draw) -> Draw:
        FIGURES[name] = Plot(name, section, alt, caption, draw, empty, title)
        return draw

    return enter
