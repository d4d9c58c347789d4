"""Figures of lines and dots: effects with intervals, training curves, generator losses, time and memory."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .figures import figure
from .heatmaps import finished
from .leaderboard import against, group_of, interval
from .numbers import duration
from .records import Run, as_float
from .statistics import Interval
from .theme import Theme, arm_panels, direct_label, legend_above, panels, short, tidy
from .verdicts import DECIDING, KNOWING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@figure(
    "effects",
    section="leaderboard",
    alt="Average precision of every arm with its interval, its change against {floor}, and that of balanced accuracy",
    caption="Dots are means, lines 95 % intervals, ticks single seeds. The differences are taken seed by seed, which "
    "removes what all arms of a seed share.",
)
def effects(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Average precision, its change against the floor, and that of balanced accuracy: dots and intervals."""
    by_arm = {row["arm"]: row for row in board.to_dict("records")}
    rows = [arm for arm, row in by_arm.items() if group_of(row) < 2 and run.metric(arm, KNOWING)]
    if not rows:
        return None
    sheet, axes = panels(3, 3, 0.24 * len(rows) + 0.55, sharey=True)
    level: list[Interval | None] = [interval(by_arm[arm], KNOWING) for arm in rows]
    _dots(axes[0], run, rows, level, theme, "Average precision", [run.metric(arm, KNOWING) for arm in rows])
    if run.floor in rows:
        axes[0].axvline(interval(by_arm[run.floor], KNOWING).mean, color=theme.muted, lw=0.8, ls=(0, (3, 3)))
    for axis, metric, title in (
        (axes[1], KNOWING, run.said("… minus that of {floor}, by seed")),
        (axes[2], DECIDING, run.said("Balanced accuracy minus that of {floor}")),
    ):
        gaps = [None if arm == run.floor else against(by_arm[arm], "none", metric) for arm in rows]
        axis.axvline(0, color=theme.muted, lw=0.8, ls=(0, (3, 3)))
        _dots(axis, run, rows, gaps, theme, title)
    axes[0].set_yticks(range(len(rows)), [short(arm, 26) for arm in rows])
    axes[0].invert_yaxis()
    for arm, text in zip(rows, axes[0].get_yticklabels(), strict=True):
        text.set_color(theme.muted if run.is_reference(arm) else theme.ink)
    return sheet


def _dots(
    axis: Axes,
    run: Run,
    rows: list[str],
    found: list[Interval | None],
    theme: Theme,
    title: str,
    seeds: list[dict[int, float]] | None = None,
) -> None:
    for spot, (arm, value) in enumerate(zip(rows, found, strict=True)):
        if value is None or math.isnan(value.mean):
            continue
        colour = theme.muted if run.is_reference(arm) else theme.main
        if value.known:
            axis.plot([value.low, value.high], [spot, spot], color=colour, lw=1.6, alpha=0.55)
        if seeds and len(seeds[spot]) > 1:
            points = list(seeds[spot].values())
            axis.plot(points, [spot] * len(points), "|", color=colour, ms=5, mew=0.8)
        axis.plot([value.mean], [spot], "o", color=colour, ms=4.5)
    left, right = axis.get_xlim()
    axis.set_xlim(max(left, -1.05), min(right, 1.3))
    axis.set_ylim(-0.7, len(rows) - 0.3)
    axis.set_title(title)
    axis.grid(axis="x")
    axis.tick_params(length=0)
    axis.spines["left"].set_visible(False)


def curve_of(logs: list[list[dict[str, Any]]], value: str) -> tuple[np.ndarray, np.ndarray]:
    """Steps and the mean of one logged value over several logs; empty where it was never logged."""
    found: dict[float, list[float]] = defaultdict(list)
    for entry in (entry for log in logs for entry in log):
        if not math.isnan(number := as_float(entry.get(value))):
            found[as_float(entry.get("step"))].append(number)
    steps = sorted(step for step in found if not math.isnan(step))
    return np.array(steps), np.array([np.mean(found[step]) for step in steps])


