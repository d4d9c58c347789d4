"""Images that were made elsewhere, so that any generator anywhere can be judged."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.base import DataSet, Images, Labels
from ..datasets.decode import read_images
from ..datasets.folder import list_classes
from ..datasets.names import class_of, index_of
from ..datasets.npz import as_images, as_labels, class_names, read_arrays
from ..datasets.reading import Notes, ReadOptions
from ..datasets.sizes import resize
from ..disk import sha256_of_all
from ..errors import CannotFill, FillbenchError, did_you_mean
from .base import Generator, register
from .encoders.images import GREY

EXPORTED = ("images", "labels")


@register("from-files")
class FromFiles(Generator):
    """Synthetic images made elsewhere: a folder or .npy per class, or one .npz (images, labels)."""

    external_data = True  # nobody can say what they were made from

    @dataclass(frozen=True)
    class Config:
        """`path`: DIR/<class>/*.png, DIR/<class>.npy, or FILE.npz with `images`, `labels`, maybe `class_names`.

        Without names, labels are those of the data set. A folder that `benchmark export` wrote will do: of npy, the
        added images are taken; of png, give its folder `added`.
        """

        path: str

    def available(self) -> str | None:
        """Says so when there is nothing at the path."""
        path = Path(self.config.path).expanduser()
        return None if path.exists() else f"'{path}' does not exist; set from-files.path to your images"

    def inputs(self) -> str:
        """The hash of every file below the path."""
        return sha256_of_all(Path(self.config.path).expanduser())

    def _fit(self, train: DataSet, labels: tuple[int, ...]) -> None:
        self.class_names = train.class_names
        self.pool = self._read(Path(self.config.path).expanduser(), train)

    def _sample(self, label: int, count: int) -> Images:
        have = len(self.pool.get(label, ()))
        if have < count:
            raise CannotFill(
                f"from-files: {have} images of class '{self.class_names[label]}' in '{self.config.path}', "
                f"{count} are needed; add images, or lower --fill"
            )
        return self.pool[label][np.sort(self.rng.permutation(len(self.pool[label]))[:count])]

    def _read(self, path: Path, train: DataSet) -> dict[int, Images]:
        """Every image at `path` by label, in the size, range and colours of `train`."""
        notes, pool = Notes(), {}
        size = train.images.shape[1], train.images.shape[2]
        for label, images in _found(path, train, notes).items():
            if images.max() <= 1 < train.x.max():
                raise FillbenchError(
                    f"from-files: the images of '{train.class_names[label]}' in '{path}' are 0 and 1, where 255 is "
                    "white: multiply them by 255"
                )
            if images.shape[1:3] != size:
                notes.warn(f"images of {images.shape[1]}x{images.shape[2]} are resized to {size[0]}x{size[1]}")
            pool[label] = _recolour(resize(images, size), train.x.shape[-1])
        if notes.warnings:
            self.facts["warnings"] = notes.warnings
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
    return {_label_of(name, train, path): images for name, images in named.items()}


def _label_of(name: str, train: DataSet, path: Path) -> int:
    label = index_of(name, train.class_names)
    if label is None:
        hint = did_you_mean(name, train.class_names)
        raise FillbenchError(f"from-files: '{path}' has images of '{name}', which is no class here; {hint}")
    return label


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
    return {
        int(label) if names is None else _label_of(names[label], train, path): images[labels == label]
        for label in np.unique(labels)
    }


def _recolour(images: Images, channels: int) -> Images:
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=-1)
    return (images @ np.array(GREY)).round().clip(0, 255).astype(np.uint8)[..., None]
