"""The data sets known by name: scikit-learn's digits and breast cancer, and torchvision's from a data folder."""

from __future__ import annotations

import gzip
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import FillbenchError
from .base import Array, DataSet, Labels, Split, Traits
from .images import ImageTraits
from .split import FOLDS
from .tables import Column, TableTraits

Part = tuple[Array, Labels]
DIGITS = tuple("0123456789")
DIGITS_FILE = Path(__file__).with_name("digits.npz")
FASHION = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
DEBIAN_FASHION = (Path("/usr/share/datasets/fashion-mnist"), Path("/usr/share/dataset-fashion-mnist"))


@dataclass(frozen=True)
class Source:
    """A named data set: what it is, what its array means, and how to read both parts of it from the data folder.

    `files` says what is looked for below the data folder; empty when nothing has to be fetched.
    """

    summary: str
    traits: Traits
    read: Callable[[Path], tuple[Part, Part, tuple[str, ...]]]
    files: str = ""


def add(name: str, source: Source) -> None:
    """Adds a data set to those known by name, as plug-ins do. Raises FillbenchError for a name that is taken."""
    if name in DATASETS and DATASETS[name].read.__module__ != source.read.__module__:
        raise FillbenchError(f"two data sets are named '{name}'; rename one")
    DATASETS[name] = source


def load_named(name: str, data_dir: Path) -> Split:
    """Reads a named data set, downloading it into `data_dir` when it is not there.

    Raises FillbenchError when it is neither there nor to be had: what is missing, where to put it, what works.
    """
    source = DATASETS[name]
    try:
        train, test, names = source.read(data_dir)
    except (OSError, RuntimeError, ValueError) as error:
        raise FillbenchError(
            f"{name} could not be read or downloaded ({str(error).splitlines()[0]}). "
            f"Put {source.files} into {data_dir}, or point --data-dir to a folder that has it. "
            f"Works now, without network: {', '.join(offline())}, npz:FILE, folder:DIR"
        ) from None
    return Split(name, DataSet(*train, names, source.traits), DataSet(*test, names, source.traits))


def offline() -> list[str]:
    """The names that can be read here without any download."""
    return [name for name, b in DATASETS.items() if not b.files or (name == "fashion_mnist" and _debian_fashion())]


def _digits(_: Path) -> tuple[Part, Part, tuple[str, ...]]:
    """scikit-learn's `load_digits` in stratified halves (Alpaydin & Kaynak 1998, UCI, CC BY 4.0).

    They lie here, split, since scikit-learn takes seconds to import; a test holds them against it.
    """
    with np.load(DIGITS_FILE, allow_pickle=False) as stored:
        train, test = ((stored[f"{part}_x"], stored[f"{part}_labels"].astype(np.int64)) for part in ("train", "test"))
    return train, test, DIGITS


