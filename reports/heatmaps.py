"""Figures over classes: confusion matrices, their difference to `none`, recall change, class counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .figures import figure
from .numbers import listed, number, signed
from .records import Run
from .theme import WIDTH, Theme, contrast, legend_above, panels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 30  # from here on, only the rare classes are named on an axis


def confusion_of(run: Run, arm: str | None) -> np.ndarray | None:
    """The confusion matrix summed over seeds, each row (true class) divided by its sum."""
    size = len(run.class_names)
    found = [np.array(run.scores(record)["confusion_matrix"], dtype=float) for record in run.ok(arm)]
    found = [matrix for matrix in found if matrix.shape == (size, size)]
    if not found:
        return None
    total = np.sum(found, axis=0)
    sums = total.sum(axis=1, keepdims=True)
    return np.divide(total, sums, out=np.full_like(total, np.nan), where=sums > 0)


def recall_of(run: Run, arm: str | None) -> np.ndarray | None:
    """The recall of every class, averaged over seeds."""
    size = len(run.class_names)
    rows = [row for record in run.ok(arm) if len(row := run.scores(record)["per_class"]["recall"]) == size]
    return np.array(rows, dtype=float).mean(axis=0) if rows else None


def counts_of(run: Run, arm: str) -> tuple[np.ndarray, np.ndarray] | None:
    """How many examples of every class there were before and after filling, averaged over seeds."""
    done = run.ok(arm)
    if not done:
        return None
    before, after = ([record[which] for record in done] for which in ("counts_before", "counts_after"))
    return np.mean(before, axis=0), np.mean(after, axis=0)


def finished(run: Run, board: pd.DataFrame) -> list[str]:
    """The arms with at least one good seed: references first, then in the order of the leaderboard."""
    references = [name for name in run.arm_names if run.is_reference(name)]
    order = references + [arm for arm in board["arm"] if arm not in references]
    return [arm for arm in order if run.ok(arm)]


@figure(
    "confusion",
    section="confusion",
    alt="Row-normalised confusion matrix of every arm, summed over seeds",
    caption="Confusion matrices summed over seeds: a row is a true class and adds up to one, a column a prediction. "
    "The scale is a root, so that a few per cent are seen.",
    empty="No cell recorded a confusion matrix.",
)
def confusion(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """One row-normalised matrix per arm."""
    matrices = {arm: confusion_of(run, arm) for arm in finished(run, board)}
    known = {arm: matrix for arm, matrix in matrices.items() if matrix is not None}
    return _matrices(run, known, theme, theme.share(), (0.0, 1.0), "share of the true class") if known else None


@figure(
    "confusion-change",
    section="confusion",
    alt="Confusion matrix of every arm minus that of {floor}",
    caption="The same minus {floor}. Blue is more, orange less: on the diagonal blue is a gain, off it a new "
    "confusion. The colours reach as far as the generators go; {ceiling} may go beyond.",
)
def confusion_change(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """The same matrices minus that of the floor."""
    base = confusion_of(run, run.floor)
    if base is None:
        return None
    found = {arm: confusion_of(run, arm) for arm in finished(run, board) if arm != run.floor}
    known = {arm: matrix - base for arm, matrix in found.items() if matrix is not None}
    if not known:
        return None
    reach = _reach(run, known)
    return _matrices(run, known, theme, theme.change(), (-reach, reach), run.said("change against {floor}"))


def _reach(run: Run, changes: dict[str, np.ndarray]) -> float:
    """How far the colours reach; the ceiling may go beyond, or it would wash out all others."""
    own = [change for arm, change in changes.items() if not run.is_reference(arm)]
    sizes = np.abs(np.concatenate([change.ravel() for change in own or changes.values()]))
    return max([0.05, *sizes[~np.isnan(sizes)].tolist()])


def _matrices(
    run: Run,
    matrices: dict[str, np.ndarray],
    theme: Theme,
    colours: Any,
    span: tuple[float, float],
    label: str,
) -> Figure:
    size = len(run.class_names)
    columns = 4 if size > MANY else 5
    sheet, axes = panels(len(matrices), columns, WIDTH / min(columns, max(len(matrices), 3)) + 0.05)
    image = None
    per_row = min(columns, max(len(matrices), 2))
    inches = 0.8 * WIDTH / max(per_row, 3)
    for index, (axis, (arm, matrix)) in enumerate(zip(axes, matrices.items(), strict=True)):
        image = axis.imshow(matrix, cmap=colours, norm=_norm(span), interpolation="nearest")
        axis.set_title(short(arm, 26))
        class_ticks(axis.yaxis, run, theme, inches, named=index % per_row == 0)
        class_ticks(axis.xaxis, run, theme, inches, named=index + per_row >= len(matrices))
        _frame(axis)
        if size <= 5:
            _write_values(axis, matrix, colours, span, theme)
    _scale(sheet, image, axes, np.concatenate([m.ravel() for m in matrices.values()]), label)
    return sheet


def _scale(sheet: Figure, image: Any, axes: Any, values: np.ndarray, label: str = "") -> None:
    """The colour bar, pointed where values go beyond it."""
    beyond = bool((np.abs(values[~np.isnan(values)]) > image.norm.vmax).any())
    extend = "both" if beyond else "neither"
    shrink = min(0.8, 2.5 / sheet.get_figheight())
    bar = sheet.colorbar(image, ax=axes, shrink=shrink, aspect=25, pad=0.02, extend=extend, extendfrac=0.04)
    bar.set_label(label, fontsize=7.5)
    bar.outline.set_visible(False)


def _norm(span: tuple[float, float]) -> Any:
    """Shares on a root scale, so that a few per cent of confusion are seen; changes on a linear one."""
    from matplotlib.colors import Normalize, PowerNorm

    return PowerNorm(0.5, *span) if span[0] == 0 else Normalize(*span)


@figure(
    "recall-change",
    section="recall",
    alt="Change of the recall of every class against {floor}, by arm",
    caption="Change of the recall of each class, averaged over seeds. Read along a row: a rare class gains, and the "
    "others may pay for it.",
    empty="There is nothing to compare: it needs {floor} and at least one other arm with a recall per class.",
)
def recall_change(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Arms by classes: the recall of every class minus that of the floor."""
    base = recall_of(run, run.floor)
    if base is None:
        return None
    found = {arm: recall_of(run, arm) for arm in finished(run, board) if arm != run.floor}
    rows = {arm: row - base for arm, row in found.items() if row is not None}
    if not rows:
        return None
    values = np.array(list(rows.values()))
    reach = _reach(run, rows)
    sheet, (axis,) = panels(1, 1, max(1.2, 0.25 * len(rows) + 0.75))
    image = axis.imshow(values, cmap=theme.change(), vmin=-reach, vmax=reach, aspect="auto")
    axis.set_yticks(range(len(rows)), [short(arm, 26) for arm in rows])
    axis.yaxis.set_tick_params(labelcolor=theme.ink)
    class_ticks(axis.xaxis, run, theme, 0.8 * WIDTH)
    _frame(axis)
    if len(run.class_names) <= 16:
        _write_values(axis, values, theme.change(), (-reach, reach), theme, sign=True)
    _scale(sheet, image, axis, values)
    return sheet


