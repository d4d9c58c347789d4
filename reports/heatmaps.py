"""Figures over classes: confusion matrices, their difference to `none`, recall change, class counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .records import Run, as_float
from .theme import WIDTH, Theme, contrast, panels, short
from .words import listed, number, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MANY = 30  # from here on, only the rare classes are named on an axis


def confusion_of(run: Run, arm: str) -> np.ndarray | None:
    """The confusion matrix summed over seeds, each row (true class) divided by its sum."""
    size = len(run.class_names)
    found = [np.array(r["confusion_matrix"], dtype=float) for r in run.ok(arm) if r.get("confusion_matrix")]
    found = [matrix for matrix in found if matrix.shape == (size, size)]
    if not found:
        return None
    total = np.sum(found, axis=0)
    sums = total.sum(axis=1, keepdims=True)
    return np.divide(total, sums, out=np.full_like(total, np.nan), where=sums > 0)


def recall_of(run: Run, arm: str) -> np.ndarray | None:
    """The recall of every class, averaged over seeds; NaN where the test set has no such class."""
    size = len(run.class_names)
    rows = [(record.get("per_class") or {}).get("recall") or [] for record in run.ok(arm)]
    rows = [[as_float(value) for value in row] for row in rows if len(row) == size]
    return _mean(np.array(rows)) if rows else None


def counts_of(run: Run, arm: str, which: str) -> np.ndarray | None:
    """counts_before or counts_after of an arm, averaged over seeds."""
    size = len(run.class_names)
    rows = [record[which] for record in run.ok(arm) if len(record.get(which) or []) == size]
    return np.mean(rows, axis=0) if rows else None


def _mean(rows: np.ndarray) -> np.ndarray:
    known = ~np.isnan(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0).sum(axis=0)
    return np.divide(total, count, out=np.full(rows.shape[1], np.nan), where=count > 0)


def finished(run: Run, board: pd.DataFrame) -> list[str]:
    """The arms with at least one good seed: references first, then in the order of the leaderboard."""
    references = [arm["name"] for arm in run.arms if arm.get("reference")]
    order = references + [arm for arm in board["arm"] if arm not in references]
    return [arm for arm in order if run.ok(arm)]


def confusion(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """One row-normalised matrix per arm."""
    matrices = {arm: confusion_of(run, arm) for arm in finished(run, board)}
    known = {arm: matrix for arm, matrix in matrices.items() if matrix is not None}
    return _matrices(run, known, theme, theme.share(), (0.0, 1.0), "share of the true class") if known else None


def confusion_change(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """The same matrices minus that of `none`."""
    base = confusion_of(run, "none")
    if base is None:
        return None
    found = {arm: confusion_of(run, arm) for arm in finished(run, board) if arm != "none"}
    known = {arm: matrix - base for arm, matrix in found.items() if matrix is not None}
    if not known:
        return None
    reach = _reach(run, known)
    return _matrices(run, known, theme, theme.change(), (-reach, reach), "change against none")


def _reach(run: Run, changes: dict[str, np.ndarray]) -> float:
    """How far the colours reach; `full` may go beyond, or it would wash out all others."""
    own = [change for arm, change in changes.items() if not run.arm(arm).get("reference")]
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
    figure, axes = panels(len(matrices), columns, WIDTH / min(columns, max(len(matrices), 3)) + 0.05)
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
    _scale(figure, image, axes, np.concatenate([m.ravel() for m in matrices.values()]), label)
    return figure


def _scale(figure: Figure, image: Any, axes: Any, values: np.ndarray, label: str = "") -> None:
    """The colour bar, pointed where values go beyond it."""
    beyond = bool((np.abs(values[~np.isnan(values)]) > image.norm.vmax).any())
    extend = "both" if beyond else "neither"
    shrink = min(0.8, 2.5 / figure.get_figheight())
    bar = figure.colorbar(image, ax=axes, shrink=shrink, aspect=25, pad=0.02, extend=extend, extendfrac=0.04)
    bar.set_label(label, fontsize=7.5)
    bar.outline.set_visible(False)


def _norm(span: tuple[float, float]) -> Any:
    """Shares on a root scale, so that a few per cent of confusion are seen; changes on a linear one."""
    from matplotlib.colors import Normalize, PowerNorm

    return PowerNorm(0.5, *span) if span[0] == 0 else Normalize(*span)


def recall_change(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Arms by classes: the recall of every class minus that under `none`."""
    base = recall_of(run, "none")
    if base is None:
        return None
    found = {arm: recall_of(run, arm) for arm in finished(run, board) if arm != "none"}
    rows = {arm: row - base for arm, row in found.items() if row is not None}
    if not rows:
        return None
    values = np.array(list(rows.values()))
    reach = _reach(run, rows)
    figure, (axis,) = panels(1, 1, max(1.2, 0.25 * len(rows) + 0.75))
    image = axis.imshow(values, cmap=theme.change(), vmin=-reach, vmax=reach, aspect="auto")
    axis.set_yticks(range(len(rows)), [short(arm, 26) for arm in rows])
    axis.yaxis.set_tick_params(labelcolor=theme.ink)
    class_ticks(axis.xaxis, run, theme, 0.8 * WIDTH)
    _frame(axis)
    if len(run.class_names) <= 16:
        _write_values(axis, values, theme.change(), (-reach, reach), theme, sign=True)
    _scale(figure, image, axis, values)
    return figure


def class_counts(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Images per class: kept, added and dropped; arms with the same counts share a panel."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for arm in finished(run, board):
        after = counts_of(run, arm, "counts_after")
        if after is not None and counts_of(run, arm, "counts_before") is not None:
            groups.setdefault(tuple(np.round(after).astype(int)), []).append(arm)
    if not groups:
        return None
    size = len(run.class_names)
    columns = 1 if size > MANY else 3 if size > 4 else 4
    figure, axes = panels(len(groups), columns, 1.75 if size > MANY else 2.0, top=0.35, sharey=True)
    for axis, (after_counts, arms) in zip(axes, groups.items(), strict=True):
        before, after = np.array(counts_of(run, arms[0], "counts_before")), np.array(after_counts)
        kept = np.minimum(before, after)
        spots = np.arange(size)
        axis.bar(spots, kept, 0.78, color=theme.main, label="kept")
        axis.bar(spots, np.maximum(after - before, 0), 0.78, bottom=kept, color=theme.second, label="added")
        dropped = np.maximum(before - after, 0)
        axis.bar(spots, dropped, 0.78, bottom=kept, fill=False, edgecolor=theme.muted, lw=0.6, label="dropped")
        axis.set_title(_group_title(arms))
        class_ticks(axis.xaxis, run, theme, 0.9 * WIDTH / max(2, min(columns, len(groups))))
        axis.grid(axis="y")
        axis.set_axisbelow(True)
        axis.tick_params(length=0)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=7.5, handlelength=1)
    return figure


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
