"""Turns what a user typed into a checked settings dataclass."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from .errors import FillbenchError, did_you_mean

S = TypeVar("S")
MOST_FILL = 10.0  # times the gap to the largest class


def build(cls: type[S], values: Mapping[str, Any], where: str) -> S:
    """The dataclass `cls` from `values`, whose strings become the annotated types.

    Raises FillbenchError naming `where`, the key and the value: for an unknown key, a missing one,
    or a value of the wrong type or range.
    """
    from pydantic import TypeAdapter, ValidationError  # heavy, and `--help` must not wait for it

    if not dataclasses.is_dataclass(cls):
        raise FillbenchError(f"the settings of {where} must be a dataclass: write @dataclass(frozen=True)")
    check_keys({field.name for field in dataclasses.fields(cls)}, values, where)
    try:
        return TypeAdapter(cls).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "?"
        if first["type"] == "missing":
            raise FillbenchError(f"{where} needs its setting '{key}'") from None
        raise _will_not_do(where, key, values.get(key), first["msg"]) from None


def check_values(types: Mapping[str, Any], values: Mapping[str, Any], where: str) -> None:
    """As `build` does of settings of these types; a missing one is not looked for."""
    from pydantic import TypeAdapter, ValidationError

    check_keys(types, values, where)
    for key, value in values.items():
        try:
            TypeAdapter(types[key]).validate_python(value)
        except ValidationError as error:
            raise _will_not_do(where, key, value, error.errors()[0]["msg"]) from None


def _will_not_do(where: str, key: str, value: Any, why: str) -> FillbenchError:
    return FillbenchError(f"{where}: {key} = {value!r} will not do: {why}")


def check_keys(known: Collection[str], values: Mapping[str, Any], where: str) -> None:
    """Raises FillbenchError naming `where` and the first key of `values` that is not a known one."""
    for key in values:
        if key not in known:
            hint = did_you_mean(key, known) if known else "it has no settings"
            raise FillbenchError(f"{where} has no setting '{key}'; {hint}")


def required(cls: type) -> list[str]:
    """The settings of dataclass `cls` that have no default."""
    missing = dataclasses.MISSING
    if not dataclasses.is_dataclass(cls):
        return []
    return [f.name for f in dataclasses.fields(cls) if f.default is missing and f.default_factory is missing]


def check_amount(flag: str, value: float | int, whole: str, most: float = 1.0) -> None:
    """Raises FillbenchError unless `value` is a share (a float up to `most`) of `whole`, or a count (an int) from 2.

    A count of 1 is refused: whoever types it may mean all.
    """
    wrong = f"--{flag} {value} will not do: "
    if isinstance(value, int) and value == 1:
        raise FillbenchError(f"{wrong}write 1.0 for all of {whole}, or 2 or more")
    if isinstance(value, float) and value > most and value.is_integer():
        raise FillbenchError(f"{wrong}a number with a point is a share, up to {most}; write {value:.0f} for a count")
    if not value > 0 or (isinstance(value, float) and value > most):
        raise FillbenchError(f"{wrong}give a share of {whole} such as 0.5, up to {most}, or a count such as 300")
