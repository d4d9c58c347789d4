"""How a user's own data are to be read, and what was found while reading them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ..errors import FillbenchError

FOLDER, IMAGES = ("folder",), ("folder", "npz")
FRAMES = ("csv", "parquet")
TABLES = (*FRAMES, "pkg", "openml")
MEANT_FOR = {
    "size": IMAGES,
    "flip": IMAGES,
    "drop_validation": IMAGES,
    "ground": FOLDER,
    "bits": FOLDER,
    "group": (*FOLDER, *TABLES),
    "max_megapixels": FOLDER,
    "target": TABLES,
    "drop": TABLES,
    "positive": TABLES,
    "test": FRAMES,
    "split_seed": TABLES,
    "categorical": TABLES,
    "numeric": TABLES,
}
SPELLED = {
    "folder": "folder:DIR",
    "npz": "npz:FILE",
    "csv": "csv:FILE",
    "parquet": "parquet:FILE",
    "pkg": "pkg:NAME",
    "openml": "openml:ID",
}
RANGES = {"split_seed": (0, math.inf), "size": (4, math.inf), "bits": (8, 16), "max_megapixels": (1, math.inf)}


@dataclass(frozen=True)
class ReadOptions:
    """The reading flags of `benchmark run`, under their names there.

    `size`: pixels square. `bits`: the range of deep grey; None is found from the files. `group`: a regular expression
    whose first group names what a split may not tear apart, of a table the column that does. `max_megapixels`: None is
    Pillow's own limit. Of a table, `target` is the column with the classes, `positive` the one class that is asked
    about, `test` the file with the test rows; columns of `drop` are left out, the others as pandas takes them, or as
    given.
    """

    size: int | None = None
    drop_validation: bool = False
    flip: bool = False
    ground: Literal["white", "black"] = "white"
    bits: int | None = None
    group: str | None = None
    deduplicate: bool = False
    max_megapixels: int | None = None
    target: str | None = None
    drop: tuple[str, ...] = ()
    positive: str | None = None
    test: str | None = None
    split_seed: int = 0
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()

    def check(self, spec: str) -> None:
        """Raises FillbenchError for an option that means nothing for the data set `spec`, or will not do."""
        kind = source_of(spec)
        for option in fields(self):
            kinds = MEANT_FOR.get(option.name, (kind,))
            if kind not in kinds and getattr(self, option.name) != option.default:
                meant = " and ".join(SPELLED[name] for name in kinds)
                raise FillbenchError(f"--{option.name.replace('_', '-')} is for {meant}, not for {spec}")
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if value is not None and not least <= value <= most:
                limits = f"{least} or more" if most == math.inf else f"{least} to {most:.0f}"
                raise FillbenchError(f"--{name.replace('_', '-')} {value} will not do: give {limits}")
        if self.group is not None and kind not in TABLES:
            expression_of(self.group)


def source_of(spec: str) -> str:
    """A key of SPELLED for a user's own data, 'builtin' for what is known by name."""
    kind, colon, _ = spec.partition(":")
    return kind if colon and kind in SPELLED else "builtin"


def expression_of(pattern: str) -> re.Pattern[str]:
    """The regular expression of `--group`. Raises FillbenchError when it is none, or has no group."""
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise FillbenchError(f"--group '{pattern}' is no regular expression: {error}") from None
    if not expression.groups:
        raise FillbenchError(f"--group '{pattern}' has no group: put what names the patient in parentheses: '(p\\d+)_'")
    return expression


@dataclass
class Notes:
    """What reading finds: `facts` for the record, `warnings` for people, one sentence each."""

    facts: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def warn(self, sentence: str) -> None:
        """Adds a warning."""
        self.warnings.append(sentence)

    def as_json(self) -> dict[str, Any]:
        """All of it, as `Split.reading` has it."""
        return {**self.facts, "warnings": self.warnings}
