"""A content-addressed store on disk: an entry is a folder of files that is there whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from ..disk import sha256

CHECKSUMS = "checksums.json"


def key_of(**parts: Any) -> str:
    """The key of an entry: SHA-256 of everything its content depends on, given as JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Store:
    """Entries below one folder, by stage and key. Any number of processes may use it at once."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, stage: str, key: str) -> Path | None:
        """The entry's folder if it is there and whole; a damaged one is set aside, with a warning."""
        path = self._path(stage, key)
        if not path.is_dir():
            return None
        if _intact(path):
            return path
        aside = self.root / "damaged" / f"{stage}-{key}-{time.time_ns()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.rename(aside)
        warnings.warn(f"cache entry {path} is damaged: set aside as {aside} and made again", stacklevel=2)
        return None

    def get(self, stage: str, key: str, make: Callable[[Path, Path], None]) -> Path:
        """The entry's folder, made first if need be; of several processes that ask, one makes it.

        `make(new, work)` writes the files into `new`. `work` is for checkpoints: it outlives a kill, not success.
        When `make` raises, nothing is stored.
        """
        lock = self.root / "locks" / f"{stage}-{key}"
        lock.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(lock):
            if found := self.find(stage, key):
                return found
            new, work = (self.root / kind / f"{stage}-{key}" for kind in ("new", "work"))
            shutil.rmtree(new, ignore_errors=True)  # what a killed process left half made
            new.mkdir(parents=True)
            work.mkdir(parents=True, exist_ok=True)
            try:
                make(new, work)
                _seal(new)
                path = self._path(stage, key)
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(new, path)
                _fsync(path.parent)
            except Exception:
                shutil.rmtree(new, ignore_errors=True)
                raise
            shutil.rmtree(work, ignore_errors=True)
            return path

    def _path(self, stage: str, key: str) -> Path:
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
