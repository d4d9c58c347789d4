"""The report of a sweep: what every arm does at each point, and from where on it beats every control, or hurts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ..disk import write_atomically
from ..errors import FillbenchError, why
from ..filenames import file_name
from ..sweep_records import SweepInfo, added_later, read_sweep, words_at
from .comparisons import FEWEST_SEEDS
from .curves import Axis, curves
from .html import rendered
from .leaderboard import against
from .markdown import escaped, table
from .numbers import NOTHING, listed, significant, with_bounds
from .pictures import Picture, in_both_themes
from .records import Run
from .sweep_table import QUESTIONS, Question, axis_of, groups, others_of, table_of, turning_points
from .theme import Theme
from .verdicts import BASES, COMPARED, ESTIMANDS
from .words import looked_before, notices, rare

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[[Theme], "Figure | None"]
Table = tuple[str, list[list[str]]]  # a heading, and rows of cells of which the first are the heads


ABOUT = (
    "Differences are paired by seed; knowing is the average precision of the rare classes, deciding the balanced "
    "accuracy. Brackets hold 95 % intervals at each point, without a correction over points, arms and both measures; "
    "the verdicts in the tables are corrected at each point, and may be more careful than the sentences. An arm hurts "
    "from where the curve of its difference to none first falls below zero, and beats every control from where that of "
    "its difference to the controls, to whichever it does worst against, first rises above it, on straight lines "
    "between the values that were tried. The interval of such a value ends where even the nearer bound of the curve "
    "has left zero; where it nowhere does, nothing is said to be shown."
)


def write(folder: Path, draw: Callable[[Mapping[str, Draw]], Mapping[str, Picture]] = in_both_themes) -> pd.DataFrame:
    """sweep.csv, turning-points.csv, sweep.md, sweep.html and figures/*.png of a sweep's folder; returns the first.
    `draw` makes the figures.

    Raises FillbenchError where it cannot be read or written.
    """
    info = read_sweep(folder)
    runs = [Run.read(folder / point["folder"]) for point in info["points"]]
    found = table_of(info, runs)
    arms = found[~found["arm"].isin({name for run in runs for name in run.arm_names if run.is_reference(name)})]
    turns = turning_points(info, arms)
    pictures = draw(_figures(info, arms))
    title = f"{runs[0].dataset['name']}: filling {rare(runs[0])}, over {listed(list(info['over']))}"
    sentences = [*_added(info), *_warnings(runs), *_sentences(info, arms, turns, len(runs[0].seeds))]
    tables = [(f"Gain in {ESTIMANDS[metric]}, and the verdicts", _gains(info, arms, metric)) for metric in COMPARED]
    tables += [("Not finished", lines)] if (lines := _unfinished(info, found)) else []
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
    figures = {_file_of(name): picture.light for name, picture in pictures.items()}
    try:
        (folder / "figures").mkdir(exist_ok=True)
        for file in (folder / "figures").glob("*.png"):
            if file.name not in figures:
                file.unlink()  # left by an earlier report
        for name, content in figures.items():
            write_atomically(folder / "figures" / name, content)
        for name, text in texts.items():
            write_atomically(folder / name, text.encode("utf-8", "replace"))
    except OSError as error:
        raise FillbenchError(f"the report could not be written to {folder}: {why(error)}") from None
    return found.assign(**{key: pd.to_numeric(found[key]) for key in info["numbers"]})


def _added(info: SweepInfo) -> list[str]:
    """That values were added to a sweep that had been looked at."""
    added = [f"{key} {listed(values)}" for key, values in added_later(info).items()]
    why = "Where one adds values until a curve leaves zero, it does so by chance more often than is said."
    return [f"Values were added after looking: {'; '.join(added)}. {why}"] if added else []


def _warnings(runs: Sequence[Run]) -> list[str]:
    """What the runs' own reports say before all else, once."""
    said = [text for run in runs for text in (looked_before(run), *notices(run)) if text]
    return list(dict.fromkeys(said))


def _unfinished(info: SweepInfo, found: pd.DataFrame) -> list[list[str]]:
    """A row for each arm at a point where it failed, was skipped or is not done, with the reason."""
    rows = found[found["filled"] & (found["status"] != "ok")].to_dict("records")
    lines = [[row["arm"], *(row[key] for key in info["over"]), row["status"], row["reason"]] for row in rows]
    return [["arm", *info["over"], "status", "reason"], *lines] if lines else []


def _sentences(info: SweepInfo, found: pd.DataFrame, turns: pd.DataFrame, seeds: int) -> Iterator[str]:
    """One for each arm that fills or is a control, at each combination of the other settings."""
    key, _ = axis_of(info)
    if seeds < FEWEST_SEEDS:
        yield f"{seeds} of at least {FEWEST_SEEDS} seeds: what is below may be chance, and has no interval."
        return
    for at, group in groups(info, found):
        judged = group[group["verdict_vs_none"].fillna("") != ""]
        for arm in dict.fromkeys(judged.sort_values("control", kind="stable")["arm"]):
            where = f", at {words_at(at)}," if at else ""
            if key in info["numbers"]:
                own = turns[turns["arm"] == arm]
                for other, value in at.items():
                    own = own[own[other] == value]
                told = [_told(own, question, key) for question in QUESTIONS]
            else:
                told = [_by_value(judged[judged["arm"] == arm], base, key) for base in BASES]
            if any(told):
                yield f"{_marked(group, arm)}{where} {'; '.join(text for text in told if text)}."


def _marked(rows: pd.DataFrame, arm: str) -> str:
    """The arm, with what the audits say against it at any point."""
    raised = "; ".join(flags for flags in rows.loc[rows["arm"] == arm, "flags"].dropna() if flags)
    return f"{arm} (flagged: {', '.join(dict.fromkeys(raised.split('; ')))})" if raised else arm


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
        return f"from the lowest {key} that was tried on"
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
    """How each figure is drawn, by its title: of both estimands, at each combination of the other settings."""
    key, values = axis_of(info)
    axis, found = Axis(key, values, key in info["numbers"]), dict[str, Draw]()
    for at, rows in groups(info, arms):
        on_trial, controls = (
            list(dict.fromkeys(rows.loc[rows["control"] == is_one, "arm"])) for is_one in (False, True)
        )
        for title, names, base in (
            ("against none", on_trial, "none"),
            ("against every control", on_trial, "controls"),
            ("the controls against none", controls, "none"),
        ):
            for metric in COMPARED:
                name = ", ".join(part for part in (ESTIMANDS[metric], title, words_at(at)) if part)
                found[name] = partial(curves, rows, names, base, ESTIMANDS[metric], axis)
    return found


def _file_of(title: str) -> str:
    return f"{file_name(title.replace(', ', ',').replace(' ', '-'))}.png"


def _gains(info: SweepInfo, arms: pd.DataFrame, metric: str) -> list[list[str]]:
    """A row for each arm and combination of the other settings, a cell for each value of the first: the difference to
    `none`, and the verdicts against it and the controls."""
    key, values = axis_of(info)
    lines = [["arm", *others_of(info), *(f"{key} {value}" for value in values)]]
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
        *(f"![{escaped(name)}](figures/{_file_of(name)})" for name in pictures),
    ]
    for name, lines in tables:
        rows = [[escaped(cell) for cell in line] for line in lines]
        parts += [f"## {name}", table([rows[0], ["---"] * len(rows[0]), *rows[1:]])]
    return "\n\n".join([*parts, f"## Repeat it\n\n```sh\n{command}\n```"]) + "\n"
