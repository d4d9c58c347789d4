"""Errors that are told to people: what was wrong, with which value, what to type instead."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class FillbenchError(Exception):
    """Wrong input or a machine that cannot do what was asked; the message is the whole story."""


class CannotFill(FillbenchError):
    """A generator cannot make examples from this data, and says why (say, a class too small)."""


class UnfitData(FillbenchError, ValueError):
    """What `fit_resample` cannot take; a ValueError, as whoever calls a sampler of scikit-learn's manner expects."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{near[0]}'?"
    return "known are: " + ", ".join(names) if names else "there are none"


def why(error: OSError) -> str:
    """The reason of a failed read or write; NumPy's carry no error number, only words."""
    return error.strerror or str(error)
