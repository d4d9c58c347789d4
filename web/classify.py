"""What the classifiers of several arms make of the same examples."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..classifiers.base import Model
from ..datasets.base import Array
from ..reports.numbers import number
from ..reports.previews import Shown, preview_of
from .library import OpenRun

MOST_CLASSES = 12  # of a table
KEPT_OPEN = 6  # classifiers
_ONE_AT_A_TIME = threading.Lock()  # a classifier has all cores


@lru_cache(maxsize=KEPT_OPEN)
def _classifier(opened: OpenRun, arm: str, seed: int) -> Model:
    return opened.shelf.classifier(arm, seed, "cpu")


def with_classifiers(opened: OpenRun) -> list[str]:
    """The arms whose classifier of the first seed was kept; the floor first."""
    seed = opened.run.seeds[0]
    kept = [name for name in opened.run.arm_names if opened.shelf.has_classifier(name, seed)]
    return sorted(kept, key=lambda name: name != opened.run.floor)


def classified(opened: OpenRun, arms: Sequence[str], x: Array, name: str, truth: int | None = None) -> dict[str, Any]:
    """The class probabilities that arms give to examples (N, …) that were called `name`, and what these look like.

    `truth`: their class, where it is known. Raises FillbenchError where a classifier was not kept.
    """
    run, seed = opened.run, opened.run.seeds[0]
    with _ONE_AT_A_TIME:
        found, decided = {}, {}
        for arm in arms:
            classifier = _classifier(opened, arm, seed)
            found[arm] = classifier.probabilities(x)
            decided[arm] = classifier.decide(found[arm])
    preview = preview_of(run.run["kind"])
    labels = _labels_to_show(list(found.values()), run.minority, len(run.class_names))
    return {
        "name": name,
        "truth": None if truth is None else run.class_names[truth],
        "heads": [run.class_names[label] for label in labels],
        "examples": [
            {
                "card": preview.cards(run, [Shown(name, "", 0, (("seen", x[spot : spot + 1]),))])[0],
                "rows": [
                    {
                        "arm": arm,
                        "decides": run.class_names[decided[arm][spot]],
                        "right": None if truth is None else bool(decided[arm][spot] == truth),
                        "cells": [_cell(float(found[arm][spot, label])) for label in labels],
                    }
                    for arm in arms
                ],
            }
            for spot in range(len(x))
        ],
        "template": f"previews/{preview.template}",
    }


def _cell(share: float) -> dict[str, Any]:
    return {"text": number(share, 2), "shade": f"good-{min(4, int(share * 4) + 1)}" if share >= 0.05 else ""}


def _labels_to_show(found: Sequence[Array], rare: Sequence[int], classes: int) -> list[int]:
    """All classes; of many, the rare ones and those that any arm finds likely."""
    if classes <= MOST_CLASSES:
        return list(range(classes))
    likely = np.max([one.max(axis=0) for one in found], axis=0)
    first = [*rare[: MOST_CLASSES // 2], *np.argsort(-likely).tolist()]
    return sorted(dict.fromkeys(first[: MOST_CLASSES * 2]))[:MOST_CLASSES]
