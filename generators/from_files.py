"""Images that were made elsewhere, so that any generator anywhere can be judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..datasets.base import DataSet, Images
from ..datasets.files import as_images, as_labels, class_names, list_classes, read_arrays, read_images, resize
from ..disk import sha256_of_all
from ..errors import CannotFill, FillbenchError, did_you_mean
from .base import Generator, register
from .encoders.images import GREY


@register("from-files")
class FromFiles(Generator):
    """Synthetic images made elsewhere: a folder or .npy per class, or one .npz (images, labels)."""

    external_data = True  # nobody can say what they were made from

    @dataclass(frozen=True)
    class Config:
        """`path`: DIR/<class>/*.png, DIR/<class>.npy, or FILE.npz with `images`, `labels`, maybe `class_names`."""

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
        """Every image at `path` by label, in the size and colours of `train`."""
        if path.is_file():
            found = _by_class(path)
        elif arrays := sorted(path.glob("*.npy")):
            found = {file.stem: as_images(read_arrays(file)["images"], f"'{file}'") for file in arrays}
        else:
            height, width = train.x.shape[1:3]
            found = {name: read_images(files, (height, width)) for name, files in list_classes(path).items()}
        pool = {}
        for name, images in found.items():
            if name not in train.class_names:
                hint = did_you_mean(name, train.class_names)
                raise FillbenchError(f"from-files: '{path}' has images of '{name}', which is no class here; {hint}")
            pool[train.class_names.index(name)] = _recolour(resize(images, train.x.shape[1:3]), train.x.shape[-1])
        return pool


def _by_class(path: Path) -> dict[str, Images]:
    arrays = read_arrays(path)
    if not {"images", "labels"} <= set(arrays):
        raise FillbenchError(f"'{path}' needs the keys images and labels; it has: {', '.join(arrays)}")
    images = as_images(arrays["images"], f"images of '{path}'")
    labels = as_labels(arrays["labels"], len(images), f"labels of '{path}'")
    names = class_names(arrays, int(labels.max()), path)
    return {names[label]: images[labels == label] for label in np.unique(labels)}


def _recolour(images: Images, channels: int) -> Images:
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return images.repeat(3, axis=-1)
    return (images @ np.array(GREY)).round().clip(0, 255).astype(np.uint8)[..., None]
