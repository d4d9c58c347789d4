"""Images side by side: a strip for the page, a sheet of them all for the folder of figures."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .theme import LIGHT, WIDTH, drawing, panels, png, short

Images = NDArray[np.uint8]
STRIP = 8  # images per strip
STRIP_BUDGET = 4_000_000  # raw bytes of all strips in the page together; larger images are shrunk


def side_of(strips: int) -> int:
    """How many pixels a side an image may have, where there are so many strips."""
    return min(96, max(24, int(np.sqrt(STRIP_BUDGET / max(1, strips * STRIP * 3)))))


def strip(images: Images, side: int) -> bytes:
    """The first of (N, H, W, C) side by side as a PNG, each near `side` pixels."""
    from matplotlib import image

    file = io.BytesIO()
    image.imsave(file, _row(images, side), format="png", metadata={"Software": ""})
    return file.getvalue()


def sheet(lines: Mapping[tuple[str, str], tuple[Images, Images]]) -> bytes:
    """A PNG with a line for each arm and class: kept images on the left, synthetic on the right."""
    drawn = [_line(*pair) for pair in lines.values()]
    high, wide = (max(line.shape[axis] for line in drawn) for axis in (0, 1))
    pixels = np.zeros((len(drawn) * (high + 6), wide, 4), dtype=np.uint8)
    for spot, line in enumerate(drawn):
        pixels[spot * (high + 6) : spot * (high + 6) + line.shape[0], : line.shape[1]] = line
    with drawing(LIGHT):
        figure, (axis,) = panels(1, 1, WIDTH * 0.85 * pixels.shape[0] / wide)
        axis.imshow(pixels, interpolation="nearest")
        names = [f"{short(arm)}  {short(name, 10)}" for arm, name in lines]
        axis.set_yticks([spot * (high + 6) + high / 2 for spot in range(len(drawn))], names)
        axis.set_xticks([wide / 4, wide * 3 / 4], ["kept", "synthetic"])
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        return png(figure)


def _line(kept: Images, made: Images) -> Images:
    """Kept images, a wide gap, synthetic images."""
    left, right = _row(kept, 48), _row(made, 48)
    gap = np.zeros((right.shape[0], right.shape[1] // 24, 4), dtype=np.uint8)
    return np.hstack([left, gap, right])


def _row(images: np.ndarray, size: int) -> np.ndarray:
    """The first images side by side as RGBA, each near `size` pixels, with a clear gap between."""
    cells = [_resized(image, size) for image in images[:STRIP]]
    high, wide = cells[0].shape[:2]
    gap = max(1, wide // 12)
    row = np.zeros((high, STRIP * (wide + gap), 4), dtype=np.uint8)
    for spot, cell in enumerate(cells):
        rgb = np.repeat(cell, 3, axis=2) if cell.shape[2] == 1 else cell[..., :3]
        row[:, spot * (wide + gap) : spot * (wide + gap) + wide, :3] = rgb
        row[:, spot * (wide + gap) : spot * (wide + gap) + wide, 3] = 255
    return row


def _resized(image: np.ndarray, size: int) -> np.ndarray:
    """Small images grow by whole factors, large ones shrink by the mean of blocks."""
    high, wide, channels = image.shape
    grow = max(1, size // max(high, wide))
    block = max(1, -(-max(high, wide) // size))
    if block == 1:
        return image.repeat(grow, axis=0).repeat(grow, axis=1)
    block = min(block, high, wide)
    image = image[: high // block * block, : wide // block * block]
    blocks = image.reshape(high // block, block, wide // block, block, channels)
    return blocks.mean(axis=(1, 3)).round().astype(np.uint8)
