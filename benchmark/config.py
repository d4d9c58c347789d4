"""What a run is told to do: defaults, then a preset, then the flags."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ..errors import FillbenchError, did_you_mean, why
from ..settings import MOST_FILL, build, check_amount

if TYPE_CHECKING:
    from ..datasets.reading import ReadOptions

PRESETS = Path(__file__).parent / "presets"
Settings = dict[str, dict[str, Any]]  # of generators and of the classifier: {"dcgan": {"steps": 500}}
IMBALANCE = ("minority", "keep", "imbalance_ratio", "fill", "profile")


def option(default: Any, help: str, metavar: str = "") -> Any:
    """A field of RunConfig, which is an option of the command line and a YAML key too."""
    metadata = {"help": help, "metavar": metavar}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def default_cache() -> Path:
    """Where finished work is kept when `--cache` is not given."""
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "fillbench"


@dataclass(frozen=True)
class RunConfig:
    """One field per option of `benchmark run`; YAML keys are the options' names."""

    generators: tuple[str, ...] = option(("all",), "Generators to compare: all, or names with commas.", "NAMES")
    dataset: str = option(
        "digits", "A data set by name, npz:FILE, folder:DIR, csv:FILE, parquet:FILE, pkg:NAME, openml:ID.", "DATASET"
    )
    size: int | None = option(None, "Resize your own images (npz:, folder:) to this many pixels square.", "PIXELS")
    flip: bool = option(False, "Your own images: a mirror image is of the same class, so augmentation may flip.")
    drop_validation: bool = option(False, "Leave your own validation images out, instead of adding them to train.")
    ground: Literal["white", "black"] = option(
        "white", "What transparent pixels of your own files are shown on: white or black.", "COLOUR"
    )
    bits: int | None = option(
        None, "Range of your own grey files over 8 bits: 12 for 0 to 4095.  [default: found from all of them]", "BITS"
    )
    group: str | None = option(
        None,
        "What a split may not tear apart: a regular expression over file names whose first group names the patient; of "
        "a table, a column.",
        "REGEX|COLUMN",
    )
    deduplicate: bool = option(
        False, "Drop from train what is also in test, all but one of what is repeated, and what is under two classes."
    )
    max_megapixels: int | None = option(
        None, "The largest of your own files that is read.  [default: Pillow's limit, 179]", "N"
    )
    target: str | None = option(None, "The column of your own table that holds the classes.", "COLUMN")
    drop: tuple[str, ...] = option((), "Columns of your own table to leave out.", "COLUMNS")
    positive: str | None = option(None, "The one class of the target that is asked about, against all others.", "NAME")
    test: str | None = option(None, "A file with the test rows.  [default: a quarter of each class]", "FILE")
    split_seed: int = option(0, "Which quarter of your own table is held back for testing.", "N")
    categorical: tuple[str, ...] = option((), "Columns of numbers that are categories.", "COLUMNS")
    numeric: tuple[str, ...] = option((), "Columns of text that are numbers.", "COLUMNS")
    minority: tuple[str, ...] = option(
        ("auto",),
        "Classes to fill, by name or label (a name with a comma in double quotes); auto: under half the largest.",
        "NAMES",
    )
    keep: float | int | None = option(
        None, "Thin the minority to a share (0.1) or a count (300) of its images.", "NUMBER"
    )
    profile: Literal["step", "longtail"] = option("step", "Shape of the imbalance: step or longtail.", "PROFILE")
    imbalance_ratio: float | None = option(None, "Largest over smallest class of a long tail.  [default: 100]", "RATIO")
    fill: float | int = option(
        1.0, "Fill this share of the gap to the largest class (2.0: twice the gap), or this many images.", "NUMBER"
    )
    seeds: int = option(3, "How many seeds: 0, 1, 2, …; the digits have 5.", "N")
    strategies: tuple[str, ...] = option(
        ("ce",), "How the classifier is trained on what each generator filled, and on none.", "NAMES"
    )
    controls: Literal["none", "cheap", "all"] = option(
        "cheap", "What filling has to beat: none, cheap (oversampling, and what costs as little) or all.", "WHICH"
    )
    tstr: bool = option(False, "Also train on each generator's images in place of the real rare ones, test on real.")
    filter: Literal["confidence", "entropy"] | None = option(
        None,
        "Also each generator with a filter: of three times as many, what a classifier of the kept examples takes for "
        "the class (confidence), or is neither sure nor at a loss about (entropy).",
        "confidence|entropy",
    )
    synthetic_weight: float = option(
        1.0, "How much a synthetic example counts in the classifier's loss, beside 1 of a real one.", "W"
    )
    classifier_seeds: int = option(
        1, "Classifiers trained for every seed's filled data; 2 or more tell seeds apart.", "N"
    )
    sensitivity: bool = option(
        False, "Also train the leading arms and the controls at half and twice the learning rate and steps."
    )
    classifier: str | None = option(None, "Any timm model.  [default: resnet18]", "MODEL")
    pretrained: bool = option(False, "Start the classifier from timm's pretrained weights.")
    steps: int | None = option(None, "Optimiser steps of the classifier.  [default: 15 epochs of the full set]", "N")
    tune: int = option(
        0, "Tables: trials that choose the classifier's settings for every arm, on folds of its training rows.", "N"
    )
    set: Settings = option(dict, "A setting of a generator or of the classifier: dcgan.steps=500.", "NAME.KEY=VALUE")
    plugin: tuple[str, ...] = option(tuple, "A Python file that registers generators.", "FILE")
    keep_models: bool = option(False, "Keep the fitted generators and the trained classifiers in the run folder.")
    workers: int | None = option(None, "Worker processes.  [default: fits the machine]", "N")
    device: str = option("auto", "auto, cpu, cuda, cuda:1, mps.", "DEVICE")
    data_dir: str = option("data", "Where torchvision's data sets are, or are downloaded to.", "DIR")
    cache: str = option(
        lambda: str(default_cache()), "Where finished work is kept.  [default: ~/.cache/fillbench]", "DIR"
    )
    out: str | None = option(None, "Run folder; give a former one to resume.  [default: runs/DATASET-DATE-TIME]", "DIR")

    where_and_how: ClassVar[tuple[str, ...]] = ("sensitivity", "keep_models", "workers", "data_dir", "cache", "out")
    """The fields that no record depends on."""


