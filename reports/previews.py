"""Shows a few examples of every arm and rare class: kept ones, synthetic ones, and the kept ones nearest to those.

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
PARTS = ("real", "synthetic", "nearest")  # as their keys begin in samples/*.npz
Array = NDArray[Any]


@dataclass(frozen=True)
class Sample:
    """Of one arm and one class: kept examples, synthetic ones, and the kept ones nearest to those."""

    arm: str
    seed: int
    label: int
    real: Array
    synthetic: Array
    nearest: Array


class Preview:
    """A table of numbers: the first values of the first examples."""

    template = "numbers.html.j2"

    def can_show(self, x: Array) -> bool:
        """Whether an array is what this preview shows."""
        return x.ndim > 1 and x.size > 0 and np.issubdtype(x.dtype, np.number)

    def cards(self, run: Run, samples: list[Sample]) -> list[dict[str, Any]]:
        """What the template shows of each sample."""
        return [
            {
                "arm": sample.arm,
                "seed": sample.seed,
                "heads": self.heads(run, sample.real[0])[:VALUES],
                "cut": sample.real[0].size > VALUES,
                "parts": [
                    (name, [self.values(run, example)[:VALUES] for example in x[:EXAMPLES]])
                    for name, x in (("kept", sample.real), ("made", sample.synthetic), ("nearest", sample.nearest))
                ],
            }
            for sample in samples
        ]

    def heads(self, run: Run, example: Array) -> list[str]:
        """What each value of an example is called."""
        return [str(spot + 1) for spot in range(example.size)]

    def values(self, run: Run, example: Array) -> list[str]:
        """The values of an example."""
        return [significant(float(value)) for value in example.ravel()]

    def sheet(self, run: Run, samples: list[Sample]) -> bytes | None:
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

    def cards(self, run: Run, samples: list[Sample]) -> list[dict[str, Any]]:
        side = strips.side_of(3 * len(samples))
        return [
            {
                "arm": sample.arm,
                "seed": sample.seed,
                "parts": [
                    ("kept", data_uri(strips.strip(sample.real, side))),
                    ("made", data_uri(strips.strip(sample.synthetic, side))),
                    ("nearest", data_uri(strips.strip(sample.nearest, side))),
                ],
            }
            for sample in samples
        ]

    def sheet(self, run: Run, samples: list[Sample]) -> bytes | None:
        lines = {(sample.arm, run.class_names[sample.label]): (sample.real, sample.synthetic) for sample in samples}
        return strips.sheet(lines) if lines else None


PREVIEWS: dict[str, type[Preview]] = {"images": ImagePreview, "tables": TablePreview}


def preview_of(kind: str) -> Preview:
    """The preview of a kind of data."""
    return PREVIEWS.get(kind, Preview)()


def samples_of(run: Run, board: pd.DataFrame, preview: Preview) -> list[Sample]:
    """Samples of every arm and rare class from its first good seed that stored any that can be shown."""
    found = []
    for arm in finished(run, board):
        for record in run.ok(arm):
            stored = {key: x for key, x in run.samples(record).items() if preview.can_show(x)}
            made = [
                Sample(arm, record["seed"], label, *(stored[f"{part}_{label}"] for part in PARTS))
                for label in run.minority[:CLASSES_SHOWN]
                if all(f"{part}_{label}" in stored for part in PARTS)
            ]
            if made:
                found += made
                break
    return found


def by_class(run: Run, samples: list[Sample], preview: Preview) -> dict[str, Any]:
    """What the page shows by class, and how many rare classes are left out."""
    cards = preview.cards(run, samples)
    classes = [
        {
            "name": run.class_names[label],
            "cards": [card for card, sample in zip(cards, samples, strict=True) if sample.label == label],
        }
        for label in dict.fromkeys(sample.label for sample in samples)
    ]
    left_out = max(0, len(run.minority) - CLASSES_SHOWN)
    return {"template": f"previews/{preview.template}", "classes": classes, "left_out": left_out}
