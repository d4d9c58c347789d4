"""Generators that a user might bring, and whole runs as a user starts them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

PLUGIN = '''
"""Generators that a user might bring."""
import os
import time
from dataclasses import dataclass

import numpy as np
from fillbench.generators import Generator, register


@register("speckle")
class Speckle(Generator):
    """Kept images under noise."""

    @dataclass(frozen=True)
    class Config:
        nap: float = 0.0

    def _fit(self, train, labels):
        self.train = train
        for step in range(5):
            time.sleep(self.config.nap)
            self.progress(step + 1, 5)
            self.log(step=step, loss=1.0 / (step + 1))

    def _sample(self, label, count):
        source = self.train.images[self.train.labels == label]
        images = source[self.rng.integers(0, len(source), count)].astype(int)
        return (images + self.rng.integers(-20, 20, images.shape)).clip(0, 255).astype(np.uint8)


@register("crash")
class Crash(Generator):
    """Takes its process down."""

    def _fit(self, train, labels):
        os._exit(11)

    def _sample(self, label, count):
        raise NotImplementedError


@register("raises")
class Raises(Generator):
    """Has a bug."""

    def _fit(self, train, labels):
        raise ZeroDivisionError("a bug")

    def _sample(self, label, count):
        raise NotImplementedError
'''


def command(options: dict) -> list[str]:
    words = [sys.executable, "-c", "from fillbench.cli import main; main()", "run"]
    for name, value in options.items():
        for item in [f"{k}={v}" for k, v in value.items()] if isinstance(value, dict) else [value]:
            words += [f"--{name}", str(item)]
    return words


def records(run_dir: str | Path, costs: bool = False) -> dict[str, dict]:
    found = {path.stem: json.loads(path.read_text()) for path in sorted(Path(run_dir, "cells").glob("*.json"))}
    return found if costs else {name: {**record, "cost": None} for name, record in found.items()}
