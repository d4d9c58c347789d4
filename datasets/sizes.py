"""One size for all images of a data set: which, how images get it, and what memory that takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import psutil
from PIL import Image

from ..errors import FillbenchError
from .base import Images
from .reading import Notes

LARGEST_SIDE = 256  # a common side of image archives, a little over the 224 that most classifiers were made for
ALIKE = 0.1  # sizes within this share of their median lose little by taking it
UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

Size = tuple[int, int]


def choose_size(sizes: Sequence[Size], asked: int | None, notes: Notes) -> Size:
    """(height, width) for images of `sizes`; says in `notes` what was chosen and why.

    `asked` pixels square; else the size that all have, the median of sizes that differ little, or a square of the
    median side; with the longer side at most 256.
    """
    different = np.unique(np.array(sizes), axis=0)
    middle = np.median(np.array(sizes), axis=0)
    if asked is not None:
        size, why = (asked, asked), "--size"
    elif len(different) == 1:
        size, why = _pair(middle), "that of all images"
    elif (np.abs(different - middle) <= ALIKE * middle).all():
        size, why = _pair(middle), "median of sizes that differ little"
    else:
        side = round(float(np.median(np.array(sizes))))
        size, why = (side, side), "median side of sizes that differ much"
    if asked is None and max(size) > LARGEST_SIDE:
        scale = LARGEST_SIDE / max(size)
        size = max(1, round(scale * size[0])), max(1, round(scale * size[1]))
        why += f", shrunk to {LARGEST_SIDE} pixels"
    notes.facts["size"] = {"height": size[0], "width": size[1], "why": why}
    if asked is None:
        _tell(different, size, why, notes)
    return size


def _tell(different: np.ndarray, size: Size, why: str, notes: Notes) -> None:
    """Warns where images do not keep their size."""
    smallest, largest = _pair(different[0]), _pair(different[-1])
    if len(different) > 1:
        distorts = ": those of a different shape are distorted" if "much" in why else ""
        notes.warn(
            f"the images have {len(different)} sizes, from {_words(smallest)} to {_words(largest)} (height x width); "
            f"all become {_words(size)}, the {why}{distorts}. --size PIXELS chooses another"
        )
    elif size != largest:
        notes.warn(
            f"the images of {_words(largest)} (height x width) become {_words(size)}, as larger ones cost much memory "
            f"and time. --size PIXELS chooses otherwise; more may need a smaller --set classifier.batch_size=…"
        )


def _pair(size: np.ndarray) -> Size:
    return max(1, round(float(size[0]))), max(1, round(float(size[1])))


def _words(size: Size) -> str:
    return f"{size[0]}x{size[1]}"


def resized(image: Image.Image, size: Size) -> Image.Image:
    """`image` in (height, width); bilinear, anti-aliased where it shrinks."""
    return image if image.size == size[::-1] else image.resize(size[::-1], Image.Resampling.BILINEAR)


def resize(images: Images, size: Size) -> Images:
    """(N, H, W, C) uint8 to (N, *size, C) uint8, as files are resized."""
    if images.shape[1:3] == size:
        return images
    new = np.empty((len(images), *size, images.shape[-1]), np.uint8)
    for index, pixels in enumerate(images):
        image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
        new[index] = np.asarray(resized(image, size)).reshape(new.shape[1:])
    return new


def free_memory() -> int:
    """Bytes that this machine can still give."""
    return psutil.virtual_memory().available


def check_memory(needed: int, what: str, hint: str) -> None:
    """Raises FillbenchError, with a hint what to do, when `what` needs more bytes than there are free."""
    free = free_memory()
    if needed > free:
        raise FillbenchError(
            f"{what} need {in_units(needed)} of memory, and {in_units(free)} are free on this machine; {hint}"
        )


def in_units(count: float) -> str:
    """Bytes in words: 3.2 GiB."""
    power = 0
    while count >= 1024 and power < len(UNITS) - 1:
        count, power = count / 1024, power + 1
    return f"{count:.1f} {UNITS[power]}" if power else f"{count:.0f} B"