def preset_names() -> list[str]:
    """The names of the built-in presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def read_preset(name: str) -> dict[str, Any]:
    """The settings of a built-in preset, or of a YAML file, under the names of RunConfig's fields.

    Raises FillbenchError for an unknown preset, a file that is no YAML mapping, or an unknown key.
    """
    import yaml

    path = PRESETS / f"{name}.yaml"
    if not path.is_file():
        path = Path(name).expanduser()
        if path.suffix not in (".yaml", ".yml"):
            raise FillbenchError(f"unknown preset '{name}'; {did_you_mean(name, preset_names())}")
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise FillbenchError(f"preset file '{path}' cannot be read: {why(error)}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FillbenchError(f"preset file '{path}' is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise FillbenchError(f"preset file '{path}' must hold keys and values, such as 'dataset: digits'")
    known = {f.name.replace("_", "-") for f in fields(RunConfig)} | {"about"}
    for key in content:
        if key not in known:
            raise FillbenchError(f"preset file '{path}' has the unknown key '{key}'; {did_you_mean(str(key), known)}")
    return {key.replace("-", "_"): value for key, value in content.items() if key != "about" and value is not None}


def resolve(flags: Mapping[str, Any], preset: str | None = None) -> RunConfig:
    """Defaults, under `preset`, or without one the preset named after the data set, under `flags` (None: not given).

    A profile other than a preset's takes none of that preset's imbalance.
    Raises FillbenchError for an unknown key or a value that will not do.
    """
    given = {key: value for key, value in flags.items() if value is not None and value != ()}
    given = {key: str(value) if isinstance(value, Path) else value for key, value in given.items()}
    chosen = read_preset(preset) if preset else {}
    dataset = given.get("dataset", chosen.get("dataset", "digits"))
    base = read_preset(dataset) if dataset in preset_names() and preset not in preset_names() else {}
    profile = next((layer["profile"] for layer in (given, chosen) if "profile" in layer), "step")
    merged: dict[str, Any] = {}
    settings: Settings = {}
    for layer in (base, chosen, given):
        fits = layer is given or layer.get("profile", "step") == profile
        merged |= {key: value for key, value in layer.items() if fits or key not in IMBALANCE}
        for name, own in _settings(layer.get("set", {})).items():
            # A built-in preset speaks of generators that this run may not have.
            built_in = layer is base or (layer is chosen and preset in preset_names())
            if not built_in or _concerns(name, flags, chosen):
                settings[name] = settings.get(name, {}) | own
    merged |= {"profile": profile, "set": settings}
    for name in ("generators", "minority", "plugin", "strategies", "drop", "categorical", "numeric"):
        if name in merged:
            merged[name] = words_of(merged[name])
    for name in ("keep", "fill"):
        if isinstance(merged.get(name), str):
            merged[name] = _number(name, merged[name])
    config = build(RunConfig, merged, "benchmark run")
    _check(config)
    return config


def _concerns(name: str, *layers: Mapping[str, Any]) -> bool:
    """Whether it is the classifier, or a generator that the first layer to name any names."""
    names = next((words_of(layer["generators"]) for layer in layers if layer.get("generators")), ("all",))
    return "all" in names or name in ("classifier", *names)


def words_of(value: Any) -> tuple[str, ...]:
    """`3,5`, `[3, 5]` or `3` as ('3', '5'); in a text, what has a comma of its own is in double quotes."""
    if isinstance(value, str):
        rows = csv.reader(io.StringIO(value, newline=""), skipinitialspace=True)
        parts: Any = [word for row in rows for word in row]
    else:
        parts = value if isinstance(value, list | tuple) else [value]
    return tuple(word.strip() for part in parts if (word := str(part)).strip())


def in_commas(words: tuple[str, ...]) -> str:
    """The text that `words_of` reads back."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(words)
    return text.getvalue()


