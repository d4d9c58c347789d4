"""Names of classes in files that were made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..datasets.base import DataSet
from ..datasets.names import index_of
from ..errors import FillbenchError, did_you_mean


def labels_of_made(names: Iterable[str], train: DataSet, path: Path) -> dict[str, int]:
    """The labels of class names in a file of made examples.

    Raises FillbenchError for a name that is no class, and for two that are the same one.
    """
    found: dict[str, int] = {}
    for name in names:
        label = _label_of(name, train, path)
        if label in found.values():
            twin = next(known for known, of in found.items() if of == label)
            raise FillbenchError(f"from-files: '{path}' has '{twin}' and '{name}', which are one class; rename one")
        found[name] = label
    return found


def _label_of(name: str, train: DataSet, path: Path) -> int:
    label = index_of(name, train.class_names)
    if label is None:
        hint = did_you_mean(name, train.class_names)
        raise FillbenchError(
            f"from-files: '{path}' has {train.traits.plural} of '{name}', which is no class here; {hint}"
        )
    return label
