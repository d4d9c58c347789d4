"""One question asked at several values of one or more settings. Every point of the sweep is a run in a folder of its
own; all their cells go through one executor and one store, so that whatever points have in common is done once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from ..disk import write_atomically
from ..errors import FillbenchError, why
from ..records import SCHEMA, Record
from ..sweep_records import SweepInfo, read_sweep, words_at
from .cache import Store
from .config import RunConfig, in_commas, words_of
from .plan import Plan
from .points import Over, Point, SweepAsked, told_where
from .rundir import open_run
from .runner import PlannedRun, planned, records_of, told_how_to_go_on


def sweep(asked: SweepAsked) -> tuple[pd.DataFrame, Path, list[Record]]:
    """Runs every point; returns the table of sweep.csv, the sweep's folder and all records.

    Raises FillbenchError for input that will not do at any point, before any work is done.
    """
    store = Store(Path(asked.points[0].config.cache).expanduser())
    plans = [_planned(point, store) for point in asked.points]
    out, over = _folder(plans[0], asked.over), {key: list(values) for key, values in asked.over}
    info: SweepInfo = {
        "schema": SCHEMA,
        "command": _command(asked),
        "over": over,
        "first_over": _asked_at_first(out, over),
        "numbers": asked.numbers,
        "pairs": asked.pairs,
        "points": [{"folder": point.folder, "at": point.at} for point in asked.points],
        "unfilled": asked.unfilled,
    }
    runs = [_opened(plan, point, out) for plan, point in zip(plans, asked.points, strict=True)]
    try:
        write_atomically(out / "sweep.json", json.dumps(info, indent=1))
    except OSError as error:
        raise FillbenchError(f"folder '{out}' cannot be written ({why(error)}); choose another --out") from None
    with told_how_to_go_on(out):
        records = records_of(runs, store)
        from ..reports.sweep import write  # matplotlib is slow to import

        table = write(out)
    return table, out, [record for of_point in records for record in of_point]


def _planned(point: Point, store: Store) -> Plan:
    with told_where(point.at):
        return planned(point.config, point.data, store)


def _folder(plan: Plan, over: Sequence[Over]) -> Path:
    """The sweep's folder, a new one or a former one over the same settings. Raises FillbenchError for another."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    out = Path(plan.config.out or f"runs/{plan.data.split.name}-sweep-{stamp}").expanduser()
    if (out / "sweep.json").is_file():
        former, now = list(read_sweep(out)["over"]), [key for key, _ in over]
        if former != now:
            raise FillbenchError(
                f"folder '{out}' has a sweep over {' and '.join(former)}, not over {' and '.join(now)}; "
                "choose another --out"
            )
    return out


def _asked_at_first(out: Path, over: dict[str, list[str]]) -> dict[str, list[str]]:
    if not (out / "sweep.json").is_file():
        return over
    former = read_sweep(out)
    return former.get("first_over", former["over"])


def _opened(plan: Plan, point: Point, out: Path) -> PlannedRun:
    plan = replace(plan, config=replace(plan.config, out=str(out / point.folder)))
    return PlannedRun(plan, open_run(plan), words_at(point.at))


def _command(asked: SweepAsked) -> str:
    """The command that repeats a sweep: what was given, but for where it is put and how it is run."""
    words = ["benchmark", "sweep", *(["--preset", asked.preset] if asked.preset else [])]
    for name, value in asked.flags.items():
        if name in RunConfig.where_and_how or value in (None, (), False, {}):
            continue
        option = f"--{name.replace('_', '-')}"
        if value is True:
            words.append(option)
        elif name in ("set", "plugin"):
            given = [f"{key}={of}" for key, of in _flat(value)] if isinstance(value, Mapping) else words_of(value)
            words += [word for text in given for word in (option, text)]
        else:
            words += [option, value if isinstance(value, str) else in_commas(words_of(value))]
    words += [word for key, values in asked.over for word in ("--over", f"{key}={in_commas(values)}")]
    return shlex.join([*words, *(["--pairs"] if asked.pairs else [])])


def _flat(settings: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Settings of generators, nested or flat, as NAME.KEY and value."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{key}", of) for key, of in value.items())
        else:
            yield name, value
