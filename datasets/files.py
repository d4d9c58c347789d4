"""A user's own images: an npz file in MedMNIST's manner, or a folder per class."""

from __future__ import annotations

import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ..errors import FillbenchError
from .base import DataSet, Images, Labels, Split
from .images import ImageTraits

MIXED_SIDE = 64
TEST_SHARE = 0.25
MOST_CLASSES = 100_000


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by key, or of an .npy file under the key 'images'; never a pickle.

    Raises FillbenchError when the file is missing, empty, damaged, or holds Python objects.
    """
    try:
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


def as_images(array: np.ndarray, where: str) -> Images:
    """(N, H, W), (N, H, W, 1) or (N, H, W, 3) with values 0..255 as (N, H, W, C) uint8.

    Raises FillbenchError for another shape, or values that are no 8-bit pixels.
    """
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or array.shape[-1] not in (1, 3) or 0 in array.shape:
        raise FillbenchError(f"{where} has the shape {array.shape}; needed: (N, H, W), or (N, H, W, C) with C 1 or 3")
    if array.dtype != np.uint8:
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
    if array.dtype.kind not in "iu" or (len(array) and (array.min() < 0 or array.max() >= MOST_CLASSES)):
        raise FillbenchError(f"{where} holds {array.dtype} values; needed: whole numbers from 0, under {MOST_CLASSES}")
    return array.astype(np.int64)


def resize(images: Images, size: tuple[int, int]) -> Images:
    """(N, H, W, C) uint8 to (N, *size, C) uint8, anti-aliased, in chunks."""
    if images.shape[1:3] == size:
        return images
    import torch
    from torch.nn.functional import interpolate

    chunks = []
    for start in range(0, len(images), 1024):
        pixels = torch.from_numpy(images[start : start + 1024]).permute(0, 3, 1, 2).float()
        smaller = interpolate(pixels, size, mode="bilinear", antialias=True, align_corners=False)
        chunks.append(smaller.round().clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy())
    return np.concatenate(chunks)


def load_npz(path: Path, size: int | None, drop_validation: bool, traits: ImageTraits) -> Split:
    """Reads `train_images`, `train_labels`, `test_images`, `test_labels`; `val_*` joins train unless dropped."""
    arrays = read_arrays(path)
    parts: dict[str, tuple[Images, Labels]] = {}
    for part in ("train", "val", "test"):
        keys = [f"{part}_images", f"{part}_labels"]
        absent = [key for key in keys if key not in arrays]
        if absent and not (part == "val" and len(absent) == 2):
            raise FillbenchError(f"'{path}' has no '{absent[0]}'; it has: {', '.join(arrays) or 'nothing'}")
        if not absent:
            images = as_images(arrays[keys[0]], f"{keys[0]} of '{path}'")
            images = resize(images, (size, size)) if size else images
            parts[part] = images, as_labels(arrays[keys[1]], len(images), f"{keys[1]} of '{path}'")
    if len({images.shape[1:] for images, _ in parts.values()}) > 1:
        shapes = ", ".join(f"{part} {images.shape[1:]}" for part, (images, _) in parts.items())
        raise FillbenchError(f"the images of '{path}' differ in shape: {shapes}")
    validation = parts.pop("val", None)
    if validation and not drop_validation:
        images, labels = parts["train"]
        parts["train"] = np.concatenate([images, validation[0]]), np.concatenate([labels, validation[1]])
    names = class_names(arrays, max(labels.max(initial=0) for _, labels in parts.values()), path)
    return Split(path.stem, DataSet(*parts["train"], names, traits), DataSet(*parts["test"], names, traits))


def class_names(arrays: dict[str, Any], highest: int, path: Path) -> tuple[str, ...]:
    """The stored class names, or the labels as text. Raises FillbenchError when a label has no name."""
    if "class_names" not in arrays:
        return tuple(str(label) for label in range(highest + 1))
    names = tuple(str(name) for name in arrays["class_names"].ravel())
    if len(set(names)) != len(names):
        raise FillbenchError(f"class_names of '{path}' names a class twice")
    if highest >= len(names):
        raise FillbenchError(f"'{path}' has the label {highest}, but only {len(names)} class_names")
    return names


def load_folder(path: Path, size: int | None, traits: ImageTraits) -> Split:
    """Reads `train/<class>/*` and `test/<class>/*`, or `<class>/*`, of which every fourth image is for testing.

    Raises FillbenchError for a file that is no image, a class that only one part has, or fewer than two classes.
    """
    if not path.is_dir():
        raise FillbenchError(f"folder '{path}' does not exist")
    parts = [path / "train", path / "test"] if (path / "train").is_dir() and (path / "test").is_dir() else [path]
    files = [list_classes(part) for part in parts]
    names = tuple(files[0])
    if len(names) < 2:
        raise FillbenchError(f"'{parts[0]}' has {len(names)} class folders; a classifier needs at least two")
    if len(parts) == 2 and set(files[0]) != set(files[1]):
        odd = sorted(set(files[0]) ^ set(files[1]))[0]
        raise FillbenchError(f"class '{odd}' is not in both '{parts[0]}' and '{parts[1]}'")
    paths = [file for part in files for name in names for file in part[name]]
    images = read_images(paths, (size, size) if size else None)
    labels = np.concatenate([np.repeat(np.arange(len(names)), [len(part[name]) for name in names]) for part in files])
    if len(parts) == 2:
        cut = sum(len(files[0][name]) for name in names)
        train, test = np.arange(cut), np.arange(cut, len(labels))
    else:
        train, test = stratified(labels, names)
    whole = DataSet(images, labels.astype(np.int64), names, traits)
    return Split(path.resolve().name, whole.take(train), whole.take(test))


def stratified(labels: np.ndarray, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Indices of a seeded split that holds a quarter of each class back for testing."""
    from sklearn.model_selection import train_test_split

    few = np.flatnonzero(np.bincount(labels) < 4)
    if len(few):
        raise FillbenchError(f"class '{names[few[0]]}' has fewer than 4 images: too few to hold a quarter back")
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
    return np.sort(train), np.sort(test)


