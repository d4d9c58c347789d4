"""What a piece of work costs: wall seconds and the peak of memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch


@contextmanager
def measured(device: str) -> Iterator[dict[str, float]]:
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
        torch.cuda.init()  # a worker process may not have used it yet
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