def _breast_cancer(_: Path) -> tuple[Part, Part, tuple[str, ...]]:
    """scikit-learn's `load_breast_cancer` (Wolberg 1995, UCI, CC BY 4.0), a quarter held back.

    Its file is read as it lies in that package, which takes seconds to import.
    """
    spec = importlib.util.find_spec("sklearn")
    assert spec is not None
    assert spec.origin is not None
    lines = Path(spec.origin).with_name("datasets").joinpath("data", "breast_cancer.csv").read_text().splitlines()
    names = tuple(lines[0].split(",")[2:])
    table = np.array([line.split(",") for line in lines[1:]], np.float64)
    x, labels = table[:, :-1].astype(np.float32), table[:, -1].astype(np.int64)
    held = np.zeros(len(labels), bool)
    for label in range(len(names)):
        own = np.random.default_rng(0).permutation(np.flatnonzero(labels == label))
        held[own[: len(own) // FOLDS]] = True
    return (x[~held], labels[~held]), (x[held], labels[held]), names


def _torchvision(name: str, *splits: dict[str, Any]) -> Callable[[Path], tuple[Part, Part, tuple[str, ...]]]:
    """A reader of torchvision's class `name`; `splits` are its arguments for the train and the test part.

    CIFAR's official files are pickles: torchvision opens them only after their MD5 matched the published one.
    """

    def read(data_dir: Path) -> tuple[Part, Part, tuple[str, ...]]:
        import torchvision.datasets

        parts = []
        for split in splits:
            try:
                part = getattr(torchvision.datasets, name)(data_dir, download=False, **split)
            except RuntimeError:  # torchvision's word for "not there, or damaged"
                part = getattr(torchvision.datasets, name)(data_dir, download=True, **split)
            images = np.asarray(part.data)
            labels = np.asarray(part.labels if hasattr(part, "labels") else part.targets, np.int64)
            if name == "SVHN":
                images = images.transpose(0, 2, 3, 1)
            parts.append((np.ascontiguousarray(images if images.ndim == 4 else images[..., None]), labels))
        names = tuple(part.classes) if name.startswith("CIFAR") else FASHION if "Fashion" in name else DIGITS
        return parts[0], parts[1], names

    return read


def _debian_fashion() -> Path | None:
    return next((path for path in DEBIAN_FASHION if (path / "train-images-idx3-ubyte.gz").is_file()), None)


def _idx(path: Path) -> np.ndarray:
    """The array in a gzipped IDX file, as the MNIST family is published."""
    raw = gzip.decompress(path.read_bytes())
    shape = [int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(raw[3])]
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _fashion(data_dir: Path) -> tuple[Part, Part, tuple[str, ...]]:
    debian = _debian_fashion()
    if debian is None or (data_dir / "FashionMNIST").is_dir():
        return _torchvision("FashionMNIST", {"train": True}, {"train": False})(data_dir)
    train, test = (
        (
            _idx(debian / f"{stem}-images-idx3-ubyte.gz")[..., None],
            _idx(debian / f"{stem}-labels-idx1-ubyte.gz"),
        )
        for stem in ("train", "t10k")
    )
    return (train[0], train[1].astype(np.int64)), (test[0], test[1].astype(np.int64)), FASHION


_NUCLEI = "radius texture perimeter area smoothness compactness concavity concave-points symmetry fractal-dimension"
_CELLS = TableTraits(tuple(Column(f"{of} {what}") for of in ("mean", "error of", "worst") for what in _NUCLEI.split()))
_HANDWRITTEN = ImageTraits(prompt="a handwritten digit {name}")
_CLOSE_UP = ImageTraits(prompt="a close-up of a handwritten digit {name}")  # they fill the frame
_PHOTO = ImageTraits(prompt="a photo of a {name}", flip=True)
_TRAIN_TEST = ({"train": True}, {"train": False})

DATASETS = {
    "digits": Source("scikit-learn's 8x8 handwritten digits, nothing to download", _CLOSE_UP, _digits),
    "breast-cancer": Source(
        "569 rows of 30 numbers: cell nuclei of tumours, nothing to download", _CELLS, _breast_cancer
    ),
    "mnist": Source(
        "28x28 handwritten digits (LeCun 1998)",
        _HANDWRITTEN,
        _torchvision("MNIST", *_TRAIN_TEST),
        "MNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz",
    ),
    "fashion_mnist": Source(
        "28x28 clothes (Xiao 2017); also from Debian's package dataset-fashion-mnist",
        ImageTraits(prompt="a grey product photo of a {name}", flip=True, rotate=10),
        _fashion,
        "FashionMNIST/raw/{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz",
    ),
    "cifar10": Source(
        "32x32 colour photos of 10 things (Krizhevsky 2009)",
        _PHOTO,
        _torchvision("CIFAR10", *_TRAIN_TEST),
        "cifar-10-python.tar.gz, or its folder cifar-10-batches-py,",
    ),
    "cifar100": Source(
        "32x32 colour photos of 100 things (Krizhevsky 2009)",
        _PHOTO,
        _torchvision("CIFAR100", *_TRAIN_TEST),
        "cifar-100-python.tar.gz, or its folder cifar-100-python,",
    ),
    "svhn": Source(
        "32x32 colour house numbers (Netzer 2011)",
        ImageTraits(prompt="a photo of the house number {name}"),
        _torchvision("SVHN", {"split": "train"}, {"split": "test"}),
        "train_32x32.mat and test_32x32.mat",
    ),
}
