"""What a data set is here: labelled images, a train and a test part, and what is known of the domain."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Traits:
    """What is known of a domain: how to name a class to a text-to-image model, and what leaves it that class.

    `prompt` has one field, `{name}`. `flip`: a mirror image is of the same class. `shift`: how far an image
    may be moved, as a share of its side. `rotate`: how far it may be turned, in degrees either way.
    The defaults are for images that nothing is known of.
    `bits` and `ground`: the range of grey and the colour behind transparency that the data set's files were read
    with, so that images made elsewhere are read likewise.
    """

    prompt: str = "a photo of a {name}"
    flip: bool = False
    shift: float = 0.125
    rotate: float = 15.0
    bits: int = 8
    ground: Literal["white", "black"] = "white"


@dataclass(frozen=True)
class ImageSet:
    """Images (N, H, W, C) uint8 with labels (N,) int64 that index `class_names`."""

    images: Images
    labels: Labels
    class_names: tuple[str, ...]
    traits: Traits = Traits()

    def __len__(self) -> int:
        return len(self.labels)

    def counts(self) -> NDArray[np.int64]:
        """Images per class, (K,) int64."""
        return np.bincount(self.labels, minlength=len(self.class_names)).astype(np.int64)

    def take(self, indices: NDArray[np.int64]) -> ImageSet:
        """A copy of the images at `indices`: nothing in it leads back to the others."""
        return replace(self, images=np.array(self.images[indices]), labels=np.array(self.labels[indices]))

    def without(self, indices: NDArray[np.int64]) -> ImageSet:
        """A copy of the images that are not at `indices`."""
        return self.take(np.setdiff1d(np.arange(len(self)), indices))

    def joined(self, other: ImageSet) -> ImageSet:
        """These images, then the other's."""
        images = np.concatenate([self.images, other.images])
        return replace(self, images=images, labels=np.concatenate([self.labels, other.labels]))


@dataclass(frozen=True)
class Split:
    """A data set by name, in its train and test parts.

    `reading`: JSON-able facts of how it was read; `reading["warnings"]` are sentences for people.
    """

    name: str
    train: ImageSet
    test: ImageSet
    reading: dict[str, Any] = field(default_factory=dict)
