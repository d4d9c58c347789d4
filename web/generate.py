"""Generation by a kept generator, one job at a time, which can be watched and called off."""

from __future__ import annotations

import io
import secrets
import threading
import time
import zipfile
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from PIL import Image

from ..benchmark.audits import auditor_of
from ..datasets.base import Array
from ..datasets.frames import frame_of
from ..errors import FillbenchError
from ..generators import Generator
from ..reports.previews import Shown, preview_of
from .library import OpenRun

MOST = 64  # examples of a job
AT_ONCE = 8  # after which they appear
SECONDS = 600  # that a job may take
KEPT_JOBS = 20


class _CalledOff(Exception):
    """The job was cancelled, or has had its time."""


@dataclass
class Job:
    """Examples of class `label` by an arm's generator, drawn anew by `draw`. `made`: those that are there, in parts,
    with `nearest`, the kept example nearest to each, and `opinions`, what the arm `judge` takes each for. `told`: how
    it ended."""

    id: str
    opened: OpenRun
    arm: str
    label: int
    count: int
    draw: int
    judge: str | None
    made: list[Array] = field(default_factory=list)
    nearest: list[Array] = field(default_factory=list)
    opinions: list[int] = field(default_factory=list)
    told: str = ""
    done: bool = False
    progress: str = "waiting"
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def examples(self) -> Array:
        """(N, …) so far."""
        return np.concatenate(self.made) if self.made else self.opened.shelf.kept(self.opened.run.seeds[0]).x[:0]


class Jobs:
    """The jobs of a server: one runs at a time, the others are refused."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._running = threading.Lock()

    def get(self, job_id: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(job_id)

    def start(self, opened: OpenRun, arm: str, label: int, count: int, draw: int) -> Job:
        """Begins one. Raises FillbenchError where another is running, or for what cannot be asked for."""
        if not 1 <= count <= MOST:
            raise FillbenchError(f"{count} cannot be made at once; ask for 1 to {MOST}")
        if not 0 <= label < len(opened.run.class_names):
            raise FillbenchError(f"there is no class {label}")
        run, seed = opened.run, opened.run.seeds[0]
        if not opened.shelf.has_generator(arm, seed):
            raise FillbenchError(f"the generator of {arm} was not kept")
        judges = [name for name in (run.ceiling, arm) if name and opened.shelf.has_classifier(name, seed)]
        if not self._running.acquire(blocking=False):
            raise FillbenchError("another generation is running; wait for its end, or cancel it")
        job = Job(secrets.token_hex(8), opened, arm, label, count, draw, judges[0] if judges else None)
        self._jobs[job.id] = job
        for old in [*self._jobs][:-KEPT_JOBS]:
            del self._jobs[old]
        threading.Thread(target=self._run, args=(job,), daemon=True).start()
        return job

    def _run(self, job: Job) -> None:
        try:
            _generate(job)
            job.told = f"{job.count} made"
        except _CalledOff:
            job.told = "cancelled" if job.cancelled.is_set() else f"stopped after {SECONDS} s"
        except Exception as error:  # a plug-in may raise anything
            job.told = f"failed: {error}"
        finally:
            job.done = True
            self._running.release()


def _generate(job: Job) -> None:
    run, seed, until = job.opened.run, job.opened.run.seeds[0], time.monotonic() + SECONDS

    def watched(done: int, total: int) -> None:
        job.progress = f"{done} of {total} steps"
        if job.cancelled.is_set() or time.monotonic() > until:
            raise _CalledOff

    job.progress = "opening the generator"
    generator: Generator = job.opened.shelf.generator(job.arm, seed)
    kept = job.opened.shelf.kept(seed)
    auditor = auditor_of(run.run["kind"]).of(kept)
    own = kept.of_class(job.label) if (kept.labels == job.label).any() else kept.x
    prepared = auditor.prepare(own, generator.device)
    judge = job.opened.shelf.classifier(job.judge, seed) if job.judge else None
    generator.progress = watched
    for start in range(0, job.count, AT_ONCE):
        watched(start, job.count)
        generator.seed = job.draw * 1_000_003 + start  # other draws than the run's, and than the last part's
        x = generator.sample(job.label, min(AT_ONCE, job.count - start))
        near = auditor.distances(auditor.prepare(x, generator.device), prepared).argmin(1).cpu().numpy()
        job.nearest.append(own[near])
        job.opinions += judge.predict(x).tolist() if judge else []
        job.made.append(x)


def as_file(job: Job, form: str) -> tuple[bytes, str]:
    """The examples so far as a file, and what it is called: 'npy', of images also 'png', a zip, of tables 'csv'.

    Raises FillbenchError for another form.
    """
    run, x, content = job.opened.run, job.examples, io.BytesIO()
    if form == "npy":
        np.save(content, x, allow_pickle=False)
        return content.getvalue(), "examples.npy"
    if form == "png" and run.run["kind"] == "images":
        with zipfile.ZipFile(content, "w") as file:
            for index, image in enumerate(x):
                one = io.BytesIO()
                Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(one, "png")
                file.writestr(f"{index:03d}.png", one.getvalue())
        return content.getvalue(), "examples.zip"
    if form == "csv" and run.run["kind"] == "tables":
        kept = job.opened.shelf.kept(run.seeds[0])
        made = replace(kept, x=x, labels=np.full(len(x), job.label))
        return frame_of(made, run.run["config"].get("target") or "class").to_csv(index=False).encode(), "rows.csv"
    raise FillbenchError(f"{run.run['plural']} cannot be had as '{form}'")


def shown(job: Job) -> dict[str, Any]:
    """What the page shows of a job."""
    run, done = job.opened.run, job.done  # asked first: what is done has all its parts
    preview, parts, start = preview_of(run.run["kind"]), [], 1
    for x, near in zip(job.made, job.nearest, strict=False):  # a part may just have come
        parts.append(Shown(f"{start} to {start + len(x) - 1}", "", job.label, (("made", x), ("nearest", near))))
        start += len(x)
    return {
        "job": job,
        "done": done,
        "of": run.class_names[job.label],
        "there": start - 1,
        "forms": [("npy", "npy"), ("csv", "CSV") if run.run["kind"] == "tables" else ("png", "PNG")],
        "opinions": [run.class_names[label] for label in job.opinions],
        "cards": preview.cards(run, parts),
        "template": f"previews/{preview.template}",
    }
