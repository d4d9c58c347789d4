"""Examples that were made elsewhere, so that any generator anywhere can be judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.base import Array, DataSet
from ..datasets.reading import Notes
from ..disk import sha256_of_all
from ..errors import CannotFill
from .base import Generator, register
from .made_images import made_images
from .made_rows import made_rows

READERS: dict[str, Callable[[Path, DataSet, Notes], dict[int, Array]]] = {"images": made_images, "tables": made_rows}


@register("from-files")
class FromFiles(Generator):
    """Examples made elsewhere: images, a folder or .npy per class, or one .npz (images, labels); rows, a CSV file."""

    kinds = tuple(READERS)
    external_data = True  # nobody can say what they were made from

    @dataclass(frozen=True)
    class Config:
        """`path`: DIR/<class>/*.png, DIR/<class>.npy, or FILE.npz with `images`, `labels`, maybe `class_names`.

        Without names, labels are those of the data set. A folder that `benchmark export` wrote will do: of npy, the
        added images are taken; of png, give its folder `added`. Of rows, a CSV or Parquet file with the columns of the
        data and one more for the names of classes, or the folder that `benchmark export --format csv` wrote.
        """

        path: str

    def available(self) -> str | None:
        """Says so when there is nothing at the path."""
        path = Path(self.config.path).expanduser()
        return None if path.exists() else f"'{path}' does not exist; set from-files.path to your files"

    def inputs(self) -> str:
        """The hash of every file below the path."""
        return sha256_of_all(Path(self.config.path).expanduser())

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        notes = Notes()
        self.class_names, self.plural = train.class_names, train.traits.plural
        self.pool = READERS[train.traits.kind](Path(self.config.path).expanduser(), train, notes)
        if notes.warnings:
            self.facts["warnings"] = notes.warnings

    def _sample(self, label: int, count: int) -> Array:
        have = len(self.pool.get(label, ()))
        if have < count:
            raise CannotFill(
                f"from-files: {have} {self.plural} of class '{self.class_names[label]}' in '{self.config.path}', "
                f"{count} are needed; add {self.plural}, or lower --fill"
            )
        return self.pool[label][np.sort(self.rng.permutation(len(self.pool[label]))[:count])]
