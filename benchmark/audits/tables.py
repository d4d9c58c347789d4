"""The audit of tables: nearness in scaled columns, each column's statistics, and how columns depend on each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from ...datasets.base import DataSet
from ...datasets.coding import Coding, Floats
from ...datasets.tables import Rows
from .base import Auditor, Entry, Figure, Flag, Limits, register
from .columns import BEYOND, distances, histograms, outside, unseen
from .dependence import LOST, correlations, gap, information, lost
from .detection import detection
from .quality import spaced

SHIFT = 2.0  # standard deviations that a column's mean may be off
SPREAD = 4.0  # how many times as wide or as narrow it may be
LEAST = 0.05  # a column that varies less within a class counts as one that varies so much
FEWEST, MOST = 20, 1000  # rows that distributions are compared of

FIGURES = (
    Figure(
        "column_distance",
        "Column distance",
        real="column_distance_real",
        note="The distance between the values of a column, mean over columns: Kolmogorov and Smirnov's of numbers, the "
        "total variation of categories. The first row of this and of the next figures is the test {plural} of the "
        "class, as many, against the same training {plural}: what chance does.",
    ),
    Figure("column_distance_worst", "Worst column", real="column_distance_worst_real", column=False),
    Figure(
        "outside",
        "Out of range",
        real="outside_real",
        note="The share of values beyond the range of the training {plural} of the class, or a category that none has.",
    ),
    Figure(
        "correlation_gap",
        "Correlation gap",
        real="correlation_gap_real",
        note="The mean absolute difference of the rank correlations of two columns of numbers.",
    ),
    Figure(
        "information_gap",
        "Information gap",
        real="information_gap_real",
        note="The mean absolute difference of the mutual information of two columns, over the mean of their entropies; "
        "numbers are cut at quantiles.",
    ),
    Figure(
        "dependence",
        "Dependence",
        real="dependence_real",
        note="How well the other columns tell a column: its correlation with their sum, weighted by their correlations "
        "with it in the training {plural} of the class; mean over columns.",
    ),
    Figure(
        "detection",
        "Detection",
        real="detection_real",
        note="AUROC of gradient boosting, cross-validated, in telling synthetic from training {plural} of the class: "
        "0.5 where it cannot.",
    ),
)
COMPARED = ("column_distance", "column_distance_worst", "outside", "correlation_gap", "information_gap", "detection")


def dependence_lost(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether a column no longer depends on the others."""
    return entry["lost_p"] is not None and entry["lost_p"] < level


