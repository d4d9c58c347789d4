"""The training of ctgan, against the package of that name, which is that of the paper's authors.

Both learn from the same rows, in the same batches and the same number of steps, with networks of the same layers. The
clock starts at the first step of an optimiser: preparation, mostly the mixtures of the columns, is timed apart.
It is no dependency: its licence is not an open one.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch.optim.optimizer import Optimizer, register_optimizer_step_post_hook

from ...datasets import DataSet
from ...datasets.tables import Column, TableTraits
from ...errors import FillbenchError
from ...generators import create
from .turns import in_turns

ROWS, NUMBERS, CATEGORIES = 50_000, 5, 26  # the class is one of the latter
BATCH, PAC, LR = 500, 10, 2e-4  # the paper's
RARE = 0.1

Way = tuple[Callable[[], object], Callable[[], int]]
"""A fit, and how many weights the generator has after it."""


def table(rows: int = ROWS) -> DataSet:
    """Rows of two classes: numbers of one to five modes, and categories of two to ten."""
    rng = np.random.default_rng(0)
    labels = (rng.random(rows) < RARE).astype(np.int64)
    modes = 1 + np.arange(NUMBERS) % 5
    numbers = 6 * rng.integers(0, modes, (rows, NUMBERS)) + rng.normal(size=(rows, NUMBERS)) + labels[:, None]
    counts = 2 + np.arange(CATEGORIES - 1) % 9
    codes = (rng.integers(0, counts, (rows, CATEGORIES - 1)) + labels[:, None]) % counts
    columns = [Column(f"number {spot}") for spot in range(NUMBERS)]
    columns += [Column(f"sort {spot}", tuple(map(str, range(count)))) for spot, count in enumerate(counts)]
    x = np.concatenate([numbers, codes], axis=1).astype(np.float32)
    return DataSet(x, labels, ("most", "rare"), TableTraits(tuple(columns)))


def clocked(fit: Callable[[], object], device: torch.device) -> tuple[float, float]:
    """Seconds before the first step of an optimiser in `fit`, and from there to its end."""
    stepped: list[float] = []

    def note(optimiser: Optimizer, args: Any, kwargs: Any) -> None:
        stepped.append(time.perf_counter())

    hook = register_optimizer_step_post_hook(note)
    start = time.perf_counter()
    try:
        fit()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    finally:
        hook.remove()
    return stepped[0] - start, time.perf_counter() - stepped[0]


def measure(device: torch.device, rows: int = ROWS) -> dict[str, Any]:
    """Rows a second of both over one pass, and what their preparation takes. Raises FillbenchError without the package.

    `weights`: of the generators, whose ends are as wide as the columns have modes.
    """
    if importlib.util.find_spec("ctgan") is None:
        raise FillbenchError("there is no package 'ctgan' to measure against: pip install ctgan")
    train, steps = table(rows), rows // BATCH
    preparation: dict[str, list[float]] = {"package": [], "fillbench": []}
    weights: dict[str, int] = {}

    def timed(name: str, way: Callable[[DataSet, int, torch.device], Way]) -> float:
        fit, count = way(train, steps, device)
        before, seconds = clocked(fit, device)
        preparation[name].append(before)
        weights[name] = count()
        return steps * BATCH / seconds

    ways = {"package": lambda: timed("package", _package), "fillbench": lambda: timed("fillbench", _ours)}
    return {
        "model": "ctgan",
        "package": version("ctgan"),
        **in_turns(ways, of="rows"),
        "preparation_seconds": {name: statistics.median(seconds[1:]) for name, seconds in preparation.items()},
        "rows": rows,
        "columns": {"numbers": NUMBERS, "categories": CATEGORIES},
        "steps": steps,
        "batch_size": BATCH,
        "weights": weights,
    }


def _package(train: DataSet, steps: int, device: torch.device) -> Way:
    import pandas as pd
    from ctgan import CTGAN

    columns = train.traits.columns
    frame = pd.DataFrame(train.x, columns=[column.name for column in columns]).assign(label=train.labels)
    discrete = [*(column.name for column in columns if column.categories), "label"]
    model = CTGAN(batch_size=BATCH, pac=PAC, epochs=1, enable_gpu=device.type == "cuda")
    return lambda: model.fit(frame, discrete), lambda: sum(weight.numel() for weight in model._generator.parameters())


def _ours(train: DataSet, steps: int, device: torch.device) -> Way:
    model = create("ctgan", random_state=0, device=str(device), steps=steps, batch_size=BATCH, pac=PAC, lr=LR)

    def count() -> int:
        learned = model.state()["weights"]
        return sum(learned[name].numel() for name in learned if name.endswith(("weight", "bias")))

    return lambda: model.fit(train, [1]), count
