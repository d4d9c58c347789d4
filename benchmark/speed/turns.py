"""Ways to do the same, timed in turns: a shared machine is slow to all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

ROUNDS = 3


def in_turns(ways: Mapping[str, Callable[[], float]], rounds: int = ROUNDS, of: str = "images") -> dict[str, Any]:
    """Of ways that do their work and tell how much they did a second: medians over rounds, after one that warms up.

    `of` is what they make. `ratio`: the last way over the first, with its range over rounds.
    """
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for warm in (False, *[True] * rounds):
        for name, call in ways.items():
            rate = call()
            if warm:
                rates[name].append(rate)
    first, *_, last = rates.values()
    ratios = [ours / theirs for theirs, ours in zip(first, last, strict=True)]
    return {
        f"{of}_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
        "rounds": rounds,
    }
