"""The data of a run: read, thinned and looked at, without PyTorch, so that what is wrong with it is told at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from ..datasets import Split, fingerprint, load
from ..datasets.imbalance import (
    Counts,
    Manifest,
    deficits,
    find_classes,
    longtail_targets,
    rare_classes,
    step_targets,
    thin,
)
from ..registry import load_plugin
from .config import RunConfig, read_options
from .precheck import precheck, precheck_classifier

RATIO = 100  # of a long tail that is not told another


@dataclass(frozen=True)
class Data:
    """A data set with its imbalance: the minority's labels, what each seed keeps, how many each class is to be given.

    `removed`: how many training examples no seed keeps.
    """

    split: Split
    minority: tuple[int, ...]
    manifests: dict[int, Manifest]
    deficits: dict[int, int]
    removed: int


def prepare(config: RunConfig) -> Data:
    """Reads and thins the data. Raises FillbenchError for names, files, classes and amounts that will not do."""
    precheck(config)
    return thinned(config, read(config))


def read(config: RunConfig) -> Split:
    """The data set as it is. Raises FillbenchError where it cannot be read."""
    for path in config.plugin:
        load_plugin(Path(path).expanduser())  # it may bring data sets and kinds of data
    return load(config.dataset, Path(config.data_dir).expanduser(), **asdict(read_options(config)))


def thinned(config: RunConfig, split: Split) -> Data:
    """What each seed keeps of a data set, and lacks. Raises FillbenchError for classes and amounts that will not do."""
    precheck_classifier(config, split.train.traits.kind)
    minority, target = _imbalance(config, split)
    lacking = deficits(target, minority, config.fill)
    digest = fingerprint(split)
    manifests = {seed: Manifest(digest, seed, thin(split.train.labels, target, seed)) for seed in range(config.seeds)}
    return Data(split, minority, manifests, lacking, len(split.train) - int(target.sum()))


def _imbalance(config: RunConfig, split: Split) -> tuple[tuple[int, ...], Counts]:
    """The minority's labels, and how many examples each class keeps."""
    counts = split.train.counts()
    named = () if config.minority == ("auto",) else find_classes(config.minority, split.train.class_names)
    if config.profile == "longtail":
        target = longtail_targets(counts, RATIO if config.imbalance_ratio is None else config.imbalance_ratio)
    else:
        target = counts if config.keep is None else step_targets(counts, named, config.keep)
    return named or rare_classes(target), target
