"""One question asked at several values of one or more settings. Every point of the sweep is a run in a folder of its
own; all their cells go through one executor and one store, so that whatever points have in common is done once."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd

from ..disk import write_atomically
from ..errors import FillbenchError, why
from ..records import SCHEMA, Record, SweepInfo, read_sweep, words_at
from .cache import Store
from .config import RunConfig, in_commas
from .plan import Plan
from .points import Over, Point, SweepAsked, told_where
from .rundir import command_of, open_run
from .runner import Asked, planned, records_of, told_how_to_go_on


def sweep(asked: SweepAsked) -> tuple[pd.DataFrame, Path, list[Record]]:
    """Runs every point; returns the table of sweep.csv, the sweep's folder and all records.

    Raises FillbenchError for input that will not do at any point, before any work is done.
    """
    store = Store(Path(asked.points[0].config.cache).expanduser())
    plans = [_planned(point, store) for point in asked.points]
    out = _folder(plans[0], asked.over)
    info: SweepInfo = {
        "schema": SCHEMA,
        "command": _command(plans[0].config, asked.over, asked.pairs),
        "over": {key: list(values) for key, values in asked.over},
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


def _opened(plan: Plan, point: Point, out: Path) -> Asked:
    plan = replace(plan, config=replace(plan.config, out=str(out / point.folder)))
    return Asked(plan, open_run(plan), words_at(point.at))


def _command(config: RunConfig, over: Sequence[Over], pairs: bool) -> str:
    """The command that repeats a sweep, from what one of its points is told."""
    defaults = RunConfig()
    given = {key.replace("-", "_"): getattr(defaults, key.replace("-", "_")) for key, _ in over if "." not in key}
    settings = {
        name: {key: value for key, value in own.items() if f"{name}.{key}" not in {one.key for one in over}}
        for name, own in config.set.items()
    }
    words = command_of(replace(config, **given, set=settings)).replace("benchmark run", "benchmark sweep", 1)
    told = [word for key, values in over for word in ("--over", f"{key}={in_commas(values)}")]
    return f"{words} {shlex.join([*told, *(['--pairs'] if pairs else [])])}"
