"""How numbers and lists are written."""

from __future__ import annotations

import math

from .statistics import Interval

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"


def number(value: float, digits: int = 3) -> str:
    """0.5 as 0.500; NaN as a dash."""
    if math.isnan(value):
        return NOTHING
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", MINUS)


def signed(value: float, digits: int = 3) -> str:
    """0.5 as +0.500."""
    return ("+" if round(value, digits) > 0 else "") + number(value, digits)


def bounds(found: Interval, sign: bool = False) -> str:
    """[low, high], or nothing where there is no interval."""
    write = signed if sign else number
    return f"[{write(found.low)}, {write(found.high)}]" if found.known else ""


def with_bounds(found: Interval, sign: bool = False) -> str:
    """The mean and, where known, its interval."""
    return f"{(signed if sign else number)(found.mean)} {bounds(found, sign)}".strip()


def duration(seconds: float) -> str:
    """Seconds as people say them: 0.42 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if math.isnan(seconds):
        return NOTHING
    if seconds < 10:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: list[str], most: int = 6) -> str:
    """a, b and c; long lists end in how many more there are."""
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def significant(value: float, digits: int = 3) -> str:
    """A number of any size with about so many digits: 0.0123, 1.23, 123, 12345."""
    if math.isnan(value) or value == 0:
        return number(value, 0)
    return number(value, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def p_value(p: float) -> str:
    """p = 0.031, or p < 0.001."""
    return "p < 0.001" if p < 0.001 else f"p = {number(p)}"
