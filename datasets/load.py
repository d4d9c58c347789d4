"""From what the user names as a data set to images that can be trusted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import FillbenchError, did_you_mean
from .base import DataSet, Split
from .builtin import BUILTIN, load_builtin
from .duplicates import look_for_duplicates
from .folder import load_folder
from .npz import load_npz
from .reading import Notes, ReadOptions, kind_of

DIM = 32  # of 255: images whose brightest pixel is darker look black


def load(
    spec: str,
    data_dir: Path,
    size: int | None = None,
    drop_validation: bool = False,
    flip: bool = False,
    ground: Literal["white", "black"] = "white",
    bits: int | None = None,
    group: str | None = None,
    deduplicate: bool = False,
    max_megapixels: int | None = None,
) -> Split:
    """The data set called `spec`: a known name, `npz:FILE`, or `folder:DIR`; the rest are ReadOptions.

    Raises FillbenchError for an unknown name, an option that means nothing here, a file that cannot be read, or data
    that no classifier can learn.
    """
    options = ReadOptions(size, drop_validation, flip, ground, bits, group, deduplicate, max_megapixels)
    kind, notes = kind_of(spec), Notes()
    if kind in READERS:
        options.check(spec)
        split = READERS[kind](Path(spec.partition(":")[2]).expanduser(), options, notes)
    elif spec in BUILTIN:
        options.check(spec)
        split = load_builtin(spec, data_dir)
    else:
        known = did_you_mean(spec, BUILTIN)
        raise FillbenchError(f"unknown dataset '{spec}'; {known} Your own images: npz:FILE or folder:DIR")
    _check_counts(split, "")
    _check_pixels(split, notes)
    split = look_for_duplicates(split, deduplicate, notes)
    _check_counts(split, " after --deduplicate")
    return replace(split, reading=notes.as_json())


READERS = {"npz": load_npz, "folder": load_folder}


def _check_counts(split: Split, when: str) -> None:
    names = split.train.class_names
    if len(names) < 2:
        raise FillbenchError(f"dataset {split.name} has one class, '{names[0]}'; a classifier needs at least two")
    for part, data, least in (("train", split.train, 2), ("test", split.test, 1)):
        few = np.flatnonzero(data.counts() < least)
        if len(few):
            count = int(data.counts()[few[0]])
            raise FillbenchError(
                f"class '{names[few[0]]}' of {split.name} has {count} {part} images{when}; it needs at least {least}"
            )


def _check_pixels(split: Split, notes: Notes) -> None:
    """Raises FillbenchError for images that nothing can be learned from, and warns of what is likely a wrong range."""
    for part, images in (("train", split.train.x), ("test", split.test.x)):
        darkest, brightest = int(images.min()), int(images.max())
        if darkest == brightest:
            raise FillbenchError(
                f"every pixel of the {part} images of {split.name} is {darkest}: there is nothing to see; look whether "
                "the files hold what they should, and in which range"
            )
        if brightest == 1:
            raise FillbenchError(
                f"the pixels of the {part} images of {split.name} are 0 and 1, where 255 is white: multiply them by 255"
            )
        flat = images.reshape(len(images), -1)
        most = flat.max(axis=1)
        if np.median(most) < DIM:
            notes.warn(
                f"the brightest pixel of most {part} images is {np.median(most):.0f} of 255 or less, so they look "
                "black; if they use a smaller range, stretch it to 0 to 255, or give --bits where the files are deeper"
            )
        plain = int((flat.min(axis=1) == most).sum())
        if plain:
            notes.warn(f"{plain} of the {len(images)} {part} images are of one colour all over: nothing is on them")


def fingerprint(split: Split) -> str:
    """SHA-256 of everything a result may depend on: pixels, labels, names, traits."""
    digest = hashlib.sha256(repr((split.train.class_names, split.train.traits)).encode())
    for part in (split.train, split.test):
        digest.update(_bytes(part))
    return digest.hexdigest()


def _bytes(part: DataSet) -> bytes:
    digest = hashlib.sha256(repr(part.images.shape).encode())
    digest.update(np.ascontiguousarray(part.images).data)
    digest.update(np.ascontiguousarray(part.labels).data)
    return digest.digest()
