"""One cell: an arm on a data set under a seed, from the kept images to a record."""

from __future__ import annotations

import errno
import io
import json
import shutil
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from ..classifiers.training import Config as ClassifierConfig
from ..classifiers.training import train
from ..datasets import ImageSet
from ..datasets.imbalance import Manifest
from ..disk import write_atomically
from ..errors import CannotFill, FillbenchError, why
from .cache import Store, key_of
from .codeversion import code_of_module, versions
from .metrics import evaluate
from .plan import Arm
from .quality import compare, samples

Report = Callable[[str, int, int], None]  # phase, done, total
FULL_DISK = (errno.ENOSPC, errno.EDQUOT)
ROOM = 2**20


class DiskFull(FillbenchError):
    """No room is left: not the arm's fault, so the run stops."""


@dataclass(frozen=True)
class Cell:
    """All that a worker needs, small enough to be sent: images are read from the store."""

    arm: Arm
    manifest: Manifest
    deficits: dict[int, int]
    minority: tuple[int, ...]
    classifier: ClassifierConfig
    device: str
    threads: int
    strict: bool
    """Whether the arm was asked for by name, so that what it cannot do is a failure, not a skip."""
    code: str
    """The version of the generator's code."""

    @property
    def name(self) -> str:
        """The stem of the cell's files."""
        return f"{self.arm.name}-seed{self.manifest.seed}"

    @property
    def label(self) -> str:
        """What people read."""
        return f"{self.arm.name} seed {self.manifest.seed}"


def run_cell(cell: Cell, parts: dict[str, ImageSet], store: Store, run_dir: Path, report: Report) -> dict[str, Any]:
    """Runs a cell and writes its record and sample images into `run_dir`; returns the record.

    `parts` holds the full train and the test images. Whatever the arm does wrong ends as a record with a reason.
    Raises DiskFull.
    """
    kept = parts["train"].take(cell.manifest.kept)
    record: dict[str, Any] = {
        "arm": cell.arm.name,
        "seed": cell.manifest.seed,
        "status": "ok",
        "reason": cell.arm.skip,
        "phase": None,
        "traceback": None,
        "manifest": cell.manifest.sha256,
        "counts_before": kept.counts().tolist(),
    }
    if cell.arm.skip:
        record["status"] = "skipped"
    else:
        phases = _Phases(report)
        try:
            record |= _work(cell, kept, parts, store, run_dir, phases)
        except OSError as error:
            if _disk_is_full(error, store.root):
                raise DiskFull(f"no room on the disk of {error.filename or store.root}") from error
            record |= _failure(error, phases.now)
        except CannotFill as error:
            record |= _failure(error, phases.now, "failed" if cell.strict else "skipped")
        except (Exception, SystemExit) as error:  # a plug-in may call sys.exit()
            record |= _failure(error, phases.now)
    try:
        write_atomically(run_dir / "cells" / f"{cell.name}.json", json.dumps(record, indent=1, allow_nan=False))
    except OSError as error:
        raise DiskFull(f"the record of {cell.label} could not be written to {run_dir}: {why(error)}") from error
    return record


def _disk_is_full(error: OSError, where: Path) -> bool:
    """NumPy reports a write that was cut short without an errno, so the disk itself is asked then."""
    return error.errno in FULL_DISK or (error.errno is None and shutil.disk_usage(where).free < ROOM)


def _failure(error: BaseException, phase: str, status: str = "failed") -> dict[str, Any]:
    words = traceback.format_exception_only(error)[-1].strip()
    reason = str(error) if isinstance(error, FillbenchError) else words
    return {"status": status, "reason": reason, "phase": phase, "traceback": "".join(traceback.format_exception(error))}


class _Phases:
    """Remembers which phase a cell is in, and tells whoever watches."""

    def __init__(self, report: Report) -> None:
        self.now = "start"
        self._report = report

    def __call__(self, phase: str) -> Callable[[int, int], None]:
        self.now = phase
        self._report(phase, 0, 1)
        return lambda done, total: self._report(phase, done, total)


