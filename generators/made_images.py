"""Images that were made elsewhere, from whatever files they lie in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ..datasets.base import DataSet, Images, Labels
from ..datasets.decode import read_images
from ..datasets.folder import list_classes
from ..datasets.names import class_of
from ..datasets.npz import as_images, as_labels, class_names, read_arrays
from ..datasets.reading import Notes, ReadOptions
from ..datasets.sizes import resize
from ..errors import FillbenchError
from .encoders.images import GREY
from .made_labels import labels_of_made

EXPORTED = ("images", "labels")


def made_images(path: Path, train: DataSet, notes: Notes) -> dict[int, Images]:
    """Every image at `path` by label, in the size, range and colours of `train`. Raises FillbenchError."""
    pool = {}
    size = train.images.shape[1], train.images.shape[2]
    for label, images in _found(path, train, notes).items():
        if images.max() <= 1 < train.x.max():
            raise FillbenchError(
                f"from-files: the images of '{train.class_names[label]}' in '{path}' are 0 and 1, where 255 is "
                "white: multiply them by 255"
            )
        if images.shape[1:3] != size:
            notes.warn(f"images of {images.shape[1]}x{images.shape[2]} are resized to {size[0]}x{size[1]}")
        pool[label] = recolour(resize(images, size), train.x.shape[-1])
    return pool


def _found(path: Path, train: DataSet, notes: Notes) -> dict[int, Images]:
    """The images at `path` by label, in any size and colours."""
    if path.is_file():
        return _of_npz(path, train)
    exported = {name: path / f"{name}.npy" for name in EXPORTED}
    if exported["images"].is_file() and exported["labels"].is_file() and not set(exported) & set(train.class_names):
        return _of_export(path, train)
    if arrays := sorted(path.glob("*.npy")):
        if any(file.is_dir() for file in path.iterdir()):
            raise FillbenchError(
                f"from-files: '{path}' has .npy files and folders; which hold the images? Move the others"
            )
        named = {class_of(file.stem): as_images(read_arrays(file)["images"], f"'{file}'") for file in arrays}
    else:
        options = ReadOptions(bits=train.traits.bits, ground=train.traits.ground)
        size = train.x.shape[1], train.x.shape[2]
        named = {name: read_images(files, options, notes, size)[0] for name, files in list_classes(path).items()}
    return {label: named[name] for name, label in labels_of_made(named, train, path).items()}


def _of_npz(path: Path, train: DataSet) -> dict[int, Images]:
    arrays = read_arrays(path)
    if not {"images", "labels"} <= set(arrays):
        raise FillbenchError(f"'{path}' needs the keys images and labels; it has: {', '.join(arrays)}")
    images = as_images(arrays["images"], f"images of '{path}'")
    labels = as_labels(arrays["labels"], len(images), f"labels of '{path}'")
    names = class_names(arrays, int(labels.max()), path) if "class_names" in arrays else None
    return _by_label(images, labels, names, path, train)


def _of_export(path: Path, train: DataSet) -> dict[int, Images]:
    """The added images of a folder that `benchmark export --format npy` wrote; all, where nothing tells which were."""
    images = as_images(read_arrays(path / "images.npy")["images"], f"'{path / 'images.npy'}'")
    labels = as_labels(read_arrays(path / "labels.npy")["images"], len(images), f"'{path / 'labels.npy'}'")
    names = _names_of_export(path / "class_names.json", int(labels.max()))
    if (marks := path / "is_added.npy").is_file():
        added = read_arrays(marks)["images"]
        if added.shape != labels.shape or added.dtype != bool:
            raise FillbenchError(
                f"'{marks}' is {added.dtype} of shape {added.shape}; needed: true or false for each of "
                f"{len(images)} images"
            )
        images, labels = images[added], labels[added]
    return _by_label(images, labels, names, path, train)


def _names_of_export(path: Path, highest: int) -> tuple[str, ...] | None:
    if not path.is_file():
        return None
    try:
        names = np.array(json.loads(path.read_text()), dtype=str)
    except (OSError, ValueError) as error:
        raise FillbenchError(f"'{path}' is no JSON list of names: {error}") from None
    return class_names({"class_names": names}, highest, path)


def _by_label(
    images: Images, labels: Labels, names: tuple[str, ...] | None, path: Path, train: DataSet
) -> dict[int, Images]:
    """Images by the data set's labels: found by `names`, or, without any, what `labels` say."""
    last = len(train.class_names) - 1
    if names is None and len(labels) and labels.max() > last:
        raise FillbenchError(f"from-files: '{path}' has the label {labels.max()}; this data has the labels 0 to {last}")
    there = np.unique(labels).tolist()
    own = there if names is None else labels_of_made((names[label] for label in there), train, path).values()
    return {of: images[labels == label] for label, of in zip(there, own, strict=True)}


def recolour(images: Images, channels: int) -> Images:
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=-1)
    return (images @ np.array(GREY)).round().clip(0, 255).astype(np.uint8)[..., None]
