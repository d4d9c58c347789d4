"""Names of classes in files that were made elsewhere."""

from __future__ import annotations

from pathlib import Path

from ..datasets.base import DataSet
from ..datasets.names import index_of
from ..errors import FillbenchError, did_you_mean


def label_of_made(name: str, train: DataSet, path: Path) -> int:
    """The label of a class name in a file of made examples. Raises FillbenchError for a name that is no class."""
    label = index_of(name, train.class_names)
    if label is None:
        hint = did_you_mean(name, train.class_names)
        raise FillbenchError(
            f"from-files: '{path}' has {train.traits.plural} of '{name}', which is no class here; {hint}"
        )
    return label
