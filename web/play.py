"""The rare test examples that the floor decides wrong, and how often every arm decides them right."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..reports.mistakes import mostly_right
from ..reports.previews import Shown, preview_of
from .library import OpenRun

MOST = 40


def missed(opened: OpenRun) -> dict[str, Any]:
    """What the page shows of them: of each its class, its picture, and by arm in how many seeds it is decided right."""
    run = opened.run
    before, preview = mostly_right(run, run.floor), preview_of(run.run["kind"])
    arms = {arm: [one for cell in run.ok(arm) for one in run.right(cell)] for arm in run.arm_names}
    shares = {arm: np.mean(right, axis=0) for arm, right in arms.items() if right}
    found: list[tuple[int, Shown, dict[str, float]]] = []
    for label, (spots, x) in run.shown_tests().items() if before is not None else ():
        for spot, own in zip(spots.tolist(), x, strict=True):
            if before is not None and not before[spot]:
                shown = Shown(run.class_names[label], f"test {run.run['noun']} {spot}", label, (("seen", own[None]),))
                found.append((spot, shown, {arm: float(share[spot]) for arm, share in shares.items()}))
    found.sort(key=lambda one: -sum(one[2].values()))
    cards = preview.cards(run, [shown for _, shown, _ in found[:MOST]])
    return {
        "template": f"previews/{preview.template}",
        "missed": len(found),
        "examples": [
            {"spot": spot, "card": card, "rows": [(arm, f"{share:.0%}", _shade(share)) for arm, share in right.items()]}
            for (spot, _, right), card in zip(found, cards, strict=False)
        ],
    }


def _shade(share: float) -> str:
    """A class of the style sheet."""
    return f"good-{1 + min(3, int(share * 4))}" if share else ""
