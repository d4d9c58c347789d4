"""Looks at what an arm made before anyone believes its figures: copies, leaks, labels, diversity, quality.

Copies are looked for among the kept examples, leaks among the test and the removed ones; how near is too near is
learned from real examples of the class that are not among them. What a kind of data brings is its Auditor's.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ...datasets.base import Array, DataSet, Split
from ...datasets.imbalance import Indices
from .base import Auditor
from .judge import Judge
from .nearness import COPY, by_source, feature_distances, nearer, reach
from .quality import fid, kid, neighbourhood, spaced, spread

LOOKED_AT = 500  # examples of a class that nearness is measured of
SHOWN = 12
Pair = tuple[torch.Tensor, torch.Tensor]  # in the examples themselves, in features


def _every(count: int, most: int) -> slice:
    """At most `most` of `count`, evenly spaced."""
    return slice(None, None, max(1, -(-count // most)))


@dataclass(frozen=True)
class Part:
    """Some examples of one class: (N, …), prepared by the auditor on the device, and their features (N, D)."""

    auditor: Auditor
    x: Array
    prepared: torch.Tensor
    features: torch.Tensor

    def few(self) -> Part:
        """At most LOOKED_AT of them, evenly spaced."""
        return self.at(np.arange(len(self.x))[_every(len(self.x), LOOKED_AT)])

    def at(self, rows: Indices) -> Part:
        """Those at `rows`."""
        return Part(self.auditor, self.x[rows], self.prepared[rows], self.features[rows])

    def joined(self, other: Part) -> Part:
        """These, then the other's."""
        return Part(
            self.auditor,
            np.concatenate([self.x, other.x]),
            torch.cat([self.prepared, other.prepared]),
            torch.cat([self.features, other.features]),
        )

    def distances(self, others: Part) -> Pair:
        """(N, M) to the others, in the examples themselves and in features."""
        own = self.auditor.distances(self.prepared, others.prepared)
        return own, feature_distances(self.features, others.features)

    def loose_distances(self, others: Part) -> Pair:
        """The same, in the examples themselves loosely."""
        own = self.auditor.loose_distances(self.prepared, others.prepared)
        return own, feature_distances(self.features, others.features)


def audit(added: DataSet, split: Split, kept: Indices, auditor: Auditor, judge: Judge) -> dict[str, Any]:
    """What is found of the `added` examples: `classes`, by label; `features`, who looked; and what it cost.

    `kept` are the indices of the training examples that the generator was given.
    """
    start = time.perf_counter()
    removed = np.setdiff1d(np.arange(len(split.train)), kept)
    everything = np.arange(len(split.test))
    classes = {}
    for label in np.unique(added.labels).tolist():
        x = added.of_class(label)
        features, found = judge.look(x)
        made = Part(auditor, x, auditor.prepare(x, judge.device), features)
        given, gone, held = (
            _real(split, part, indices, label, auditor, judge)
            for part, indices in (("train", kept), ("train", removed), ("test", everything))
        )
        classes[str(label)] = {
            **_finite(_audit_class(made, given, gone, held)),
            **_label_fidelity(found, label),
            "label_fidelity_real": judge.recall[label],
            "label_fidelity_tests": len(held.x),
            "label_fidelity_kept": judge.recognised("train", kept[split.train.labels[kept] == label], label),
        }
    cost = {"audit_seconds": time.perf_counter() - start, "judge_seconds": judge.seconds}
    return {"features": judge.name, "classes": classes, "cost": cost}


