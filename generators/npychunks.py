"""Images written to a `.npy` file part by part, so that a killed job goes on after its last whole part."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any, Self

import numpy as np

from ..datasets.base import Images


class Chunks:
    """An array `shape` (N, H, W, C) uint8 that grows; `done` images of it are there.

    Without a path it lies in memory. A file of another shape is started over. The file is appended to rather than
    mapped, since a full disk then is an error and not a crash.
    """

    def __init__(self, path: Path | None, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.done = 0
        self._file: Any = io.BytesIO()
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": shape})
        self._start = header.tell()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "w+b")
        if self._file.read(self._start) == header.getvalue():
            self.done = min(shape[0], (self._file.seek(0, os.SEEK_END) - self._start) // self._size)
        else:
            self._file.seek(0)
            self._file.truncate()
            self._file.write(header.getvalue())

    @property
    def _size(self) -> int:
        return int(np.prod(self.shape[1:]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def write(self, start: int, images: Images) -> None:
        """Puts `images` at `start`; what was there after it is gone. They are on the disk when this returns."""
        self._file.seek(self._start + start * self._size)
        self._file.truncate()
        self._file.write(np.ascontiguousarray(images).data)
        self._file.flush()
        if not isinstance(self._file, io.BytesIO):
            os.fsync(self._file.fileno())
        self.done = start + len(images)

    def images(self) -> Images:
        """All of them."""
        self._file.seek(self._start)
        return np.frombuffer(self._file.read(), np.uint8).reshape(self.shape).copy()
