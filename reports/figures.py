"""Draws every figure twice, for a light and a dark page, and packs the sample images into strips."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from . import charts, heatmaps
from .records import Run
from .theme import DARK, LIGHT, WIDTH, Theme, drawing, lay_out_like, panels, png, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRIP = 8  # images per strip
STRIP_BUDGET = 4_000_000  # raw bytes of all strips in the page together; larger images are shrunk
CLASSES_SHOWN = 6


@dataclass(frozen=True)
class Picture:
    """A figure as two PNGs, and what it shows in words."""

    name: str
    alt: str
    light: bytes
    dark: bytes

    @property
    def sources(self) -> tuple[str, str]:
        """The light and the dark variant as data URIs."""
        return data_uri(self.light), data_uri(self.dark)


@dataclass(frozen=True)
class Strip:
    """One arm, one class: rows of kept images, of synthetic ones, and of the kept images nearest to those."""

    arm: str
    seed: int
    label: int
    real: np.ndarray | None
    synthetic: np.ndarray
    nearest: np.ndarray | None


Draw = Callable[[Run, pd.DataFrame, Theme], "Figure | None"]

FIGURES: dict[str, tuple[Draw, str]] = {
    "effects": (
        charts.effects,
        "Minority recall of every arm with its interval, its change against none, and that of the majority",
    ),
    "class-counts": (heatmaps.class_counts, "Images per class before and after filling, by arm"),
    "confusion": (heatmaps.confusion, "Row-normalised confusion matrix of every arm, summed over seeds"),
    "confusion-change": (heatmaps.confusion_change, "Confusion matrix of every arm minus that of none"),
    "recall-change": (heatmaps.recall_change, "Change of the recall of every class against none, by arm"),
    "loss": (charts.loss_curves, "Train and test loss of the classifier by step, one panel per arm"),
    "accuracy": (charts.accuracy_curves, "Test accuracy of the classifier by step, one panel per arm"),
    "generator-losses": (charts.generator_losses, "Losses that the generators logged, one panel per arm"),
    "cost": (charts.cost, "Seconds per seed and peak memory of every arm"),
}
SAMPLES = "samples"


def draw_all(run: Run, board: pd.DataFrame) -> dict[str, Picture]:
    """Every figure that has data, by name."""
    with drawing(LIGHT):
        drawn = {name: draw(run, board, LIGHT) for name, (draw, _) in FIGURES.items()}
        light = {name: (figure, png(figure)) for name, figure in drawn.items() if figure}
    found = {}
    with drawing(DARK):
        for name, (model, image) in light.items():
            draw, alt = FIGURES[name]
            figure = draw(run, board, DARK)
            assert figure is not None  # the same records drew the light one
            lay_out_like(figure, model)
            found[name] = Picture(name, alt, image, png(figure))
    return found


def strips_of(run: Run, board: pd.DataFrame) -> list[Strip]:
    """Samples of every arm and rare class from its first good seed that stored any."""
    found = []
    for arm in heatmaps.finished(run, board):
        for record in run.ok(arm):
            arrays = run.samples(record)
            made = [
                Strip(
                    arm,
                    record["seed"],
                    label,
                    arrays.get(f"real_{label}"),
                    arrays[f"synthetic_{label}"],
                    arrays.get(f"nearest_{label}"),
                )
                for label in run.minority[:CLASSES_SHOWN]
                if f"synthetic_{label}" in arrays
            ]
            if made:
                found += made
                break
    return found


def sample_sheet(run: Run, strips: list[Strip]) -> bytes | None:
    """figures/samples.png: a line per arm and class, kept images on the left, synthetic on the right."""
    if not strips:
        return None
    lines = [_line(strip) for strip in strips]
    high, wide = (max(line.shape[axis] for line in lines) for axis in (0, 1))
    sheet = np.zeros((len(lines) * (high + 6), wide, 4), dtype=np.uint8)
    for spot, line in enumerate(lines):
        sheet[spot * (high + 6) : spot * (high + 6) + line.shape[0], : line.shape[1]] = line
    with drawing(LIGHT):
        figure, (axis,) = panels(1, 1, WIDTH * 0.85 * sheet.shape[0] / wide)
        axis.imshow(sheet, interpolation="nearest")
        names = [f"{short(strip.arm)}  {short(run.class_names[strip.label], 10)}" for strip in strips]
        axis.set_yticks([spot * (high + 6) + high / 2 for spot in range(len(lines))], names)
        axis.set_xticks([wide / 4, wide * 3 / 4], ["kept", "synthetic"])
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        return png(figure)


def _line(strip: Strip) -> np.ndarray:
    """Kept images, a wide gap, synthetic images."""
    made = _row(strip.synthetic, 48)
    kept = _row(strip.real, 48) if strip.real is not None else np.zeros_like(made)
    gap = np.zeros((made.shape[0], made.shape[1] // 24, 4), dtype=np.uint8)
    return np.hstack([kept, gap, made])


def strip_uris(strips: list[Strip]) -> list[tuple[str, str, str]]:
    """For every strip the data URIs of its real, its synthetic and its nearest row; '' where there is none."""
    size = int(np.sqrt(STRIP_BUDGET / max(1, len(strips) * 3 * STRIP * 3)))
    size = min(96, max(24, size))

    def uri(images: np.ndarray | None) -> str:
        return "" if images is None else data_uri(_encode(_row(images, size)))

    return [(uri(strip.real), uri(strip.synthetic), uri(strip.nearest)) for strip in strips]


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


def _encode(image: np.ndarray) -> bytes:
    from matplotlib import image as images

    file = io.BytesIO()
    images.imsave(file, image, format="png", metadata={"Software": ""})
    return file.getvalue()


def data_uri(png_bytes: bytes) -> str:
    """A PNG as a URI that needs no file."""
    return "data:image/png;base64," + base64.b64encode(png_bytes).decode("ascii")
