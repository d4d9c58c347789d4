"""Synthetic examples that are chosen from more: what a classifier of the kept examples alone takes for the class.

As in He et al. 2023, "Is synthetic data from generative models ready for image recognition?", by a classifier that has
seen nothing but what the generator was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..classifiers.base import Model, Scores
from ..datasets import DataSet
from ..datasets.base import Array
from ..generators import Generator
from .audits import Auditor
from .audits.nearness import COPY

By = Literal["confidence", "entropy"]
MADE = 3  # times as many as are asked for
CONFIDENT = 0.5
BAND = (0.1, 0.9)  # of the entropy of a guess: neither what it knows already nor what it cannot place
AT_ONCE = 1024
Flags = NDArray[np.bool_]


def fill_filtered(
    generator: Generator, deficits: Mapping[int, int], kept: DataSet, model: Model, auditor: Auditor, by: By
) -> tuple[Array, NDArray[np.int64], dict[str, Any]]:
    """As `Generator.fill`: of MADE times as many examples the first that are no near copies of kept ones and that
    `model`, a classifier of the kept examples, lets pass.

    Where too few pass, the best of the others by the same measure make up the number, copies last. Also what is told of
    it: the share that was dropped, by class, and how many were let in after all.
    """
    wanted = {label: count for label, count in sorted(deficits.items()) if count}
    made, dropped, let_in = [kept.x[:0]], {}, 0
    for label, count in wanted.items():
        x = generator.sample(label, MADE * count)
        score = scored(model.probabilities(x), label, by)
        copies = near_copies(x, kept, label, auditor, generator.device)
        passes = (score >= 0) & ~copies
        best_first = np.lexsort((np.where(passes, 0, -score), copies, ~passes))[:count]
        made.append(x[np.sort(best_first)])
        dropped[kept.class_names[label]] = round(float(1 - passes.mean()), 3)
        let_in += int((~passes[best_first]).sum())
    told = {"filter.times": MADE, "filter.dropped": dropped, "filter.let_in_after_all": let_in}
    return np.concatenate(made), np.repeat(np.array([*wanted], np.int64), [*wanted.values()]), told


def scored(probabilities: Scores, label: int, by: By) -> NDArray[np.float64]:
    """(N,): how far examples are within what passes; below 0 they do not."""
    if by == "confidence":
        return probabilities[:, label].astype(np.float64) - CONFIDENT
    p = probabilities.astype(np.float64).clip(1e-12)
    entropy = -(p * np.log(p)).sum(1) / np.log(p.shape[1])
    return np.minimum(entropy - BAND[0], BAND[1] - entropy)


def near_copies(x: Array, kept: DataSet, label: int, auditor: Auditor, device: torch.device) -> Flags:
    """(N,): which examples are nearer to a kept one of the class than COPY of the way from it to the next one."""
    own = auditor.prepare(kept.of_class(label), device)
    apart = auditor.distances(own, own).fill_diagonal_(torch.inf).min(1).values
    if len(own) == 1:  # the nearest of the other classes says how much room there is
        others = auditor.prepare(kept.x[kept.labels != label], device)
        apart = auditor.distances(own, others).min(1).values
    limits = COPY * apart
    found = [
        (auditor.distances(auditor.prepare(x[start : start + AT_ONCE], device), own) < limits).any(1).cpu().numpy()
        for start in range(0, len(x), AT_ONCE)
    ]
    return np.concatenate(found)
