"""A user's own images as arrays: an npz file in MedMNIST's manner."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from ..errors import FillbenchError
from .base import DataSet, Images, Labels, Split
from .images import ImageTraits
from .names import part_of, plain
from .reading import Notes, ReadOptions
from .sizes import check_memory, choose_size, resize
from .split import hold_back, sides

MOST_CLASSES = 100_000

Part = tuple[Images, Labels]


def load_npz(path: Path, options: ReadOptions, notes: Notes) -> Split:
    """Reads `train_images`, `train_labels` and the same of `test` and `val`; without those, a quarter is held back.

    Raises FillbenchError for keys that are missing, arrays that will not do, or images that differ in shape.
    """
    arrays = read_arrays(path)
    parts = _parts(arrays, path)
    learned, tested = sides(parts, options.drop_validation, f"'{path}'", notes)
    if len({parts[part][0].shape[1:] for part in (*learned, *tested)}) > 1:
        shapes = ", ".join(f"{part} {images.shape[1:]}" for part, (images, _) in parts.items())
        raise FillbenchError(f"the images of '{path}' differ in shape: {shapes}")
    height, width = parts["train"][0].shape[1:3]
    size = choose_size([(height, width)], options.size, notes)
    names = class_names(arrays, max(int(labels.max(initial=0)) for _, labels in parts.values()), path)
    train, test = (_joined([parts[part] for part in side]) for side in (learned, tested or learned))
    if not tested:
        kept, held = hold_back(train[1], names)
        train, test = _at(train, kept), _at(train, held)
    traits = ImageTraits(flip=options.flip)
    learn, held_out = (DataSet(resize(images, size), labels, names, traits) for images, labels in (train, test))
    return Split(path.stem, learn, held_out)


def _parts(arrays: dict[str, np.ndarray], path: Path) -> dict[str, Part]:
    """Images and labels of each part that there is, by 'train', 'val' and 'test'."""
    found: dict[str, dict[str, str]] = {"train": {}}
    for key in arrays:
        head, _, what = key.rpartition("_")
        if (part := part_of(head)) and what in ("images", "labels"):
            if what in found.setdefault(part, {}):
                raise FillbenchError(f"'{path}' has both '{found[part][what]}' and '{key}'; leave one of them")
            found[part][what] = key
    parts = {}
    for part, keys in found.items():
        if absent := [what for what in ("images", "labels") if what not in keys]:
            raise FillbenchError(f"'{path}' has no '{part}_{absent[0]}'; it has: {', '.join(arrays) or 'nothing'}")
        images = as_images(arrays[keys["images"]], f"{keys['images']} of '{path}'")
        parts[part] = images, as_labels(arrays[keys["labels"]], len(images), f"{keys['labels']} of '{path}'")
    return parts


def _joined(parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def _at(part: Part, indices: np.ndarray) -> Part:
    return part[0][indices], part[1][indices]


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by key, or of an .npy file under the key 'images'; never a pickle.

    Raises FillbenchError when the file is missing, empty, damaged, holds Python objects or more than the memory.
    """
    try:
        check_memory(_bytes_of(path), f"the arrays of '{path}'", "save smaller images, or fewer")
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            arrays = {"images": loaded} if isinstance(loaded, np.ndarray) else {key: loaded[key] for key in loaded}
            return {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}  # not a zip's notes
    except FileNotFoundError:
        raise FillbenchError(f"file '{path}' does not exist") from None
    except ValueError as error:
        if "pickle" in str(error).lower():
            raise FillbenchError(
                f"'{path}' is no NumPy file, or holds pickled Python objects, which are never loaded; "
                "save plain uint8 arrays"
            ) from None
        raise FillbenchError(f"'{path}' cannot be read as an array file: {error}") from None
    except MemoryError as error:
        raise FillbenchError(f"'{path}' claims to hold more than this machine's memory: {error}") from None
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise FillbenchError(f"'{path}' is empty, cut off or damaged: {error}") from None


def _bytes_of(path: Path) -> int:
    """What a file's arrays take in memory."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def as_images(array: np.ndarray, where: str) -> Images:
    """(N, H, W), (N, H, W, 1) or (N, H, W, 3) with values 0..255 as (N, H, W, C) uint8.

    Raises FillbenchError for another shape, or values that are no 8-bit pixels.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        first = array.ndim == 4 and array.shape[1] in (1, 3)
        hint = "; channels come last: np.moveaxis(images, 1, -1)" if first else ""
        raise FillbenchError(
            f"{where} has the shape {array.shape}; needed: (N, H, W), or (N, H, W, C) with C 1 or 3{hint}"
        )
    if array.dtype != np.uint8:
        if array.dtype.kind == "f":
            raise FillbenchError(
                f"{where} holds {array.dtype} values; needed: uint8, 0 to 255. Multiply values from 0 to 1 by 255, "
                "round, and save them as uint8"
            )
        if array.dtype.kind not in "iu" or array.min() < 0 or array.max() > 255:
            raise FillbenchError(f"{where} holds {array.dtype} values; needed: uint8, 0 to 255")
        array = array.astype(np.uint8)
    return np.ascontiguousarray(array)


def as_labels(array: np.ndarray, count: int, where: str) -> Labels:
    """(N,) or MedMNIST's (N, 1) whole numbers from 0 as (N,) int64. Raises FillbenchError otherwise."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.shape != (count,):
        raise FillbenchError(f"{where} has the shape {array.shape}; needed: one label for each of {count} images")
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise FillbenchError(f"{where} holds NaN at index {np.flatnonzero(np.isnan(array))[0]}; needed: whole numbers")
    if array.dtype.kind not in "iu" or (len(array) and (array.min() < 0 or array.max() >= MOST_CLASSES)):
        raise FillbenchError(f"{where} holds {array.dtype} values; needed: whole numbers from 0, under {MOST_CLASSES}")
    return array.astype(np.int64)


def class_names(arrays: dict[str, np.ndarray], highest: int, path: Path) -> tuple[str, ...]:
    """The stored class names, or the labels as text.

    Raises FillbenchError when a label has no name, or two have the same.
    """
    if "class_names" not in arrays:
        return tuple(str(label) for label in range(highest + 1))
    names = tuple(plain(str(name)) for name in arrays["class_names"].ravel())
    if "" in names:
        raise FillbenchError(f"class_names of '{path}' leaves a class without a name")
    if len(set(names)) != len(names):
        raise FillbenchError(f"class_names of '{path}' names a class twice")
    if highest >= len(names):
        raise FillbenchError(f"'{path}' has the label {highest}, but only {len(names)} class_names")
    return names