def tells_dependence(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether of any column it would be shown."""
    return entry["lost_least"] is not None and entry["lost_least"] < level


def unseen_categories(entry: Entry, limits: Limits, level: float) -> bool:
    """Whether more have a category that no real one of the class has than chance would do."""
    return entry["unseen"] is not None and entry["unseen"] > BEYOND and entry["unseen_p"] < level


FLAGS = (
    Flag(
        "dependence lost",
        ("lost", "lost_p"),
        dependence_lost,
        f"The correlation of a column with what the others say of it (see Dependence) is under {LOST:g} of what it is "
        "in test {plural}, or of what the kept ones show it to be at least: a column shuffled, or each drawn for "
        "itself. It cannot tell where that would not be shown of any column.",
        tells_dependence,
    ),
    Flag(
        "unseen categories",
        ("unseen", "unseen_p"),
        unseen_categories,
        f"A share above {BEYOND:g} has in some column a category that no training {{noun}} of the class has; counted "
        "above the share of test {plural}.",
    ),
)


@register("tables")
@dataclass(frozen=True)
class TableAuditor(Auditor):
    """Rows are compared column by column: numbers in standard deviations, categories as the same or not."""

    coding: Coding

    space = "columns"
    statistics = ("mean", "std", "missing")
    off_range = (
        f"The mean of a column of numbers more than {SHIFT:g} standard deviations off, or its spread under a quarter "
        f"or over {SPREAD:g} times the real one"
    )
    figures = FIGURES
    flags = FLAGS
    alike = "Rows are compared in all columns at once: numbers in standard deviations, categories as the same or not."

    @classmethod
    def of(cls, train: DataSet) -> Self:
        """By the means and deviations of all real training rows."""
        return cls(Coding.fit(train))

    def prepare(self, x: Rows, device: torch.device) -> torch.Tensor:
        """(N, F) as (N, D) float32; two categories that differ are 1 apart."""
        scale = np.concatenate([np.full(max(1, count), 0.5**0.5 if count else 1) for count in self.coding.categories])
        return torch.from_numpy(self.coding.one_hot(x) * scale.astype(np.float32)).to(device)

    def distances(self, queries: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """(N, M), Euclidean."""
        return torch.cdist(queries, targets)

    def describe(self, x: Rows) -> dict[str, float]:
        """Mean and deviation of each scaled column, and over all of them; the share of missing values."""
        coded = self.coding.coded(x).astype(np.float64)  # the squares of wild values are too large for float32
        found = {"mean": float(coded.mean()), "std": float(coded.std()), "missing": float(np.isnan(x).mean())}
        for name, values in self._numbers(coded):
            found |= {f"mean of {name}": float(values.mean()), f"std of {name}": float(values.std())}
        return found

    def _numbers(self, coded: Floats) -> list[tuple[str, Floats]]:
        """The scaled columns of numbers, by name."""
        names = [column.name for column in self.coding.traits.columns if column.categories is None]
        spots = [spot for spot, count in enumerate(self.coding.categories) if not count]
        return [(name, coded[:, spot]) for name, spot in zip(names, spots, strict=True)]

    def off(self, made: dict[str, float], real: dict[str, float]) -> list[str]:
        """Which columns' mean or spread is far from the real one."""
        found = []
        for column in self.coding.traits.columns:
            if column.categories is not None:
                continue
            spread, own = (max(found_of[f"std of {column.name}"], LEAST) for found_of in (real, made))
            if abs(made[f"mean of {column.name}"] - real[f"mean of {column.name}"]) > SHIFT * spread:
                found.append(f"mean of {column.name} far off")
            elif not spread / SPREAD <= own <= SPREAD * spread:
                found.append(f"spread of {column.name} far off")
        return found

    def compare(self, made: Rows, real: Rows, kept: Rows, test: Rows, device: torch.device) -> Entry:
        """Columns and their dependence, beside the training rows of the class and, as `…_real`, of as many test rows
        beside these; what is lost, what was never seen; and histograms."""
        traits = self.coding.traits
        own, rows, others = (x[spaced(len(x), min(len(x), MOST))] for x in (made, real, test))
        size = min(len(own), len(others))
        figures, floors = (self._fidelity(x[spaced(len(x), size)], rows) for x in (own, others))
        return {
            **figures,
            **{f"{name}_real": value for name, value in floors.items()},
            **lost(own, rows, kept, others, self.coding),
            **unseen(made, real, test, traits),
            "histograms": histograms(own, rows, traits),
        }

    def _fidelity(self, x: Rows, real: Rows) -> dict[str, float | None]:
        """Of COMPARED; None with too few rows."""
        if min(len(x), len(real)) < FEWEST:
            return dict.fromkeys(COMPARED)
        traits = self.coding.traits
        apart = distances(x, real, traits)
        pairs = (information(rows, real, traits) for rows in (x, real))
        return {
            "column_distance": float(apart.mean()),
            "column_distance_worst": float(apart.max()),
            "outside": float(outside(x, real, traits).mean()),
            "correlation_gap": gap(*(correlations(rows, self.coding) for rows in (x, real))),
            "information_gap": gap(*pairs),
            "detection": detection(x, real[spaced(len(real), min(len(real), len(x)))], traits),
        }
