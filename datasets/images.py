"""Images: what is known of their domain, and what makes an array one of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..errors import FillbenchError
from .base import Array, DataSet, Images, Traits, register

DIM = 32  # of 255: images whose brightest pixel is darker look black


@register("images")
@dataclass(frozen=True)
class ImageTraits(Traits):
    """(N, H, W, C) uint8. How to name a class to a text-to-image model, and what leaves an image in its class.

    `prompt` has one field, `{name}`. `flip`: a mirror image is of the same class. `shift`: how far an image
    may be moved, as a share of its side. `rotate`: how far it may be turned, in degrees either way.
    The defaults are for images that nothing is known of.
    `bits` and `ground`: the range of grey and the colour behind transparency that the data set's files were read
    with, so that images made elsewhere are read likewise.
    """

    noun = "image"
    plural = "images"

    prompt: str = "a photo of a {name}"
    flip: bool = False
    shift: float = 0.125
    rotate: float = 15.0
    bits: int = 8
    ground: Literal["white", "black"] = "white"

    def complaint(self, x: object, like: Array) -> str | None:
        """Says so of what is no uint8 array of images as large as those of `like`."""
        if not isinstance(x, np.ndarray):
            return f"a {type(x).__name__}, not a NumPy array"
        if x.dtype != np.uint8:
            nan = " with NaN" if x.dtype.kind == "f" and np.isnan(x).any() else ""
            return f"{x.dtype} values{nan}, not uint8; scale to 0..255, round, clip, convert"
        return None if x.shape[1:] == like.shape[1:] else f"the shape {x.shape}, not {(*x.shape[:1], *like.shape[1:])}"

    def nearest(self, values: Array) -> Images:
        """Rounded and clipped to 0..255."""
        return np.asarray(values).round().clip(0, 255).astype(np.uint8)

    def doubts(self, x: Images, what: str) -> list[str]:
        """Warns of images that look black or blank; refuses those with nothing on them, or in a wrong range."""
        darkest, brightest = int(x.min()), int(x.max())
        if darkest == brightest:
            raise FillbenchError(
                f"every pixel of {what} is {darkest}: there is nothing to see; look whether the files hold what they "
                "should, and in which range"
            )
        if brightest == 1:
            raise FillbenchError(f"the pixels of {what} are 0 and 1, where 255 is white: multiply them by 255")
        found, flat = [], x.reshape(len(x), -1)
        most = flat.max(axis=1)
        if np.median(most) < DIM:
            found.append(
                f"the brightest pixel of most of {what} is {np.median(most):.0f} of 255 or less, so they look black; "
                "if they use a smaller range, stretch it to 0 to 255, or give --bits where the files are deeper"
            )
        if plain := int((flat.min(axis=1) == most).sum()):
            found.append(f"of {what}, {plain} of {len(x)} are of one colour all over: nothing is on them")
        return found

    @classmethod
    def toys(cls) -> dict[str, DataSet]:
        """Grey and square; in colour, with other height than width; with a class of two."""
        return {
            "grey images": toy((8, 8, 1), (24, 8, 6)),
            "colour images, also where height and width differ": toy((16, 12, 3), (24, 8, 6)),
            "a class of two images": toy((8, 8, 1), (24, 2, 6)),
        }


def toy(
    shape: tuple[int, int, int] = (8, 8, 1),
    counts: Sequence[int] = (12, 6, 5),
    names: Sequence[str] = (),
    **traits: Any,
) -> DataSet:
    """Noise around a bright bar, whose place tells the class, overlapping as real classes do: (N, *shape) uint8."""
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(len(counts)), counts)
    images = rng.integers(0, 120, (len(labels), *shape))
    for image, label in zip(images, labels, strict=True):
        left = 1 + label + int(rng.integers(0, 3))
        image[:, left : left + 2] += int(rng.integers(60, 130))
    names = tuple(names) or tuple(f"class {k}" for k in range(len(counts)))
    return DataSet(images.astype(np.uint8), labels.astype(np.int64), names, ImageTraits(**traits))
