"""Image files to arrays: what each file shows, in the range, on the ground and of the size that all have."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..errors import FillbenchError
from .base import Images
from .reading import Notes, ReadOptions
from .sizes import Size, check_memory, choose_size, free_memory, in_units, resized

DEPTHS = (8, 10, 12, 14, 16)
GROUNDS = {"white": 255, "black": 0}
ORIENTATION = 0x112  # the Exif tag; from 5 on, height and width change places
PREMULTIPLIED = {"La": "LA", "RGBa": "RGBA"}
BYTES_A_PIXEL = 20  # at most, while one file is decoded, composed and converted


@dataclass(frozen=True)
class Header:
    """What a file says of itself before it is decoded."""

    size: Size
    grey: bool
    deep: bool
    frames: int
    deep_colour: bool


def read_images(
    paths: Sequence[Path], options: ReadOptions, notes: Notes, size: Size | None = None
) -> tuple[Images, int]:
    """Image files as (N, H, W, C) uint8, grey when all are grey, else RGB; and the bits that deep grey was read with.

    `size` is what all become; None is chosen from `options` and the files. What was found goes into `notes`.
    Raises FillbenchError for a file that cannot be read, a range that is unknown or too small, or too little memory.
    """
    with _without_pillows_limit() as limit:
        most = options.max_megapixels or limit
        with ThreadPoolExecutor(_processors()) as pool:
            headers = list(pool.map(lambda path: _header(path, most), paths))
        _tell(headers, paths, notes)
        size = _size([header.size for header in headers], size, options, notes)
        mode = "L" if all(header.grey for header in headers) else "RGB"
        shape = (len(paths), *size, len(mode))
        with ThreadPoolExecutor(_workers(headers, shape)) as pool:
            deep = [path for path, header in zip(paths, headers, strict=True) if header.deep]
            bits = _bits(deep, list(pool.map(_brightest, deep)), options.bits)
            images = np.empty(shape, np.uint8)

            def decode(index: int) -> bool:
                pixels, transparent = _decode(paths[index], mode, size, bits, options.ground)
                images[index] = pixels.reshape(shape[1:])
                return transparent

            transparent = sum(pool.map(decode, range(len(paths))))
    notes.facts["memory"] = in_units(images.nbytes)
    if deep:
        notes.facts["deep"] = len(deep)
    if transparent:
        notes.facts["transparent"] = transparent
        notes.warn(
            f"{transparent} of {len(paths)} images have transparent pixels, which are shown on {options.ground}; "
            "--ground white or black chooses"
        )
    return images, bits


class Uploaded(io.BytesIO):
    """The content of a file that lies on no disk, and what it was called."""

    def __init__(self, content: bytes, name: str) -> None:
        super().__init__(content)
        self.name = name

    def __repr__(self) -> str:
        return self.name


def read_uploaded(file: Uploaded, shape: tuple[int, ...], bits: int, ground: str, most_megapixels: float) -> Images:
    """One image in the shape (H, W, C) of a data set, read with its range and ground: (1, H, W, C) uint8.

    Raises FillbenchError for what is no image, damaged, or larger.
    """
    with _reading(file) as image:
        megapixels = image.width * image.height / 1e6
        if megapixels > most_megapixels:
            raise FillbenchError(f"'{file}' has {megapixels:.1f} megapixels; at most {most_megapixels:.0f} are read")
        deep = np.asarray(image).max() if image.mode[0] in "IF" else 0
    if deep >= 2**bits and bits > 8:
        raise FillbenchError(f"'{file}' holds {deep}, and the data set's images have {bits} bits")
    pixels, _ = _decode(file, "L" if shape[2] == 1 else "RGB", (shape[0], shape[1]), max(bits, 8), ground)
    return pixels.reshape(1, *shape)


@contextmanager
def _without_pillows_limit() -> Iterator[float]:
    """Takes Pillow's limit away, which is global and whose error names no remedy; hands it out, in megapixels."""
    limit = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield 2 * limit / 1e6 if limit else float("inf")  # at the limit itself Pillow warns, at twice it refuses
    finally:
        Image.MAX_IMAGE_PIXELS = limit


@contextmanager
def _reading(path: Path | Uploaded) -> Iterator[Image.Image]:
    """An open file; whatever goes wrong within is a FillbenchError that names it."""
    try:
        with Image.open(path) as image:
            yield image
    except FillbenchError:
        raise
    except Exception as error:  # a decoder may raise anything at a damaged file: Pillow promises no class
        reason = str(error) or type(error).__name__
        remedy = "; move or delete it" if isinstance(path, Path) else ""
        raise FillbenchError(f"'{path}' is not an image that can be read ({reason}){remedy}") from None


def _header(path: Path, max_megapixels: float) -> Header:
    with _reading(path) as image:
        _check_size(path, image, max_megapixels)
        height, width = image.height, image.width
        if _turned(image):
            height, width = width, height
        deep = image.mode[0] in "IF"
        # A photograph's second picture (MPO) is a preview or another angle, which nobody misses.
        frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
        return Header(
            size=(height, width),
            grey=deep or image.mode in ("1", "L", "LA", "La"),
            deep=deep,
            frames=frames,
            deep_colour=not deep and any(";16" in str(tile[3]) for tile in getattr(image, "tile", ())),
        )


