"""The report of a sweep: what every arm does at each point, and from where on it beats every control, or hurts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from ..disk import write_atomically
from ..errors import FillbenchError, why
from ..records import SweepInfo, read_sweep, words_at
from .comparisons import FEWEST_SEEDS
from .curves import curves, numeric
from .html import rendered
from .leaderboard import against, leaderboard
from .markdown import escaped, table
from .numbers import NOTHING, listed, significant, with_bounds
from .pictures import Picture, in_both_themes
from .records import Run
from .theme import Theme
from .turning import turn
from .verdicts import BASES, COMPARED, ESTIMANDS
from .words import rare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Theme], "Figure | None"]
Table = tuple[str, list[list[str]]]  # a heading, and rows of cells of which the first are the heads


class Question(NamedTuple):
    """From which point on does an arm do so? `sign`: of its difference to the base."""

    does: str
    do: str
    base: str
    sign: int


QUESTIONS = (
    Question("beats every control", "beat every control", "controls", 1),
    Question("hurts", "hurt", "none", -1),
)
PARTS = ("mean", "ci_low", "ci_high")
ABOUT = (
    "Differences are paired by seed; knowing is the average precision of the rare classes, deciding the balanced "
    "accuracy. Brackets hold 95 % intervals at each point, without a correction over points and arms. An arm beats "
    "every control, or hurts, from where its curve first leaves zero, on a straight line between the values that were "
    "tried; the interval of that value ends where even the nearer bound of the curve has left zero. Where it nowhere "
    "does, nothing is said to be shown."
)


def write(folder: Path, draw: Callable[[Mapping[str, Draw]], Mapping[str, Picture]] = in_both_themes) -> pd.DataFrame:
    """sweep.csv, turning-points.csv, sweep.md, sweep.html and figures/*.png of a sweep's folder; returns the first.
    `draw` makes the figures.

    Raises FillbenchError where it cannot be read or written.
    """
    info = read_sweep(folder)
    runs = [Run.read(folder / point["folder"]) for point in info["points"]]
    found = table_of(info, runs)
    arms = found[~found["arm"].isin([name for run in runs for name in run.arm_names if run.is_reference(name)])]
    turns = turning_points(info, arms)
    pictures = draw(_figures(info, arms))
    title = f"{runs[0].dataset['name']}: filling {rare(runs[0])}, over {listed(list(info['over']))}"
    sentences = list(_sentences(info, arms, turns, len(runs[0].seeds)))
    tables = [(f"Gain in {ESTIMANDS[metric]}, and the verdicts", _gains(info, arms, metric)) for metric in COMPARED]
    page = rendered(
        "sweep.html.j2",
        title=title,
        sentences=sentences,
        about=ABOUT,
        pictures=pictures,
        tables=tables,
        command=info["command"],
    )
    texts = {
        "sweep.csv": found.to_csv(index=False, lineterminator="\n"),
        "turning-points.csv": turns.to_csv(index=False, lineterminator="\n"),
        "sweep.md": _markdown(title, sentences, list(pictures), tables, info["command"]),
        "sweep.html": page,
    }
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for name, picture in pictures.items():
            write_atomically(folder / "figures" / f"{_file_name(name)}.png", picture.light)
        for name, text in texts.items():
            write_atomically(folder / name, text.encode("utf-8", "replace"))
    except OSError as error:
        raise FillbenchError(f"the report could not be written to {folder}: {why(error)}") from None
    return found


def table_of(info: SweepInfo, runs: Sequence[Run]) -> pd.DataFrame:
    """The leaderboards of all points as one table, with the values of each setting first.

    Where nothing is filled, every arm that fills is `none`, and its difference to it is zero.
    """
    rows = [
        {**point["at"], **row}
        for run, point in zip(runs, info["points"], strict=True)
        for row in leaderboard(run).to_dict("records")
    ]
    for at in info["unfilled"]:
        rest = {key: value for key, value in at.items() if key != "fill"}
        same = [row for row in rows if rest.items() <= row.items()]
        rows += [{**row, **at} for row in _unfilled(same, runs[0])]
    return pd.DataFrame(rows)


def _unfilled(rows: Sequence[dict[Any, Any]], run: Run) -> list[dict[Any, Any]]:
    """What a leaderboard would be if nothing were filled, from one where something is."""
    by_arm = {row["arm"]: row for row in rows}
    floor = by_arm.get(run.floor)
    if floor is None:
        return []
    columns = [f"{metric['name']}_{part}" for metric in run.metrics for part in PARTS]
    levels = {name: floor[name] for name in columns}
    nothing = {f"vs_none_{ESTIMANDS[metric]}_{part}": 0.0 for metric in COMPARED for part in PARTS}
    return [
        {**{name: row[name] for name in ("arm", "seeds", "external_data", "control")}, **levels, **nothing}
        if _fills(run, arm)
        else {name: value for name, value in row.items() if "vs_controls" not in name}  # some of them fill
        for arm, row in by_arm.items()
    ]


def _fills(run: Run, arm: str) -> bool:
    """Whether an arm adds examples: no reference, and not one that only trains otherwise."""
    return not run.is_reference(arm) and run.arm(arm)["source"] != run.floor


def groups(info: SweepInfo, found: pd.DataFrame) -> Iterator[tuple[dict[str, str], pd.DataFrame]]:
    """The rows for every combination of the settings but the first, which is on the axis; all rows with `pairs`."""
    others = [] if info["pairs"] else list(info["over"])[1:]
    if not others:
        yield {}, found
        return
    for values, rows in found.groupby(others, sort=False):
        yield dict(zip(others, map(str, values), strict=True)), rows


def turning_points(info: SweepInfo, found: pd.DataFrame) -> pd.DataFrame:
    """From which value of the first setting on an arm beats every control, and from which it hurts: a row for each arm,
    estimand and question, `from` NaN where that is nowhere so on average, `from_high` where it is nowhere shown.

    `lowest`: the lowest value with an interval. `not_shown_at`: higher values at which it is not shown any more. No
    rows where the values are no numbers.
    """
    key, values = next(iter(info["over"].items()))
    rows = [
        {**at, "arm": arm, "estimand": ESTIMANDS[metric], "change": question.does, **asked}
        for at, group in groups(info, found)
        if numeric(values)
        for arm, own in group.groupby("arm", sort=False)
        for metric in COMPARED
        for question in QUESTIONS
        if (asked := _turn(own, key, metric, question)) is not None
    ]
    others = [] if info["pairs"] else list(info["over"])[1:]
    names = [*others, "arm", "estimand", "change", "lowest", "from", "from_low", "from_high", "not_shown_at"]
    return pd.DataFrame(rows, columns=names)


def _turn(rows: pd.DataFrame, key: str, metric: str, question: Question) -> dict[str, Any] | None:
    """None where there is no interval at two points or more."""
    bands = sorted((float(row[key]), against(row, question.base, metric)) for row in rows.to_dict("records"))
    bands = [(x, band) for x, band in bands if band.known]
    if len(bands) < 2:
        return None
    x = np.array([x for x, _ in bands])
    mean, low, high = (np.array([getattr(band, end) for _, band in bands]) for end in ("mean", "low", "high"))
    if question.sign < 0:
        mean, low, high = -mean, -high, -low
    found = turn(x, mean, low, high)
    later = [f"{value:g}" for value, least in zip(x, low, strict=True) if value > found.surest and least <= 0]
    return {
        "lowest": x[0],
        "from": found.mean,
        "from_low": found.earliest,
        "from_high": found.surest,
        "not_shown_at": ", ".join(later),
    }


def _sentences(info: SweepInfo, found: pd.DataFrame, turns: pd.DataFrame, seeds: int) -> Iterator[str]:
    """One for each arm that fills or is a control, at each combination of the other settings."""
    key, values = next(iter(info["over"].items()))
    if seeds < FEWEST_SEEDS:
        yield f"{seeds} of at least {FEWEST_SEEDS} seeds: what is below may be chance, and has no interval."
        return
    for at, group in groups(info, found):
        judged = group[group["verdict_vs_none"].fillna("") != ""]
        for arm in dict.fromkeys(judged.sort_values("control", kind="stable")["arm"]):
            where = f", at {words_at(at)}," if at else ""
            if numeric(values):
                own = turns[turns["arm"] == arm]
                for other, value in at.items():
                    own = own[own[other] == value]
                told = [_told(own, question, key) for question in QUESTIONS]
            else:
                told = [_by_value(judged[judged["arm"] == arm], base, key) for base in BASES]
            yield f"{arm}{where} {'; '.join(text for text in told if text)}."


def _told(turns: pd.DataFrame, question: Question, key: str) -> str:
    """beats every control in knowing from fill 0.43 [0.25, 0.9]"""
    turns = turns[turns["change"] == question.does]
    if turns.empty:
        return ""
    shown = turns[turns["from_high"].notna()].to_dict("records")
    if not shown:
        return f"is not shown to {question.do}"
    parts = [
        f"in {row['estimand']} {_where(row, key)}"
        + (f", but is not shown to at {row['not_shown_at']}" if row["not_shown_at"] else "")
        for row in shown
    ]
    return f"{question.does} {' and '.join(parts)}"


def _where(row: Mapping[Any, Any], key: str) -> str:
    """from fill 0.43 [0.25, 0.9]"""
    if row["from_high"] == row["lowest"]:
        return f"from the lowest {key} on"
    return f"from {key} {_short(row['from'])} [{_short(row['from_low'])}, {_short(row['from_high'])}]"


def _by_value(rows: pd.DataFrame, base: str, key: str) -> str:
    """against none: helps at resnet18; no difference shown at resnet10t"""
    verdicts = rows.groupby(f"verdict_vs_{base}", sort=False)[key].agg(list)
    told = [f"{word} at {key} {listed(at, 20)}" for word, at in verdicts.items() if word]
    return f"against {base}: {', '.join(told)}" if told else ""


def _short(value: float) -> str:
    text = significant(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def _figures(info: SweepInfo, arms: pd.DataFrame) -> dict[str, Draw]:
    """How each figure is drawn, by name: of both estimands, at each combination of the other settings, of the arms on
    trial and of the controls."""
    key, values = next(iter(info["over"].items()))
    return {
        ", ".join([ESTIMANDS[metric], which, words_at(at)]).rstrip(", "): partial(
            curves, rows, which == "controls", key, values, ESTIMANDS[metric]
        )
        for at, rows in groups(info, arms)
        for which in ("arms", "controls")
        for metric in COMPARED
    }


def _file_name(title: str) -> str:
    return re.sub(r"[^A-Za-z0-9.=_-]+", "-", title)


def _gains(info: SweepInfo, arms: pd.DataFrame, metric: str) -> list[list[str]]:
    """A row for each arm and combination of the other settings, a cell for each value of the first: the difference to
    `none`, and the verdicts against it and the controls."""
    key, values = next(iter(info["over"].items()))
    others = [] if info["pairs"] else list(info["over"])[1:]
    lines = [["arm", *others, *(f"{key} {value}" for value in values)]]
    for at, group in groups(info, arms):
        for arm, rows in group.groupby("arm", sort=False):
            by_value = {row[key]: row for row in rows.to_dict("records")}
            lines.append([str(arm), *at.values(), *(_cell(by_value.get(value), metric) for value in values)])
    return lines


def _cell(row: Mapping[Any, Any] | None, metric: str) -> str:
    if row is None:
        return NOTHING
    words = [row[f"verdict_vs_{base}"] for base in BASES if isinstance(row.get(f"verdict_vs_{base}"), str)]
    told = " / ".join(word or NOTHING for word in words)
    return "; ".join(part for part in (with_bounds(against(row, "none", metric), sign=True), told) if part)


def _markdown(title: str, sentences: list[str], pictures: list[str], tables: list[Table], command: str) -> str:
    parts = [
        f"# {escaped(title)}",
        "\n".join(f"- {escaped(sentence)}" for sentence in sentences),
        ABOUT,
        *(f"![{escaped(name)}](figures/{_file_name(name)}.png)" for name in pictures),
    ]
    for name, lines in tables:
        rows = [[escaped(cell) for cell in line] for line in lines]
        parts += [f"## {name}", table([rows[0], ["---"] * len(rows[0]), *rows[1:]])]
    return "\n\n".join([*parts, f"## Repeat it\n\n```sh\n{command}\n```"]) + "\n"
