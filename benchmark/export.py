"""Hands out the filled data set of one arm and seed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

from ..datasets import DataSet, Split
from ..datasets.names import folder_of
from ..errors import FillbenchError, did_you_mean, why
from .cache import CHECKSUMS, Store
from .rundir import read_json, read_run

OWN_FILES = ("meta.json", CHECKSUMS)


def export(run_dir: Path, arm: str, seed: int, form: str, target: Path) -> str:
    """Writes the kept real and the added images below `target`; returns what was written, in words.

    'npy': images.npy (N, H, W, C) uint8, labels.npy (N,) int64, is_added.npy (N,) bool, class_names.json, and
    what the generator left beside its images (prompts.json in the order of the added images, adapter.safetensors).
    'png': real/<class>/*.png and added/<class>/*.png, with %XX for what a folder's name cannot have.
    Either can be given back as `from-files`: the npy folder, or `added`.
    Raises FillbenchError for an unknown arm or seed, a cell that did not end well, or a cache that is gone.
    """
    run = read_run(run_dir)
    record = _record(run_dir, run, arm, seed)
    store = Store(Path(run["config"]["cache"]).expanduser())
    data = store.find("datasets", run["dataset"]["fingerprint"])
    if data is None:
        raise FillbenchError(f"the images of this run are no longer in {store.root}; repeat it: {run['command']}")
    whole = Split.open(data).train
    kept = np.array(read_json(run_dir / "manifests" / f"seed{seed}.json")["kept"])
    entry = _entry(record, store, run["command"])
    added = _added(whole, kept, record, entry)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FillbenchError(f"folder '{target}' is not an empty folder; choose another --to")
    try:
        {"npy": _write_npy, "png": _write_png}[form](whole.take(kept), added, target)
        for file in entry.iterdir() if entry and form == "npy" else ():
            if file.is_file() and file.name not in OWN_FILES:
                shutil.copy2(file, target)
    except OSError as error:
        raise FillbenchError(f"folder '{target}' cannot be written ({why(error)}); choose another --to") from None
    return f"{target}: {len(kept)} real and {len(added)} added images of {run['dataset']['name']}, {arm}, seed {seed}"


def _record(run_dir: Path, run: dict, arm: str, seed: int) -> dict:
    arms = [a["name"] for a in run["arms"]]
    if arm not in arms:
        raise FillbenchError(f"this run has no arm '{arm}'; {did_you_mean(arm, arms)}")
    if seed not in run["seeds"]:
        raise FillbenchError(f"this run has no seed {seed}; it has: {', '.join(map(str, run['seeds']))}")
    path = run_dir / "cells" / f"{arm}-seed{seed}.json"
    if not path.is_file():
        raise FillbenchError(f"{arm} seed {seed} has not been run yet; go on with: {run['command']} --out {run_dir}")
    record = read_json(path)
    if record["status"] != "ok":
        raise FillbenchError(f"{arm} seed {seed} {record['status']}: {record['reason']}")
    return record


def _entry(record: dict, store: Store, command: str) -> Path | None:
    """The folder with the synthetic images of a record; None for a reference."""
    if record["arm"] in ("none", "full"):
        return None
    entry = store.find("fills", record["fill_key"])
    if entry is None:
        raise FillbenchError(f"the images of {record['arm']} are no longer in {store.root}; repeat the run: {command}")
    return entry


def _added(whole: DataSet, kept: np.ndarray, record: dict, entry: Path | None) -> DataSet:
    if entry is None:
        return whole.without(kept) if record["arm"] == "full" else whole.take(np.array([], np.int64))
    return DataSet.open(entry / "added")


def _write_npy(kept: DataSet, added: DataSet, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    both = kept.joined(added)
    np.save(target / "images.npy", both.x, allow_pickle=False)
    np.save(target / "labels.npy", both.labels, allow_pickle=False)
    np.save(target / "is_added.npy", np.arange(len(both)) >= len(kept), allow_pickle=False)
    (target / "class_names.json").write_text(json.dumps(both.class_names))


def _write_png(kept: DataSet, added: DataSet, target: Path) -> None:
    for part, data in (("real", kept), ("added", added)):
        folders = [target / part / folder_of(name) for name in data.class_names]
        for label in np.unique(data.labels):
            folders[label].mkdir(parents=True, exist_ok=True)
        for index, (image, label) in enumerate(zip(data.x, data.labels, strict=True)):
            Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(folders[label] / f"{index:06d}.png")