def _turned(image: Image.Image) -> bool:
    """Whether an image that was not decoded yet lies on its side."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return False  # Pillow gives TIFF's size as it is when upright, and would decode a PNG to look for Exif
    return image.getexif().get(ORIENTATION, 1) >= 5


def _check_size(path: Path, image: Image.Image, max_megapixels: float) -> None:
    megapixels = image.width * image.height / 1e6
    if megapixels > max_megapixels:
        raise FillbenchError(
            f"'{path}' has {megapixels:.1f} megapixels, more than {max_megapixels:.0f}, as files do that are made to "
            f"fill the memory; if you trust it, --max-megapixels {math.ceil(megapixels)} lets it in"
        )


def _tell(headers: list[Header], paths: Sequence[Path], notes: Notes) -> None:
    """Warns of what will not be read of the files."""
    films = [index for index, header in enumerate(headers) if header.frames > 1]
    if films:
        left_out = sum(headers[index].frames - 1 for index in films)
        notes.facts["frames"] = {"files": len(films), "left_out": left_out}
        notes.warn(
            f"of {len(films)} files, such as '{paths[films[0]].name}', only the first of several frames is read: "
            f"{left_out} are left out. Save the frames that count as files of their own"
        )
    cut = [index for index, header in enumerate(headers) if header.deep_colour]
    if cut:
        notes.warn(
            f"{len(cut)} files, such as '{paths[cut[0]].name}', are 16-bit colour, of which the upper 8 bits are read: "
            "what uses fewer than 16 bits comes out dark. Save such files as 8-bit colour or 16-bit grey"
        )
    deep = sum(header.deep for header in headers)
    if 0 < deep < len(headers):
        notes.warn(f"{deep} of {len(headers)} images are deeper than 8 bits, the others are taken as they are")


def _size(sizes: list[Size], given: Size | None, options: ReadOptions, notes: Notes) -> Size:
    if given is None:
        return choose_size(sizes, options.size, notes)
    if others := sum(size != given for size in sizes):
        notes.warn(f"{others} of {len(sizes)} images are resized to {given[0]}x{given[1]}")
    return given


def _workers(headers: list[Header], shape: tuple[int, ...]) -> int:
    """As many threads as processors and memory allow.

    Raises FillbenchError when the decoded images, and one that is being decoded, have no room.
    """
    decoded = int(np.prod(shape, dtype=np.int64))
    one = BYTES_A_PIXEL * max(header.size[0] * header.size[1] for header in headers)
    what = f"{shape[0]} images of {shape[1]}x{shape[2]} with {shape[3]} channels"
    check_memory(decoded + one, what, "give a smaller --size, or fewer or smaller images")
    return int(min(_processors(), max(1, (free_memory() - decoded) // one)))


def _processors() -> int:
    return os.cpu_count() or 1


def _brightest(path: Path) -> int:
    """The largest value of a deep grey file. Raises FillbenchError for values of no known range."""
    with _reading(path) as image:
        pixels = np.asarray(image)
        if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65535:
            raise FillbenchError(f"'{path}' holds {pixels.dtype} pixels of an unknown range; save it with 8 or 16 bits")
        return int(pixels.max())


def _bits(paths: list[Path], brightest: list[int], asked: int | None) -> int:
    """The bits asked for, or the fewest that hold all values. Raises FillbenchError where those asked for don't."""
    most = max(brightest, default=0)
    fewest = next(bits for bits in DEPTHS if most < 2**bits)
    if asked is not None and most >= 2**asked:
        path = paths[brightest.index(most)]
        raise FillbenchError(
            f"'{path}' holds {most}, more than {asked} bits can; for a data set of such images give --bits {fewest}, "
            "and save images made elsewhere in the range of the real ones"
        )
    return asked or fewest


def _decode(path: Path | Uploaded, mode: str, size: Size, bits: int, ground: str) -> tuple[np.ndarray, bool]:
    """What the file shows, upright, and whether some of it is transparent."""
    with _reading(path) as opened:
        ImageOps.exif_transpose(opened, in_place=True)
        image: Image.Image = opened
        transparent = False
        if image.mode[0] in "IF":
            image, transparent = _eight_bits(image, bits, ground)
        elif image.has_transparency_data:
            image, transparent = _on_ground(image, ground)
        return np.asarray(resized(image.convert(mode), size)), transparent


def _eight_bits(image: Image.Image, bits: int, ground: str) -> tuple[Image.Image, bool]:
    """Deep grey as 8 bits, which Pillow would clip at 255."""
    values = np.asarray(image)
    pixels = np.rint(values.astype(np.float32) * (255 / (2**bits - 1))).astype(np.uint8)
    clear = values == image.info.get("transparency", -1)  # one value may stand for transparent
    pixels[clear] = GROUNDS[ground]
    return Image.fromarray(pixels), bool(clear.any())


def _on_ground(image: Image.Image, ground: str) -> tuple[Image.Image, bool]:
    """An image with alpha, or with a colour that stands for it, before a ground."""
    if image.mode in PREMULTIPLIED:
        image = image.convert(PREMULTIPLIED[image.mode])
    image = image.convert("RGBA")
    transparent = bool((np.asarray(image.getchannel("A")) < 255).any())
    behind = Image.new("RGBA", image.size, ground)
    behind.alpha_composite(image)
    return behind, transparent