def _number(name: str, text: str) -> int | float:
    """A whole number is a count, one with a point is a share."""
    try:
        return int(text) if text.strip().lstrip("+-").isdigit() else float(text)
    except ValueError:
        raise FillbenchError(
            f"--{name} {text!r} will not do: give a share such as 0.1, or a count such as 300"
        ) from None


def _settings(value: Any) -> Settings:
    """`--set` as {'dcgan': {'steps': 500}}: from texts 'dcgan.steps=500', or a mapping of YAML, flat or nested."""
    if not isinstance(value, Mapping | list | tuple):
        raise FillbenchError(f"set: {value} will not do: write keys and values, such as dcgan.steps: 500")
    settings: Settings = {}
    for item in value.items() if isinstance(value, Mapping) else map(str, value):
        name, setting = item if isinstance(item, tuple) else map(str.strip, item.partition("=")[::2])
        if isinstance(setting, Mapping):
            settings.setdefault(str(name), {}).update(setting)
            continue
        name, dot, key = str(name).partition(".")
        if not (name and dot and key) or (isinstance(item, str) and "=" not in item):
            text = item if isinstance(item, str) else f"{item[0]}={item[1]}"
            raise FillbenchError(f"--set {text} will not do: write NAME.KEY=VALUE, such as dcgan.steps=500")
        settings.setdefault(name, {})[key] = setting
    return settings


def read_options(config: RunConfig) -> ReadOptions:
    """What `config` says of reading the data set."""
    from ..datasets.reading import ReadOptions  # brings NumPy, and `--help` must not wait for it

    return ReadOptions(**{f.name: getattr(config, f.name) for f in fields(ReadOptions)})


def _check(config: RunConfig) -> None:
    """What no type can say. Raises FillbenchError."""
    for name in ("keep", "fill", "imbalance_ratio"):
        value = getattr(config, name)
        if value is not None and not math.isfinite(value):
            raise FillbenchError(f"--{name.replace('_', '-')} {value} will not do: give a finite number")
    for name, whole, most in (("keep", "the class", 1.0), ("fill", "the gap", MOST_FILL)):
        value = getattr(config, name)
        if value is not None:
            check_amount(name, value, whole, most)
    for name in ("seeds", "classifier_seeds", "workers"):
        value = getattr(config, name)
        if value is not None and value < 1:
            raise FillbenchError(f"--{name.replace('_', '-')} {value} will not do: give 1 or more")
    if not (0 < config.synthetic_weight < math.inf):
        raise FillbenchError(
            f"--synthetic-weight {config.synthetic_weight} will not do: give a finite number above 0, such as 0.5"
        )
    if config.tune and config.tstr:
        raise FillbenchError("--tune is validated on the real rows of the rare classes, which --tstr leaves out")
    if config.sensitivity:
        _enough_seeds(config.seeds)
    read_options(config).check(config.dataset)
    if not config.strategies:
        raise FillbenchError("--strategies names none; give names, such as ce")
    if not config.generators:
        raise FillbenchError("--generators names none; give names, or all")
    if config.profile == "longtail" and config.keep is not None:
        raise FillbenchError("--keep belongs to --profile step; a long tail takes --imbalance-ratio")
    if config.profile == "step" and config.imbalance_ratio is not None:
        raise FillbenchError("--imbalance-ratio belongs to --profile longtail; a step takes --keep")
    if config.keep is not None and config.minority == ("auto",):
        raise FillbenchError("--keep needs --minority: which classes are to be thinned?")


def _enough_seeds(seeds: int) -> None:
    """Raises FillbenchError where there are too few for verdicts."""
    from ..reports.comparisons import FEWEST_SEEDS  # brings SciPy

    if seeds < FEWEST_SEEDS:
        raise FillbenchError(
            f"--sensitivity asks whether verdicts change, and there are none with --seeds {seeds}: "
            f"give {FEWEST_SEEDS} or more"
        )
