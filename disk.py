"""Files written whole or not at all, and what tells their content."""

from __future__ import annotations

import hashlib
import io
import os
import uuid
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def write_atomically(path: Path, content: str | bytes) -> None:
    """Writes a file under a temporary name, fsyncs, renames: a reader finds the old content or the new one."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """An .npz file, whole or not at all."""
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    write_atomically(path, content.getvalue())


def sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_all(path: Path) -> str:
    """The hash of a file, or of every file below a folder with its name; read again only when one has changed."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    stats = [(file, file.stat()) for file in files if file.is_file()]
    return _hash(path, tuple((file, stat.st_size, stat.st_mtime_ns) for file, stat in stats))


@cache
def _hash(path: Path, files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for file, _, _ in files:
        digest.update(f"{file.relative_to(path)} {sha256(file)}".encode())
    return digest.hexdigest()