def _work(
    cell: Cell, kept: ImageSet, parts: dict[str, ImageSet], store: Store, run_dir: Path, phases: _Phases
) -> dict[str, Any]:
    common = {
        "manifest": cell.manifest.sha256,
        "seed": cell.manifest.seed,
        "device": torch.device(cell.device).type,
        "threads": cell.threads,
        "versions": versions(),
    }
    record: dict[str, Any] = {"images": {}, "generator_log": [], "generator_facts": {}, "samples": None}
    fill_key, fill_meta = (
        cell.arm.name,
        {"cost": {"fit_seconds": 0.0, "sample_seconds": 0.0, "peak_memory_mb": 0.0}},
    )
    if cell.arm.generator:
        fill_key = _fill_key(cell, common)
        phases("wait")
        entry = store.get("fills", fill_key, lambda new, work: _fill(cell, kept, new, work, phases))
        fill_meta = json.loads((entry / "meta.json").read_text())
        added = _read_filled(entry, kept)
        record |= {name: fill_meta[name] for name in ("images", "generator_log", "generator_facts")}
        record["samples"] = _write_samples(run_dir, cell.name, samples(kept, added))
    elif cell.arm.name == "full":
        added = parts["train"].without(cell.manifest.kept)
    else:
        added = kept.take(np.array([], np.int64))
    filled = kept.joined(added)
    train_key = key_of(
        stage="train",
        fill=fill_key,
        classifier=asdict(cell.classifier),
        code=code_of_module(f"{_PACKAGE}.classifiers.training"),
        **common,
    )
    phases("wait")
    entry = store.get("predictions", train_key, lambda new, work: _train(cell, filled, parts["test"], new, phases))
    meta = json.loads((entry / "meta.json").read_text())
    phases("evaluate")
    probabilities = np.load(entry / "probabilities.npy", allow_pickle=False)
    record |= evaluate(probabilities, parts["test"].labels, cell.minority)
    peak = max(fill_meta["cost"].pop("peak_memory_mb"), meta["cost"].pop("peak_memory_mb"))
    return record | {
        "fill_key": fill_key,
        "train_key": train_key,
        "counts_after": filled.counts().tolist(),
        "curve": meta["curve"],
        "cost": {**fill_meta["cost"], **meta["cost"], "peak_memory_mb": peak},
    }


_PACKAGE = __package__.partition(".")[0]


def _fill_key(cell: Cell, common: dict[str, Any]) -> str:
    """Of the images that a generator makes: its code and settings, what it learns from, what it is asked for."""
    cls = cell.arm.generator
    assert cls is not None
    return key_of(
        stage="fill",
        generator=cell.arm.name,
        settings=cell.arm.settings,
        inputs=cls(cell.arm.config).inputs(),
        deficits={str(label): count for label, count in cell.deficits.items()},
        code=[cell.code, code_of_module(f"{_PACKAGE}.benchmark.quality")],
        **common,
    )


def _fill(cell: Cell, kept: ImageSet, new: Path, work: Path, phases: _Phases) -> None:
    """Fits, samples, looks at the result, and writes the synthetic images into `new`."""
    assert cell.arm.generator is not None
    generator = cell.arm.generator(
        cell.arm.config, seed=cell.manifest.seed, device=cell.device, progress=phases("fit"), workdir=work
    )
    everything = np.arange(len(kept))
    with _measured(cell.device) as fit:
        generator.fit(kept.take(everything), cell.deficits)
    generator.progress = phases("sample")
    with _measured(cell.device) as sample:
        images, labels = generator.fill(cell.deficits)
    phases("check")
    meta = {
        "generator_log": generator.history,
        "generator_facts": generator.facts,
        "images": compare(kept, ImageSet(images, labels, kept.class_names)),
        "cost": {
            "fit_seconds": fit["seconds"],
            "sample_seconds": sample["seconds"],
            "peak_memory_mb": max(fit["peak_memory_mb"], sample["peak_memory_mb"]),
        },
    }
    np.save(new / "images.npy", images, allow_pickle=False)
    np.save(new / "labels.npy", labels, allow_pickle=False)
    generator.save(new)
    (new / "meta.json").write_text(json.dumps(meta, allow_nan=False))


def _read_filled(entry: Path, kept: ImageSet) -> ImageSet:
    images, labels = (
        np.load(entry / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("images", "labels")
    )
    return ImageSet(images, labels, kept.class_names, kept.traits)


def _train(cell: Cell, filled: ImageSet, test: ImageSet, new: Path, phases: _Phases) -> None:
    progress = phases("train")
    with _measured(cell.device) as cost:
        trained = train(cell.classifier, filled, test, cell.manifest.seed, torch.device(cell.device), progress)
    np.save(new / "probabilities.npy", trained.probabilities, allow_pickle=False)
    cost = {"train_seconds": cost["seconds"], "peak_memory_mb": cost["peak_memory_mb"]}
    (new / "meta.json").write_text(json.dumps({"curve": trained.curve, "cost": cost}))


def _write_samples(run_dir: Path, name: str, grids: dict[str, Any]) -> str:
    path = Path("samples") / f"{name}.npz"
    content = io.BytesIO()
    np.savez(content, **grids)
    write_atomically(run_dir / path, content.getvalue())
    return path.as_posix()


@contextmanager
def _measured(device: str) -> Iterator[dict[str, float]]:
    """Wall seconds of the block, and the peak of its memory: the GPU's, or this process's as a thread sees it."""
    cost = {"seconds": 0.0, "peak_memory_mb": 0.0}
    cuda = torch.device(device).type == "cuda"
    process, done = psutil.Process(), threading.Event()

    def watch() -> None:
        while True:
            cost["peak_memory_mb"] = max(cost["peak_memory_mb"], process.memory_info().rss / 2**20)
            if done.wait(0.05):
                return

    watcher = threading.Thread(target=watch, daemon=True)
    if cuda:
        torch.cuda.reset_peak_memory_stats(device)
    else:
        watcher.start()
    start = time.perf_counter()
    try:
        yield cost
    finally:
        done.set()
        if cuda:
            torch.cuda.synchronize(device)
            cost["peak_memory_mb"] = torch.cuda.max_memory_allocated(device) / 2**20
        else:
            watcher.join()
        cost["seconds"] = time.perf_counter() - start