def _finite(found: dict[str, Any]) -> dict[str, Any]:
    """Figures that wild values make infinite, or no number, tell nothing: None."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value for name, value in found.items()
    }


def _real(split: Split, part: str, indices: Indices, label: int, auditor: Auditor, judge: Judge) -> Part:
    data = split.train if part == "train" else split.test
    rows = indices[data.labels[indices] == label]
    x = np.ascontiguousarray(data.x[rows])
    return Part(auditor, x, auditor.prepare(x, judge.device), judge.features_of(part, rows))


def _audit_class(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """Of one class: statistics, diversity, shares of copies and leaks, and distances between distributions."""
    auditor, whole = made.auditor, kept.joined(removed)
    diversity, distinct = spread(made.few().prepared, whole.few().prepared)
    same_size = len(whole.x) >= len(made.x)
    real, given, synthetic = (auditor.describe(part.few().x) for part in (whole, kept, made))
    as_given = not auditor.off(synthetic, given)  # a few kept ones may lack what the others have
    return {
        "count": len(made.x),
        "real": real,
        "synthetic": synthetic,
        "off": [] if as_given else auditor.off(synthetic, real),
        "diversity": diversity,
        "distinct": distinct,
        **identical(made.x, kept.x, removed.x, test.x),
        **nearness(made.few(), kept, removed, test),
        **kid(made.features, test.features),
        "fid": fid(made.features, test.features),
        "fid_floor": fid(whole.at(spaced(len(whole.x), len(made.x))).features, test.features) if same_size else None,
        **neighbourhood(made.features, test.features),
        **auditor.compare(made.x, whole.x, kept.x, test.x, made.prepared.device),
    }


def nearness(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """What is near to the kept examples, and what to those that were not given; None where nothing tells.

    `near_rate`: the share near to a kept example, in both spaces; `copy_rate`: so near that it is one.
    """
    to_kept, unseen = made.distances(kept), removed.joined(test).few()
    real = unseen.distances(kept)
    near = [reach(*pair) for pair in zip(to_kept, real, strict=True)]
    spaces = (made.auditor.space, "features")
    return {
        "near_rate": {
            space: None if one is None else float((one.reach < one.limit).float().mean())
            for space, one in zip(spaces, near, strict=True)
        },
        "copy_rate": None if near[0] is None else float((near[0].reach < COPY).float().mean()),
        **_leaks(made, kept, removed, test),
        "looked_at": len(made.x),
        "nearest": to_kept[0].argmin(1)[:SHOWN].tolist(),
    }


def _leaks(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """`test_leak_rate`, `removed_leak_rate`: the shares near to one that was not given, in both spaces.

    What is nearer to a kept example is copied, not leaked. Those near to one and the same example are one witness:
    `…_sources` are how many of the distinct nearest examples come back, and their number; how many real examples are as
    near, and their number. `test_side`: the share nearer to the test than to the removed examples;
    `test_side_sources`: how many of the distinct nearest are of the test, and their number.
    """
    to_all = made.loose_distances(kept.joined(removed).joined(test))  # at once: their versions are most of the work
    sizes = [len(part.x) for part in (kept, removed, test)]
    to_kept, to_removed, to_test = zip(*(distances.split(sizes, dim=1) for distances in to_all), strict=True)
    found: dict[str, Any] = {}
    for name, to, real in (
        ("test_leak", to_test, kept.joined(removed).few().loose_distances(test)),
        ("removed_leak", to_removed, test.few().loose_distances(removed)),
    ):
        spaces = (made.auditor.space, "features")
        shares = dict(zip(spaces, map(_leaked, to, real, to_kept), strict=True))
        found[f"{name}_rate"] = {space: share and share[0] for space, share in shares.items()}
        found[f"{name}_sources"] = {space: share and share[1] for space, share in shares.items()}
    side = nearer(to_test[0], to_removed[0])
    return {**found, "test_side": side and side[0], "test_side_sources": side and side[1]}


def _leaked(made: torch.Tensor, real: torch.Tensor, known: torch.Tensor) -> tuple[float, list[float]] | None:
    """The share that leaked, by distances to what was not given and to what is `known`; then by source."""
    found = reach(made, real)
    if found is None:
        return None
    near = (found.reach < found.limit) & (made.min(1).values < known.min(1).values - 1e-3)
    return float(near.float().mean()), [*by_source(near, found.target), found.below, found.real]


def identical(made: Array, kept: Array, removed: Array, test: Array) -> dict[str, float]:
    """Shares of examples that are, to the last bit, a kept one or an earlier one of their own (`duplicate_rate`), a
    kept one (`known_rate`), or a removed or test one (`unseen_rate`).

    Real examples may repeat too: `known_real` is the share of the removed and test ones that are a kept one,
    `unseen_real` that of the removed ones that are a test one and no kept one; where none were removed, of the kept
    ones that are a test one and no other kept one.
    """
    of_made, of_kept, of_removed, of_test = (
        [example.tobytes() for example in examples] for examples in (made, kept, removed, test)
    )
    lone = {example for example, count in Counter(of_kept).items() if count == 1}
    known, hidden = set(of_kept), {*of_removed, *of_test} - set(of_kept)
    seen, again = set(known), 0
    for content in of_made:
        again += content in seen
        seen.add(content)
    return {
        "duplicate_rate": again / len(made),
        "known_rate": _share(of_made, known),
        "unseen_rate": _share(of_made, hidden),
        "known_real": _share([*of_removed, *of_test], known),
        "unseen_real": _share(of_removed, set(of_test) - known) if of_removed else _share(of_kept, set(of_test) & lone),
    }


def _share(examples: Sequence[bytes], others: Set[bytes]) -> float:
    return sum(example in others for example in examples) / max(1, len(examples))


def _label_fidelity(found: np.ndarray, label: int) -> dict[str, Any]:
    """How many are recognised as what was asked for, and what most others look like."""
    wrong = found[found != label]
    most = np.bincount(wrong).argmax() if len(wrong) else None
    return {
        "label_fidelity": float((found == label).mean()),
        "confused_with": None if most is None else {"label": int(most), "share": float((found == most).mean())},
    }


def samples(kept: DataSet, added: DataSet, classes: dict[str, Any]) -> dict[str, Array]:
    """For the report, by class: a few kept examples, a few synthetic ones, and the kept one nearest to each."""
    shown = {}
    for name, entry in classes.items():
        label = int(name)
        real, made = kept.of_class(label), added.of_class(label)
        shown[f"real_{label}"] = real[:SHOWN]
        shown[f"synthetic_{label}"] = made[_every(len(made), LOOKED_AT)][:SHOWN]
        shown[f"nearest_{label}"] = real[entry["nearest"]]
    return shown
