"""From which value of a setting on something is so: where a curve with its band leaves zero."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from .comparisons import Floats


class Turn(NamedTuple):
    """Where a mean first rises above zero, between the values where its upper and its lower bound first do; NaN where
    one never does. Values between those that were tried are interpolated."""

    mean: float
    earliest: float
    surest: float


def turn(x: Floats, mean: Floats, low: Floats, high: Floats) -> Turn:
    """Of a curve over ascending values `x` (N,) with its pointwise 95 % interval, each (N,).

    The interval holds the values at which zero is not rejected, up to the first at which it is: that of a calibration
    turned round (Fieller 1954).
    """
    return Turn(*(first_above(x, y) for y in (mean, high, low)))


def first_above(x: Floats, y: Floats) -> float:
    """Where the line through the points first rises above zero; NaN where it does not."""
    above = np.flatnonzero(y > 0)
    if not len(above):
        return math.nan
    after = int(above[0])
    if after == 0:
        return float(x[0])
    start, end = y[after - 1], y[after]
    return float(x[after - 1] + (x[after] - x[after - 1]) * -start / (end - start))