def list_classes(path: Path) -> dict[str, list[Path]]:
    """The files of each class folder, by name; hidden files (.DS_Store and kin) don't count."""
    found = {}
    for folder in sorted(path.iterdir()):
        if folder.name.startswith("."):
            continue
        if not folder.name.isprintable():
            raise FillbenchError(f"the class folder {folder.name!r} has a name that cannot be printed; rename it")
        if not folder.is_dir():
            raise FillbenchError(f"'{folder}' lies where class folders are expected; move or delete it")
        found[folder.name] = sorted(f for f in folder.iterdir() if not f.name.startswith((".", "Thumbs.db")))
        if not found[folder.name]:
            raise FillbenchError(f"class folder '{folder}' is empty")
    return found


def read_images(paths: list[Path], size: tuple[int, int] | None) -> Images:
    """Image files as (N, H, W, C) uint8: grey when all are grey, else RGB; one size for all.

    Without `size`, images of one size keep it, and mixed ones become squares of their median side, 64 at most.
    """
    with ThreadPoolExecutor() as pool:
        headers = list(pool.map(_header, paths))
        mode = "L" if all(grey for _, grey in headers) else "RGB"
        sizes = np.array([header for header, _ in headers])
        if size is None:
            side = min(MIXED_SIDE, int(np.median(sizes)))
            size = (side, side) if len(np.unique(sizes, axis=0)) > 1 else (int(sizes[0][1]), int(sizes[0][0]))
        images = list(pool.map(lambda path: _decode(path, mode, size), paths))
    stacked = np.stack(images)
    return stacked if mode == "RGB" else stacked[..., None]


def _open(path: Path) -> Image.Image:
    try:
        return ImageOps.exif_transpose(Image.open(path))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FillbenchError(f"'{path}' is not an image that can be read ({error}); move or delete it") from None


def _header(path: Path) -> tuple[tuple[int, int], bool]:
    with _open(path) as image:
        return image.size, image.mode in ("1", "L", "LA") or image.mode[0] in "IF"


def _decode(path: Path, mode: str, size: tuple[int, int]) -> np.ndarray:
    with _open(path) as image:
        if image.mode[0] in "IF":
            image = Image.fromarray(_eight_bit(np.asarray(image), path))
        return np.asarray(
            image.convert(mode).resize(
                size[::-1], Image.Resampling.BOX if _shrinks(image, size) else Image.Resampling.BICUBIC
            )
        )


def _eight_bit(pixels: np.ndarray, path: Path) -> np.ndarray:
    """Deep grey as uint8: Pillow would clip it at 255. Raises FillbenchError for what has no known range."""
    if pixels.dtype.kind == "f" or pixels.min() < 0 or pixels.max() > 65535:
        raise FillbenchError(f"'{path}' holds {pixels.dtype} pixels of an unknown range; save it with 8 or 16 bits")
    return np.rint(pixels / 257 if pixels.dtype == np.uint16 or pixels.max() > 255 else pixels).astype(np.uint8)


def _shrinks(image: Image.Image, size: tuple[int, int]) -> bool:
    return image.height > size[0] and image.width > size[1]
