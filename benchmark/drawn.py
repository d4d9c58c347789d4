"""The figures of a report, kept in the store: the same records are drawn once."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from ..reports import pictures
from ..reports.pictures import Picture
from ..reports.records import Run
from .cache import Store, key_of
from .codeversion import code_of

TOLD = ("command", "config", "started", "hardware", "versions")  # of a run, that no figure shows
THEMES = ("light", "dark")


def drawn(store: Store, run: Run, board: pd.DataFrame) -> dict[str, Picture]:
    """Every figure that has data, by name; drawn where the store has none of these records."""
    key = key_of(
        stage="figures",
        run={name: value for name, value in run.run.items() if name not in TOLD},
        records=[record for _, record in sorted(run.records.items())],
        code=code_of(pictures.__name__),
        matplotlib=version("matplotlib"),
    )

    def draw(new: Path, work: Path) -> None:
        for name, picture in pictures.draw_all(run, board).items():
            for theme, image in asdict(picture).items():
                (new / f"{name}.{theme}.png").write_bytes(image)

    entry = store.get("figures", key, draw)
    names = {path.name.partition(".")[0] for path in entry.glob("*.png")}
    return {
        name: Picture(*((entry / f"{name}.{theme}.png").read_bytes() for theme in THEMES))
        for name in pictures.FIGURES
        if name in names
    }
