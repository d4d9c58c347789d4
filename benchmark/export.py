"""Hands out the filled data set of one arm and seed, or its models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from .. import generators
from ..datasets import DataSet, Split
from ..datasets.frames import frame_of
from ..datasets.names import folder_of
from ..errors import FillbenchError, why
from ..records import Description, Record, Role, good_record, read_json, read_run
from .cache import CHECKSUMS, Store
from .shelf import Shelf

OWN_FILES = ("meta.json", CHECKSUMS)
FORMS = {"png": "images", "csv": "tables"}  # those that are for one kind of data


def export(run_dir: Path, arm: str, seed: int, form: str, target: Path) -> str:
    """Writes the kept real and the added images below `target`; returns what was written, in words.

    'npy': images.npy (N, H, W, C) uint8, labels.npy (N,) int64, is_added.npy (N,) bool, class_names.json, and
    what the generator left beside its images (prompts.json in the order of the added images, adapter.safetensors).
    'png', of images: real/<class>/*.png and added/<class>/*.png, with %XX for what a folder's name cannot have.
    Either can be given back as `from-files`: the npy folder, or `added`.
    'csv', of tables: real.csv and added.csv, with the class in the run's target column.
    Raises FillbenchError for an unknown arm or seed, a format for another kind of data, a cell that did not end well,
    or a cache that is gone.
    """
    run = read_run(run_dir)
    if FORMS.get(form, run["kind"]) != run["kind"]:
        raise FillbenchError(f"--format {form} is for {FORMS[form]}, not for {run['plural']}; give another --format")
    record = good_record(run_dir, run, arm, seed)
    store = Store(Path(run["config"]["cache"]).expanduser())
    data = store.find("datasets", run["dataset"]["fingerprint"])
    if data is None:
        raise FillbenchError(
            f"the {run['plural']} of this run are no longer in {store.root}; repeat it: {run['command']}"
        )
    whole = Split.open(data).train
    kept = np.array(read_json(run_dir / "manifests" / f"seed{seed}.json")["kept"])
    entry = _entry(record, store, run)
    (role,) = (one["role"] for one in run["arms"] if one["name"] == arm)
    added = _added(whole, kept, role, entry)
    _check_empty(target)
    try:
        column = run["config"].get("target") or "class"
        writers: dict[str, Callable[[DataSet, DataSet, Path], None]] = {
            "npy": _write_npy,
            "png": _write_png,
            "csv": partial(_write_csv, column=column),
        }
        writers[form](whole.take(kept), added, target)
        for file in entry.iterdir() if entry and form == "npy" else ():
            if file.is_file() and file.name not in OWN_FILES:
                shutil.copy2(file, target)
    except OSError as error:
        raise FillbenchError(f"folder '{target}' cannot be written ({why(error)}); choose another --to") from None
    counted = f"{len(kept)} real and {len(added)} added {run['plural']}"
    return f"{target}: {counted} of {run['dataset']['name']}, {arm}, seed {seed}"


def export_models(run_dir: Path, arm: str, seed: int, target: Path) -> str:
    """Writes the kept models of an arm below `target`; returns what was written, in words.

    classifier/ and, of an arm with a generator, generator/: safetensors and JSON. about.json says of what they are, and
    kept/ holds the real examples that a generator cannot sample without.
    Raises FillbenchError for an unknown arm or seed, a cell that did not end well, or models that were not kept.
    """
    shelf = Shelf(run_dir)
    record = good_record(run_dir, shelf.run, arm, seed)
    folders = {"classifier": shelf.classifier_entry(arm, seed)}
    (about,) = (one for one in shelf.run["arms"] if one["name"] == arm)
    real = False
    if record["fit_key"] is not None:
        source, folders["generator"] = shelf.generator_entry(arm, seed)
        real = generators.load(source).keeps_examples
    _check_empty(target)
    try:
        for name, folder in folders.items():
            shutil.copytree(folder, target / name, ignore=shutil.ignore_patterns(CHECKSUMS, "probabilities.npy"))
        shelf.classifier(arm, seed, "cpu").save(target / "classifier")  # with the shift of a strategy that has one
        if real:
            shelf.kept(seed).save(target / "kept")
        known = {key: shelf.run[key] for key in ("command", "dataset", "classifier", "versions")}
        (target / "about.json").write_text(json.dumps({"arm": about, "seed": seed, **known}, indent=1))
    except OSError as error:
        raise FillbenchError(f"folder '{target}' cannot be written ({why(error)}); choose another --to") from None
    told = f"; {arm} samples from the real {shelf.run['plural']} in kept/, which go with it" if real else ""
    return f"{target}: {' and '.join(sorted(folders))} of {arm}, seed {seed}{told}"


def _check_empty(target: Path) -> None:
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FillbenchError(f"folder '{target}' is not an empty folder; choose another --to")


def _entry(record: Record, store: Store, run: Description) -> Path | None:
    """The folder with what was made for a record; None where nothing was."""
    if record["fill_key"] is None:
        return None
    entry = store.find("fills", record["fill_key"])
    if entry is None:
        what = f"the {run['plural']} of {record['arm']}"
        raise FillbenchError(f"{what} are no longer in {store.root}; repeat the run: {run['command']}")
    return entry


def _added(whole: DataSet, kept: np.ndarray, role: Role, entry: Path | None) -> DataSet:
    if entry is not None:
        return DataSet.open(entry / "added")
    return whole.without(kept) if role == "ceiling" else whole.take(np.array([], np.int64))


def _write_npy(kept: DataSet, added: DataSet, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    both = kept.joined(added)
    np.save(target / "images.npy", both.x, allow_pickle=False)
    np.save(target / "labels.npy", both.labels, allow_pickle=False)
    np.save(target / "is_added.npy", np.arange(len(both)) >= len(kept), allow_pickle=False)
    (target / "class_names.json").write_text(json.dumps(both.class_names))


def _write_csv(kept: DataSet, added: DataSet, target: Path, column: str) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for part, data in (("real", kept), ("added", added)):
        frame_of(data, column).to_csv(target / f"{part}.csv", index=False)


def _write_png(kept: DataSet, added: DataSet, target: Path) -> None:
    for part, data in (("real", kept), ("added", added)):
        folders = [target / part / folder_of(name) for name in data.class_names]
        for label in np.unique(data.labels):
            folders[label].mkdir(parents=True, exist_ok=True)
        for index, (image, label) in enumerate(zip(data.x, data.labels, strict=True)):
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(folders[label] / f"{index:06d}.png")
