"""Figures of the probabilities themselves: precision by recall of the rare classes, and confidence against accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .estimates import BINS, Floats, Predictions, Ranking
from .figures import figure
from .heatmaps import finished
from .numbers import number
from .records import Run
from .theme import Theme, arm_panels, legend_above, short
from .verdicts import KNOWING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECALLS = np.arange(1, 101) / 100


@figure(
    "precision-recall",
    section="probabilities",
    alt="Precision by recall of the rare classes, one panel per arm, with {floor} behind it",
    caption="Precision where the recall first reaches each per cent, averaged over rare classes and seeds; nothing is "
    "interpolated, so the area under a curve is about Rare AP, the number above it. Each point is a threshold: "
    "moving it goes along the curve, knowing more lifts the curve.",
    empty="There are no predictions to draw.",
    title="What is known of the rare classes",
)
def precision_recall(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Precision by recall of every arm, with that of the floor behind."""
    found = {arm: curve for arm in finished(run, board) if len(curve := precision_of(run, arm))}
    if not found:
        return None
    sheet, axes = arm_panels(_titles(board, found, KNOWING, "AP"), "recall", "precision", 1.7)
    for axis, (arm, curve) in zip(axes, found.items(), strict=True):
        if arm != run.floor and run.floor in found:
            axis.plot(RECALLS, found[run.floor], color=theme.muted, lw=0.9, ls=(0, (2, 2)), label=run.floor)
        axis.plot(RECALLS, curve, color=theme.main, label="arm")
        axis.set(xlim=(0, 1.02), ylim=(0, 1.05))
    legend_above(sheet, axes[-1])
    return sheet


def precision_of(run: Run, arm: str) -> Floats:
    """The precision at RECALLS, averaged over rare classes, classifiers and seeds; empty without predictions."""
    curves = [_precision(one) for found in _predictions(run, arm) for one in found.ranked(found.rare) if one.positives]
    return np.mean(curves, axis=0) if curves else np.array([])


def _precision(ranking: Ranking) -> Floats:
    """The precision at the highest threshold where the recall reaches each of RECALLS."""
    wanted = np.ceil((RECALLS * ranking.positives).round(6))
    spots = np.searchsorted(ranking.found, wanted)
    return ranking.found[spots] / (ranking.last[spots] + 1)


@figure(
    "reliability",
    section="probabilities",
    alt="How often predictions are right by how confident they are, one panel per arm, with {floor} behind it",
    caption=f"Test {{plural}} in {BINS} bins by the probability of their most probable class (confidence), and the "
    "share of each bin that is right, pooled over seeds; larger dots hold more {plural}. On the diagonal confidence is "
    "what it says; below it is too high. ECE, the number above, is the mean distance of the dots from the "
    "diagonal, each weighing as much as it holds: 0 is calibrated. It is taken for each seed, then averaged.",
    title="Calibration",
)
def reliability(run: Run, board: pd.DataFrame, theme: Theme) -> Figure | None:
    """Accuracy by confidence of every arm, with that of the floor behind."""
    found = {arm: bins for arm in finished(run, board) if len(bins := bins_of(run, arm))}
    if not found:
        return None
    sheet, axes = arm_panels(_titles(board, found, "ece", "ECE"), "confidence", "accuracy", 1.7)
    for axis, (arm, (confidence, accuracy, share)) in zip(axes, found.items(), strict=True):
        axis.plot([0, 1], [0, 1], color=theme.rule, lw=0.9)
        if arm != run.floor and run.floor in found:
            axis.plot(*found[run.floor][:2], color=theme.muted, lw=0.9, ls=(0, (2, 2)), label=run.floor)
        axis.plot(confidence, accuracy, color=theme.main, lw=0.9, label="arm")
        axis.scatter(confidence, accuracy, s=3 + 45 * share, color=theme.main, lw=0, zorder=3)
        axis.set(xlim=(0, 1.04), ylim=(0, 1.05))
    legend_above(sheet, axes[-1])
    return sheet


def bins_of(run: Run, arm: str) -> Floats:
    """Of each bin that holds any test examples: mean confidence, accuracy, and share of all, (3, bins); over
    classifiers and seeds. Empty without predictions."""
    each = list(_predictions(run, arm))
    if not each:
        return np.array([])
    top, right = (np.concatenate(parts) for parts in zip(*((one.top, one.top_right) for one in each), strict=True))
    bins = np.ceil(BINS * top.clip(max=1)).astype(int)
    counts = np.bincount(bins)
    held = counts > 0
    sums = np.array([np.bincount(bins, top), np.bincount(bins, right), counts**2 / len(bins)])
    return sums[:, held] / counts[held]


def _titles(board: pd.DataFrame, arms: Iterable[str], metric: str, label: str) -> list[str]:
    """The arms, and below each what it reaches."""
    means = board.set_index("arm")[f"{metric}_mean"]
    return [f"{short(arm, 24)}\n{label} {number(means[arm])}" for arm in arms]


def _predictions(run: Run, arm: str) -> list[Predictions]:
    """Of every classifier and good seed of an arm."""
    return [one for record in run.ok(arm) for one in run.predictions(record)]
