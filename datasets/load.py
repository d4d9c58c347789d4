"""From what the user names as a data set to images that can be trusted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import DataSet, Split
from .builtin import BUILTIN, load_builtin
from .files import load_folder, load_npz
from .images import ImageTraits


def load(
    spec: str, data_dir: Path, size: int | None = None, drop_validation: bool = False, flip: bool = False
) -> Split:
    """The data set called `spec`: a known name, `npz:FILE`, or `folder:DIR`; `size` and `flip` are for the latter.

    Raises FillbenchError for an unknown name, a file that cannot be read, or data that no classifier can learn.
    """
    kind, colon, rest = spec.partition(":")
    if colon and kind == "npz":
        split = load_npz(Path(rest).expanduser(), size, drop_validation, ImageTraits(flip=flip))
    elif colon and kind == "folder":
        split = load_folder(Path(rest).expanduser(), size, ImageTraits(flip=flip))
    elif spec in BUILTIN:
        if size is not None or flip or drop_validation:
            raise FillbenchError(
                f"--size, --flip and --drop-validation are for npz:FILE and folder:DIR, not for {spec}"
            )
        split = load_builtin(spec, data_dir)
    else:
        known = did_you_mean(spec, BUILTIN)
        raise FillbenchError(f"unknown dataset '{spec}'; {known} Your own images: npz:FILE or folder:DIR")
    _check(split)
    return split


def _check(split: Split) -> None:
    names = split.train.class_names
    if len(names) < 2:
        raise FillbenchError(f"dataset {split.name} has one class, '{names[0]}'; a classifier needs at least two")
    for part, data, least in (("train", split.train, 2), ("test", split.test, 1)):
        few = np.flatnonzero(data.counts() < least)
        if len(few):
            count = int(data.counts()[few[0]])
            raise FillbenchError(
                f"class '{names[few[0]]}' of {split.name} has {count} {part} images; it needs at least {least}"
            )


def fingerprint(split: Split) -> str:
    """SHA-256 of everything a result may depend on: pixels, labels, names, traits."""
    digest = hashlib.sha256(repr((split.train.class_names, split.train.traits)).encode())
    for part in (split.train, split.test):
        digest.update(_bytes(part))
    return digest.hexdigest()


def _bytes(part: DataSet) -> bytes:
    digest = hashlib.sha256(repr(part.x.shape).encode())
    digest.update(np.ascontiguousarray(part.x).data)
    digest.update(np.ascontiguousarray(part.labels).data)
    return digest.digest()
