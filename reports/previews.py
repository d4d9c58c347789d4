"""Shows a few examples of every arm and rare class, such as kept ones, synthetic ones, and the kept ones nearest.

How, depends on the kind of data: images as strips, any other kind as a table of numbers unless it has a preview here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import strips
from .heatmaps import finished
from .numbers import NOTHING, significant
from .pictures import data_uri
from .records import Run

CLASSES_SHOWN = 6
EXAMPLES, VALUES = 3, 12  # of a table of numbers: rows of each sort, and values of an example
PARTS = {"kept": "real", "made": "synthetic", "nearest": "nearest"}  # as the keys begin in samples/*.npz
Array = NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """Of one class, examples of each sort under its name; none is empty. `title`: whose they are."""

    title: str
    note: str
    label: int
    parts: tuple[tuple[str, Array], ...]


class Preview:
    """A table of numbers: the first values of the first examples."""

    template = "numbers.html.j2"

    def can_show(self, x: Array) -> bool:
        """Whether an array is what this preview shows."""
        return x.ndim > 1 and x.size > 0 and np.issubdtype(x.dtype, np.number)

    def cards(self, run: Run, everything: list[Shown]) -> list[dict[str, Any]]:
        """What the template shows of each."""
        return [
            {
                "title": shown.title,
                "note": shown.note,
                "heads": self.heads(run, shown.parts[0][1][0])[:VALUES],
                "cut": shown.parts[0][1][0].size > VALUES,
                "parts": [
                    (name, [self.values(run, example)[:VALUES] for example in x[:EXAMPLES]]) for name, x in shown.parts
                ],
            }
            for shown in everything
        ]

    def heads(self, run: Run, example: Array) -> list[str]:
        """What each value of an example is called."""
        return [str(spot + 1) for spot in range(example.size)]

    def values(self, run: Run, example: Array) -> list[str]:
        """The values of an example."""
        return [significant(float(value)) for value in example.ravel()]

    def sheet(self, run: Run, samples: list[Shown]) -> bytes | None:
        """figures/samples.png; None where there is none for this kind."""
        return None


class TablePreview(Preview):
    """Rows under the names of their columns, with the names of categories."""

    def heads(self, run: Run, example: Array) -> list[str]:
        return [column["name"] for column in run.dataset["columns"]]

    def values(self, run: Run, example: Array) -> list[str]:
        return [
            NOTHING if np.isnan(value) else significant(float(value)) if names is None else names[int(value)]
            for value, names in zip(example, (column["categories"] for column in run.dataset["columns"]), strict=True)
        ]


class ImagePreview(Preview):
    """Strips of images."""

    template = "strips.html.j2"

    def can_show(self, x: Array) -> bool:
        return x.ndim == 4 and x.dtype == np.uint8 and x.shape[3] in (1, 3) and x.size > 0

    def cards(self, run: Run, everything: list[Shown]) -> list[dict[str, Any]]:
        side = strips.side_of(sum(len(shown.parts) for shown in everything))
        return [
            {
                "title": shown.title,
                "note": shown.note,
                "parts": [(name, data_uri(strips.strip(x, side))) for name, x in shown.parts],
            }
            for shown in everything
        ]

    def sheet(self, run: Run, samples: list[Shown]) -> bytes | None:
        lines = {}
        for shown in samples:
            parts = dict(shown.parts)
            lines[shown.title, run.class_names[shown.label]] = parts["kept"], parts["made"]
        return strips.sheet(lines) if lines else None


PREVIEWS: dict[str, type[Preview]] = {"images": ImagePreview, "tables": TablePreview}


def preview_of(kind: str) -> Preview:
    """The preview of a kind of data."""
    return PREVIEWS.get(kind, Preview)()


def samples_of(run: Run, board: pd.DataFrame, preview: Preview) -> list[Shown]:
    """Samples of every arm and rare class from its first good seed that stored any that can be shown."""
    found = []
    for arm in finished(run, board):
        for record in run.ok(arm):
            stored = {key: x for key, x in run.samples(record).items() if preview.can_show(x)}
            made = [
                Shown(
                    arm,
                    f"seed {record['seed']}",
                    label,
                    tuple((name, stored[f"{part}_{label}"]) for name, part in PARTS.items()),
                )
                for label in run.minority[:CLASSES_SHOWN]
                if all(f"{part}_{label}" in stored for part in PARTS.values())
            ]
            if made:
                found += made
                break
    return found


def by_class(run: Run, everything: list[Shown], preview: Preview) -> dict[str, Any]:
    """What the page shows by class, and how many rare classes are left out."""
    cards = preview.cards(run, everything)
    classes = [
        {
            "name": run.class_names[label],
            "label": f"class {run.class_names[label]}",
            "cards": [card for card, shown in zip(cards, everything, strict=True) if shown.label == label],
        }
        for label in dict.fromkeys(shown.label for shown in everything)
    ]
    left_out = max(0, len(run.minority) - CLASSES_SHOWN)
    return {"template": f"previews/{preview.template}", "classes": classes, "left_out": left_out}
