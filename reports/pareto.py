"""Cost against gain: which arms no other arm beats in both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd

from .leaderboard import seconds_of
from .numbers import duration, number, signed
from .records import Run
from .verdicts import ESTIMANDS, KNOWING

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 520, 300, 46, 16, 14, 34  # of the chart, and the margins of what is drawn
GAIN = f"vs_none_{ESTIMANDS[KNOWING]}_mean"


class Point(NamedTuple):
    """An arm: what it costs, what it gains, and whether no other one gains as much for less."""

    arm: str
    cost: float
    gain: float
    on_front: bool


def front(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which (cost, gain) are on the Pareto front: no other costs no more, gains no less, and is better in one."""
    return [not any(c <= cost and g >= gain and (c, g) != (cost, gain) for c, g in points) for cost, gain in points]


def points_by(run: Run, board: pd.DataFrame, cost: str) -> list[Point]:
    """The arms whose gain in knowing beside the floor, and whose cost ('seconds', or 'peak_memory_mb'), are known; the
    floor itself gains nothing. Without the ceiling, which nobody has."""
    found = []
    for row in board.to_dict("records"):
        gain = 0.0 if row["arm"] == run.floor else float(row[GAIN])
        spent = seconds_of(row) if cost == "seconds" else float(row[cost])
        if row["arm"] != run.ceiling and not math.isnan(gain) and spent > 0:
            found.append((str(row["arm"]), spent, gain))
    return [Point(*one, on) for one, on in zip(found, front([(c, g) for _, c, g in found]), strict=True)]


def told(run: Run, board: pd.DataFrame) -> str:
    """Who is on the front of seconds, in a sentence; '' with fewer than two arms."""
    points = points_by(run, board, "seconds")
    if len(points) < 2:
        return ""
    best = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    arms = "; ".join(f"{point.arm} ({duration(point.cost)}, {signed(point.gain)})" for point in best)
    return f"No other arm gains as much in knowing for less time than: {arms}. A gain here is a mean, not a verdict."


def chart(points: Sequence[Point], unit: str) -> dict[str, Any] | None:
    """Where the dots, the front and the ticks of an SVG lie; costs on a logarithmic scale. None with fewer than two."""
    if len(points) < 2:
        return None
    costs, gains = [math.log10(point.cost) for point in points], [point.gain for point in points]
    spare = max(0.02, 0.04 * (max(costs) - min(costs)))
    low, high = min(costs) - spare, max(costs) + spare
    least, most = min(gains), max(gains)
    reach = (most - least) or 0.1
    least, most = least - 0.06 * reach, most + 0.06 * reach

    def across(cost: float) -> float:
        return round(LEFT + (math.log10(cost) - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def up(gain: float) -> float:
        return round(HEIGHT - BOTTOM - (gain - least) / (most - least) * (HEIGHT - TOP - BOTTOM), 1)

    best = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "floor": HEIGHT - BOTTOM,
        "left": LEFT,
        "right": WIDTH - RIGHT,
        "zero": up(0.0) if least < 0 < most else None,
        "dots": [
            {
                "x": across(point.cost),
                "y": up(point.gain),
                "arm": point.arm,
                "on_front": point.on_front,
                "title": f"{point.arm}: {_amount(point.cost, unit)}, {signed(point.gain)} in knowing",
            }
            for point in points
        ],
        "line": " ".join(f"{across(point.cost)},{up(point.gain)}" for point in best),
        "costs": [(across(cost), _amount(cost, unit)) for cost in _round_costs(10**low, 10**high)],
        "gains": [(up(gain), number(gain)) for gain in _round_gains(least, most)],
    }


def _amount(cost: float, unit: str) -> str:
    return duration(cost) if unit == "s" else f"{cost:,.0f} {unit}"


def _round_costs(low: float, high: float) -> list[float]:
    """Round numbers within the range, about five of them."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8), [1 + part / 20 for part in range(180)]):
        found = [step * 10.0**decade for decade in decades for step in steps]
        within = [cost for cost in found if low <= cost <= high]
        if len(within) >= 4:
            break
    return within[:: max(1, round(len(within) / 5))]


def _round_gains(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten, about five of them."""
    rough = (high - low) / 5
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [round(step * index, 10) for index in range(math.ceil(low / step), math.floor(high / step) + 1)]
