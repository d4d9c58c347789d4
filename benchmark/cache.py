"""A content-addressed store on disk: an entry is a folder of files that is there whole, or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..disk import sha256

CHECKSUMS = "checksums.json"
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)


def key_of(**parts: Any) -> str:
    """The key of an entry: SHA-256 of everything its content depends on, given as JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Missing(Exception):
    """An entry that a store which makes nothing was asked for."""


class Store:
    """Entries below one folder, by stage and key. Any number of processes may use it at once.

    With `makes` false nothing is made: what is not there is Missing.
    """

    def __init__(self, root: Path, makes: bool = True) -> None:
        self.root, self.makes = root, makes
        self._whole: dict[Path, list[tuple[str, int, int]]] = {}  # what was found whole, and looked like this

    def find(self, stage: str, key: str) -> Path | None:
        """The entry's folder if it is there and whole; a damaged one is set aside, with a warning."""
        path = self.path(stage, key)
        if not path.is_dir():
            return None
        looks = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(path.rglob("*"))]
        if self._whole.get(path) == looks:
            return path
        if _intact(path):
            self._whole[path] = looks
            return path
        aside = self.root / "damaged" / f"{stage}-{key}-{time.time_ns()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.rename(aside)
        except FileNotFoundError:  # somebody else saw it first
            return None
        warnings.warn(f"cache entry {path} is damaged: set aside as {aside} and made again", stacklevel=2)
        return None

    def get(self, stage: str, key: str, make: Callable[[Path, Path], None]) -> Path:
        """The entry's folder, made first if need be.

        `make(new, work)` writes the files into `new`. `work` is for checkpoints: it outlives a kill, not success.
        When `make` raises, nothing is stored. A lock spares others the same work; where there are no locks, two make
        the same entry, and the first to finish stores it. Raises Missing where the store makes nothing.
        """
        if found := self.find(stage, key):
            return found
        if not self.makes:
            raise Missing(f"{stage} {key}")
        with self._lock(stage, key):
            if found := self.find(stage, key):
                return found
            new, work = self.root / "new" / f"{stage}-{key}-{uuid.uuid4().hex}", self.root / "work" / f"{stage}-{key}"
            new.mkdir(parents=True)
            work.mkdir(parents=True, exist_ok=True)
            try:
                make(new, work)
                _seal(new)
                path = self._store(new, stage, key)
            finally:
                shutil.rmtree(new, ignore_errors=True)
            shutil.rmtree(work, ignore_errors=True)
            return path

    @contextmanager
    def _lock(self, stage: str, key: str) -> Iterator[None]:
        """Held by one process at a time; what a killed holder left half made is cleared away."""
        path = self.root / "locks" / f"{stage}-{key}"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire()
        except (OSError, NotImplementedError) as error:
            if isinstance(error, OSError) and error.errno not in NO_LOCKS:
                raise
            yield
            return
        try:
            for left in (self.root / "new").glob(f"{stage}-{key}-*"):
                shutil.rmtree(left, ignore_errors=True)
            yield
        finally:
            lock.release()

    def _store(self, new: Path, stage: str, key: str) -> Path:
        path = self.path(stage, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            new.rename(path)
        except OSError:
            if found := self.find(stage, key):  # somebody was faster, with the same content
                return found
            raise
        _fsync(path.parent)
        return path

    def path(self, stage: str, key: str) -> Path:
        """Where an entry lies, or would."""
        return self.root / stage / key[:2] / key


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal(folder: Path) -> None:
    """Stores the checksum of every file and brings all of it to the disk."""
    paths = sorted(folder.rglob("*"))
    sums = {path.relative_to(folder).as_posix(): sha256(path) for path in paths if path.is_file()}
    (folder / CHECKSUMS).write_text(json.dumps(sums))
    for path in [*paths, folder / CHECKSUMS, folder]:
        _fsync(path)


def _intact(folder: Path) -> bool:
    try:
        sums = json.loads((folder / CHECKSUMS).read_text())
        return all(sha256(folder / name) == digest for name, digest in sums.items())
    except (OSError, ValueError):
        return False