@figure(
    "class-counts",
    section="counts",
    alt="{plural} per class before and after filling, by arm",
    caption="Training {plural} by class, averaged over seeds; arms with the same counts share a panel. Rare classes in "
    "the accent colour.",
    empty="No cell recorded its class counts.",
)
def class_counts(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Examples per class: kept, added and dropped; arms with the same counts share a panel."""
    groups: dict[tuple[int, ...], list[str]] = {}
    befores: dict[tuple[int, ...], np.ndarray] = {}
    for arm in finished(run, board):
        if counts := counts_of(run, arm):
            same = tuple(np.round(counts[1]).astype(int))
            groups.setdefault(same, []).append(arm)
            befores.setdefault(same, counts[0])
    if not groups:
        return None
    size = len(run.class_names)
    columns = 1 if size > MANY else 3 if size > 4 else 4
    sheet, axes = panels(len(groups), columns, 1.75 if size > MANY else 2.0, top=0.35, sharey=True)
    for axis, (after_counts, arms) in zip(axes, groups.items(), strict=True):
        before, after = befores[after_counts], np.array(after_counts)
        kept = np.minimum(before, after)
        spots = np.arange(size)
        axis.bar(spots, kept, 0.78, color=theme.main, label="kept")
        axis.bar(spots, np.maximum(after - before, 0), 0.78, bottom=kept, color=theme.second, label="added")
        dropped = np.maximum(before - after, 0)
        axis.bar(spots, dropped, 0.78, bottom=kept, fill=False, edgecolor=theme.muted, lw=0.6, label="dropped")
        axis.set_title(short(_group_title(arms), 100 // max(2, min(columns, len(groups)))))
        class_ticks(axis.xaxis, run, theme, 0.9 * WIDTH / max(2, min(columns, len(groups))))
        axis.grid(axis="y")
        axis.set_axisbelow(True)
        axis.tick_params(length=0)
    legend_above(sheet, axes[0])
    return sheet


def _group_title(arms: list[str]) -> str:
    return listed([short(arm) for arm in arms], most=3)


def class_ticks(axis: Any, run: Run, theme: Theme, inches: float, named: bool = True) -> None:
    """Names the classes on an axis of this length, the rare ones in the accent colour.

    Of very many classes only the rare are named, and of those as many as there is room for.
    """
    size = len(run.class_names)
    shown = list(range(size)) if named else []
    if size > MANY and named:
        shown = _spaced(run.minority, size * 0.12 / inches)
    names = [short(run.class_names[label], 14) for label in shown]
    axis.set_ticks(shown, names)
    upright = axis.axis_name == "x" and max(map(len, names), default=0) * 0.075 * size > inches
    for label, text in zip(shown, axis.get_ticklabels(), strict=True):
        text.set_fontsize(6.5 if size > 12 else 7.5)
        text.set_rotation(90 if upright else 0)
        if label in run.minority:
            text.set_color(theme.second)
            text.set_fontweight("bold")


def _spaced(labels: list[int], gap: float) -> list[int]:
    kept: list[int] = []
    for label in sorted(labels):
        if not kept or label - kept[-1] >= gap:
            kept.append(label)
    return kept


def _frame(axis: Axes) -> None:
    axis.tick_params(length=0)
    for side in axis.spines.values():
        side.set_visible(True)


def _write_values(
    axis: Axes, values: np.ndarray, colours: Any, span: tuple[float, float], theme: Theme, sign: bool = False
) -> None:
    for (row, column), value in np.ndenumerate(values):
        if not np.isnan(value):
            colour = contrast(colours(_norm(span)(value)), theme)
            text = (signed if sign else number)(value, 2)
            axis.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
