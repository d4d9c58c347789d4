"""How a user's own images are to be read, and what was found while reading them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, Literal

from ..errors import FillbenchError

FOLDER, OWN = ("folder",), ("folder", "npz")
MEANT_FOR = {
    "size": OWN,
    "flip": OWN,
    "drop_validation": OWN,
    "ground": FOLDER,
    "bits": FOLDER,
    "group": FOLDER,
    "max_megapixels": FOLDER,
}
SPELLED = {"folder": "folder:DIR", "npz": "npz:FILE"}


@dataclass(frozen=True)
class ReadOptions:
    """The reading flags of `benchmark run`, under their names there.

    `size`: pixels square. `bits`: the range of deep grey; None is found from the files. `group`: a regular expression
    whose first group names what a split may not tear apart. `max_megapixels`: None is Pillow's own limit.
    """

    size: int | None = None
    drop_validation: bool = False
    flip: bool = False
    ground: Literal["white", "black"] = "white"
    bits: int | None = None
    group: str | None = None
    deduplicate: bool = False
    max_megapixels: int | None = None

    def check(self, spec: str, kind: str) -> None:
        """Raises FillbenchError for an option that means nothing for data of this kind."""
        for option in fields(self):
            kinds = MEANT_FOR.get(option.name, (kind,))
            if kind not in kinds and getattr(self, option.name) != option.default:
                meant = " and ".join(SPELLED[name] for name in kinds)
                raise FillbenchError(f"--{option.name.replace('_', '-')} is for {meant}, not for {spec}")


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