@figure(
    "loss",
    section="training",
    alt="Train and test loss of the classifier by step, one panel per arm",
    caption="Loss of the classifier, mean over seeds. The test loss is only watched: nothing is chosen by it.",
    empty="No cell recorded a training curve.",
)
def loss_curves(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Train and test loss of every arm, with the test loss of the floor behind."""
    lines = [("train_loss", theme.main, "train"), ("test_loss", theme.second, "test")]
    return _curves(run, board, theme, lines, "test_loss", "loss")


@figure(
    "accuracy",
    section="training",
    alt="Test accuracy of the classifier by step, one panel per arm",
    caption="Test accuracy, mean over seeds.",
)
def accuracy_curves(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Test accuracy of every arm, with that of the floor behind."""
    return _curves(run, board, theme, [("test_accuracy", theme.main, "")], "test_accuracy", "test accuracy")


def _curves(
    run: Run, board: pd.DataFrame, theme: Theme, lines: list[tuple[str, str, str]], behind: str, label: str
) -> Figure | None:
    arms = [arm for arm in finished(run, board) if len(curve_of(_curves_of(run, arm), behind)[0])]
    if not arms:
        return None
    sheet, axes = arm_panels([short(arm, 24) for arm in arms], "step", label)
    base = curve_of(_curves_of(run, run.floor), behind)
    for axis, arm in zip(axes, arms, strict=True):
        if arm != run.floor and len(base[0]):
            axis.plot(
                *base, color=theme.muted, lw=0.9, ls=(0, (2, 2)), label=f"{behind.replace('_', ' ')} of {run.floor}"
            )
        for value, colour, name in lines:
            axis.plot(*curve_of(_curves_of(run, arm), value), color=colour, label=name or "arm")
    _log_where_wide(axes)
    legend_above(sheet, axes[-1])
    return sheet


def _curves_of(run: Run, arm: str | None) -> list[list[dict[str, float]]]:
    return [record["curve"] for record in run.ok(arm)]


@figure(
    "generator-losses",
    section="training",
    alt="Losses that the generators logged, one panel per arm",
    caption="What each generator logged, mean over seeds; a thin line per class where it learns class by class. Scales "
    "differ between panels.",
    empty="No generator recorded a loss.",
    title="Generators",
)
def generator_losses(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """What every generator logged while it learned, one panel per arm, a thin line per class."""
    logs = {arm: [record["generator_log"] for record in run.ok(arm)] for arm in finished(run, board)}
    arms = [arm for arm, log in logs.items() if any(log)]
    if not arms:
        return None
    columns = 4 if len(arms) > 3 else max(len(arms), 2)
    sheet, axes = panels(len(arms), columns, 1.7)
    for axis, arm in zip(axes, arms, strict=True):
        entries = [entry for log in logs[arm] for entry in log]
        names = list(dict.fromkeys(key for entry in entries for key in entry if key not in ("step", "label")))
        for name, colour in zip(names, theme.series, strict=False):
            _loss_lines(axis, logs[arm], name, colour)
        tidy(axis, short(arm, 26), "step")
        _log_where_wide([axis])
        axis.margins(y=0.08)
        axis.legend(loc="best", fontsize=6.5, handlelength=1, borderaxespad=0.2, labelcolor="linecolor")
    return sheet


def _loss_lines(axis: Axes, logs: list[list[dict[str, Any]]], name: str, colour: str) -> None:
    labels = sorted({entry["label"] for log in logs for entry in log if "label" in entry}, key=str) or [None]
    for spot, label in enumerate(labels):
        only = [[entry for entry in log if entry.get("label") == label] for log in logs]
        steps, values = curve_of(only, name)
        if len(steps):
            text = short(name.removesuffix("_loss").replace("_", " "), 22) if spot == 0 else None
            axis.plot(steps, values, color=colour, lw=1.3 if len(labels) == 1 else 0.7, label=text)


def _log_where_wide(axes: list[Axes]) -> None:
    """A logarithmic scale for axes that share one, where the values span more than a factor of 20."""
    lines = [line.get_ydata() for axis in axes for line in axis.lines]
    values = np.concatenate(lines) if lines else np.array([])
    if not len(values) or values.min() <= 0 or values.max() / values.min() < 20:
        return
    for axis in axes:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("")


@figure(
    "cost",
    section="cost",
    alt="Seconds per seed and peak memory of every arm",
    caption="Mean per seed: learning (fit), making {plural} (sample), training the classifier (train); and the peak of "
    "memory.",
    empty="No cell recorded its cost.",
)
def cost(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Seconds per seed (fit, sample, train) and the peak of memory."""
    parts = ("fit_seconds", "sample_seconds", "train_seconds")
    rows = board[board["seeds"] > 0]
    rows = rows[rows[[*parts, "peak_memory_mb"]].notna().any(axis=1)]
    if rows.empty:
        return None
    memory = rows["peak_memory_mb"].notna().any()
    sheet, axes = panels(2, 2, 0.22 * len(rows) + 0.75, sharey=True, width_ratios=[2, 1])
    spots, left = np.arange(len(rows)), np.zeros(len(rows))
    for part, colour in zip(parts, (theme.second, theme.third, theme.main), strict=True):
        width = rows[part].fillna(0).to_numpy(float)
        axes[0].barh(spots, width, 0.7, left=left, color=colour, label=part.removesuffix("_seconds"))
        left = left + width
    for spot, total in zip(spots, left, strict=True):
        direct_label(axes[0], total, float(spot), duration(total), theme.muted)
    axes[0].set_yticks(spots, [short(arm, 26) for arm in rows["arm"]])
    axes[0].invert_yaxis()
    legend_above(sheet, axes[0])
    _bars(axes[0], "Seconds per seed", theme)
    if memory:
        peak = rows["peak_memory_mb"].fillna(0).to_numpy(float)
        axes[1].barh(spots, peak, 0.7, color=theme.muted)
        for spot, value in zip(spots, peak, strict=True):
            direct_label(axes[1], value, float(spot), f"{value:.0f}", theme.muted)
        _bars(axes[1], "Peak memory, MB", theme)
    axes[1].set_visible(bool(memory))
    return sheet


def _bars(axis: Axes, title: str, theme: Theme) -> None:
    axis.set_title(title)
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    axis.tick_params(length=0)
    axis.yaxis.set_tick_params(labelcolor=theme.ink)
    axis.spines["left"].set_visible(False)
    axis.margins(x=0.12)
