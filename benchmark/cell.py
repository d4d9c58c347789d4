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
from .audit import audit, thumbnails
from .cache import Store, key_of
from .codeversion import code_of_module, versions
from .judge import dino_is_here, make_judge, read_judge
from .metrics import averaged, evaluate
from .plan import Arm

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
    classifier_seeds: tuple[int, ...]
    tstr: bool
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
    record: dict[str, Any] = {"images": {}, "audit": None, "generator_log": [], "generator_facts": {}, "samples": None}
    fill_key, cost = cell.arm.source, {"fit_seconds": 0.0, "sample_seconds": 0.0, "peak_memory_mb": 0.0}
    added = kept.take(np.array([], np.int64))
    if cell.arm.generator:
        fill_key = _fill_key(cell, common)
        phases("wait")
        entry = store.get("fills", fill_key, lambda new, work: _fill(cell, kept, new, work, phases))
        fill_meta = json.loads((entry / "meta.json").read_text())
        cost |= fill_meta["cost"]
        added = _read_filled(entry, kept)
        record |= {name: fill_meta[name] for name in ("generator_log", "generator_facts")}
        audited = _audited(cell, added, parts, store, fill_key, phases)
        cost |= audited.pop("cost")
        record |= {"images": audited.pop("classes"), "audit": audited}
        grids = thumbnails(kept, added, record["images"])
        record["samples"] = _write_samples(run_dir, cell.name, grids)
    elif cell.arm.source == "full":
        added = parts["train"].without(cell.manifest.kept)

    def trained(data: ImageSet, key: str, seed: int) -> tuple[np.ndarray, dict[str, Any]]:
        return _predictions(cell, data, parts["test"], key, seed, store, common, phases)

    filled = kept.joined(added)
    runs = [trained(filled, fill_key, seed) for seed in cell.classifier_seeds]
    truth = parts["test"].labels
    if cell.tstr and cell.arm.generator:
        real = kept.take(np.flatnonzero(~np.isin(kept.labels, added.labels)))
        probabilities, _ = trained(real.joined(added), f"{fill_key} alone", cell.classifier_seeds[0])
        record["tstr"] = evaluate(probabilities, truth, cell.minority)["metrics"]
    phases("evaluate")
    each = [evaluate(probabilities, truth, cell.minority) for probabilities, _ in runs]
    spent = [meta["cost"] for _, meta in runs]
    cost["train_seconds"] = float(np.mean([one["train_seconds"] for one in spent]))
    cost["peak_memory_mb"] = max(cost["peak_memory_mb"], *(one["peak_memory_mb"] for one in spent))
    return record | {
        "fill_key": fill_key,
        **averaged(each),
        "classifiers": [
            {"seed": seed, "metrics": one["metrics"], "predictions": _digits(probabilities), "train_key": meta["key"]}
            for seed, one, (probabilities, meta) in zip(cell.classifier_seeds, each, runs, strict=True)
        ],
        "counts_after": filled.counts().tolist(),
        "curve": runs[0][1]["curve"],
        "cost": cost,
    }


def _digits(probabilities: np.ndarray) -> str:
    """The predicted labels as text: one line of a record, not one for every test image."""
    return " ".join(map(str, probabilities.argmax(1).tolist()))


_PACKAGE = __package__.partition(".")[0]


def _fill_key(cell: Cell, common: dict[str, Any]) -> str:
    """Of the images that a generator makes: its code and settings, what it learns from, what it is asked for."""
    cls = cell.arm.generator
    assert cls is not None
    return key_of(
        stage="fill",
        generator=cell.arm.source,
        settings=cell.arm.settings,
        inputs=cls(cell.arm.config).inputs(),
        deficits={str(label): count for label, count in cell.deficits.items()},
        code=cell.code,
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
    meta = {
        "generator_log": generator.history,
        "generator_facts": generator.facts,
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


def judge_of(cell: Cell, parts: dict[str, ImageSet], store: Store) -> tuple[str, Path]:
    """The judge that all arms and seeds of a run share: its key, and the folder where it lies, trained if need be."""
    labels = sorted(label for label, count in cell.deficits.items() if count)
    key = key_of(
        stage="judge",
        data=cell.manifest.dataset,
        classifier=asdict(cell.classifier),
        labels=labels,
        dino=dino_is_here(),
        device=torch.device(cell.device).type,
        threads=cell.threads,
        versions=versions(),
        code=code_of_module(f"{_PACKAGE}.benchmark.judge"),
    )
    device = torch.device(cell.device)
    return key, store.get("judges", key, lambda new, work: make_judge(cell.classifier, parts, labels, device, new))


def _audited(
    cell: Cell, added: ImageSet, parts: dict[str, ImageSet], store: Store, fill_key: str, phases: _Phases
) -> dict[str, Any]:
    """What the audit says of the synthetic images."""
    phases("judge")
    judge_key, judge_entry = judge_of(cell, parts, store)

    def look(new: Path, work: Path) -> None:
        phases("audit")
        device, test = torch.device(cell.device), parts["test"]
        judge = read_judge(judge_entry, len(test.class_names), test.images.shape[1:], device)
        found = audit(added, parts, cell.manifest.kept, judge, device)
        (new / "audit.json").write_text(json.dumps(found, allow_nan=False))

    code = code_of_module(f"{_PACKAGE}.benchmark.audit")
    entry = store.get("audits", key_of(stage="audit", fill=fill_key, judge=judge_key, code=code), look)
    return json.loads((entry / "audit.json").read_text())


def _predictions(
    cell: Cell,
    data: ImageSet,
    test: ImageSet,
    fill: str,
    seed: int,
    store: Store,
    common: dict[str, Any],
    phases: _Phases,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Test probabilities (N, K) of a classifier trained on `data`, known by the key `fill`; and its meta data."""
    key = key_of(
        stage="train",
        fill=fill,
        strategy=cell.arm.strategy,
        classifier=asdict(cell.classifier),
        classifier_seed=seed,
        code=code_of_module(f"{_PACKAGE}.classifiers.training"),
        **common,
    )

    def fit(new: Path, work: Path) -> None:
        device, progress = torch.device(cell.device), phases("train")
        with _measured(cell.device) as cost:
            trained = train(cell.classifier, data, test, seed, device, progress, cell.arm.strategy)
        np.save(new / "probabilities.npy", trained.probabilities, allow_pickle=False)
        costs = {"train_seconds": cost["seconds"], "peak_memory_mb": cost["peak_memory_mb"]}
        (new / "meta.json").write_text(json.dumps({"curve": trained.curve, "cost": costs, "key": key}))

    phases("wait")
    entry = store.get("predictions", key, fit)
    meta = json.loads((entry / "meta.json").read_text())
    return np.load(entry / "probabilities.npy", allow_pickle=False), meta


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
