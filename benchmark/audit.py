"""Looks at what an arm made before anyone believes its figures: copies, leaks, labels, diversity, quality.

Copies are looked for among the kept images, leaks among the test and the removed ones; how near is too near is learned
from real images of the class that are not among them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.stats import binom

from ..datasets.base import Images, ImageSet
from ..datasets.imbalance import Indices
from .judge import Judge, to_tensor
from .nearness import feature_distances, nearer, pixel_distances, pooled, taken
from .quality import describe, fid, kid, neighbourhood, pixels_off, spread

LOOKED_AT = 500  # images of a class that nearness is measured of
SHOWN = 12
Pair = tuple[torch.Tensor, torch.Tensor]  # in pixels, in features

# A flag is raised above (or below) these, if chance alone would do so in less than a case in a thousand.
COPIES, HONEST = 0.25, 0.05
EXACT = 0.01
TEST_SIDE, REMOVED_SIDE = 0.85, 0.05  # share nearer to the test than to the removed images
COLLAPSED, REPEATED = 0.35, 0.3
PRECISION = 0.1
RECOGNISED = 0.75  # of what real test images, or the kept ones, reach
CHANCE = 1e-3


def _every(count: int, most: int) -> slice:
    """At most `most` of `count`, evenly spaced."""
    return slice(None, None, max(1, -(-count // most)))


@dataclass(frozen=True)
class Part:
    """Some images of one class: (N, H, W, C) uint8, pooled on the device (N, C, h, w), and their features (N, D)."""

    images: Images
    small: torch.Tensor
    features: torch.Tensor

    def few(self, count: int = LOOKED_AT) -> Part:
        """At most `count` of them, evenly spaced."""
        every = _every(len(self.images), count)
        return Part(self.images[every], self.small[every], self.features[every])

    def joined(self, other: Part) -> Part:
        """These, then the other's."""
        return Part(
            np.concatenate([self.images, other.images]),
            torch.cat([self.small, other.small]),
            torch.cat([self.features, other.features]),
        )

    def distances(self, others: Part) -> Pair:
        """(N, M) to the others, in pixels and in features."""
        return pixel_distances(self.small, others.small), feature_distances(self.features, others.features)


def audit(
    added: ImageSet, parts: dict[str, ImageSet], kept: Indices, judge: Judge, device: torch.device
) -> dict[str, Any]:
    """What is found of the `added` images, by label: see `_audit_class`. And over all: `flags`, and who looked.

    `parts` holds the full train and the test images; `kept` are the indices of those that the generator was given.
    """
    start = time.perf_counter()
    removed = np.setdiff1d(np.arange(len(parts["train"])), kept)
    everything = np.arange(len(parts["test"]))
    classes = {}
    for label in np.unique(added.labels).tolist():
        images = np.ascontiguousarray(added.images[added.labels == label])
        features, found = judge.look(images, device)
        made = Part(images, pooled(to_tensor(images, device)), features)
        given, gone, held = (
            _real(parts, part, indices, label, judge, device)
            for part, indices in (("train", kept), ("train", removed), ("test", everything))
        )
        entry = {
            **_audit_class(made, given, gone, held),
            **_label_fidelity(found.cpu().numpy(), label),
            "label_fidelity_real": judge.recall[label],
            "label_fidelity_kept": judge.recognised("train", kept[parts["train"].labels[kept] == label], label),
        }
        classes[str(label)] = {**entry, "flags": flags(entry)}
    every = sorted({flag for entry in classes.values() for flag in entry["flags"]})
    cost = {"audit_seconds": time.perf_counter() - start, "judge_seconds": judge.seconds}
    return {"features": judge.name, "flags": every, "classes": classes, "cost": cost}


def _real(
    parts: dict[str, ImageSet], part: str, indices: Indices, label: int, judge: Judge, device: torch.device
) -> Part:
    data = parts[part]
    rows = indices[data.labels[indices] == label]
    images = np.ascontiguousarray(data.images[rows])
    return Part(images, pooled(to_tensor(images, device)), judge.features_of(part, rows, device))


def _audit_class(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """Of one class: pixel statistics, diversity, shares of copies and leaks, and distances between distributions."""
    whole = kept.joined(removed)
    diversity, distinct = spread(made.few().small, whole.few().small)
    same_size = len(whole.images) >= len(made.images)
    return {
        "count": len(made.images),
        "real": describe(whole.few().images),
        "synthetic": describe(made.few().images),
        "diversity": diversity,
        "distinct": distinct,
        **_exact(made.images, kept.images, np.concatenate([removed.images, test.images])),
        **_nearness(made.few(), kept, removed, test),
        **kid(made.features, test.features),
        "fid": fid(made.features, test.features),
        "fid_floor": fid(whole.few(len(made.images)).features, test.features) if same_size else None,
        **neighbourhood(made.features, test.features),
    }


def _nearness(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """`copy_rate`, `test_leak_rate`, `removed_leak_rate`, each in pixels and in features; None where nothing tells.

    What is nearer to a kept image is copied, not leaked. `test_side`: the share nearer to the test than to the removed
    images.
    """
    to_kept, to_removed, to_test = (made.distances(part) for part in (kept, removed, test))
    unseen, whole = removed.joined(test).few(), kept.joined(removed).few()
    return {
        "copy_rate": _rates(to_kept, unseen.distances(kept)),
        "test_leak_rate": _rates(to_test, whole.distances(test), to_kept),
        "removed_leak_rate": _rates(to_removed, test.few().distances(removed), to_kept),
        "test_side": nearer(to_test[0], to_removed[0]),
        "looked_at": len(made.images),
        "nearest": to_kept[0].argmin(1)[:SHOWN].tolist(),
    }


def _rates(made: Pair, real: Pair, known: Pair | None = None) -> dict[str, float | None]:
    """The shares that are taken, in pixels and in features, leaving out what is nearer to what is `known`."""
    found: dict[str, float | None] = {}
    for space, (name, near) in enumerate(zip(("pixels", "features"), map(taken, made, real), strict=True)):
        if near is not None and known is not None:
            near &= made[space].min(1).values < known[space].min(1).values - 1e-3
        found[name] = None if near is None else float(near.float().mean())
    return found


def _exact(made: Images, kept: Images, unseen: Images) -> dict[str, float]:
    """Shares of images that are, to the last bit, a kept image or an earlier one of their own (`duplicate_rate`), a
    kept image (`known_rate`), or a removed or test image (`unseen_rate`)."""
    of_made, of_kept, of_unseen = ([image.tobytes() for image in images] for images in (made, kept, unseen))
    known, hidden = set(of_kept), set(of_unseen) - set(of_kept)
    seen, again = set(known), 0
    for content in of_made:
        again += content in seen
        seen.add(content)
    counts = {
        "duplicate_rate": again,
        "known_rate": sum(content in known for content in of_made),
        "unseen_rate": sum(content in hidden for content in of_made),
    }
    return {name: count / len(made) for name, count in counts.items()}


def _label_fidelity(found: np.ndarray, label: int) -> dict[str, Any]:
    """How many are recognised as what was asked for, and what most others look like."""
    wrong = found[found != label]
    most = np.bincount(wrong).argmax() if len(wrong) else None
    return {
        "label_fidelity": float((found == label).mean()),
        "confused_with": None if most is None else {"label": int(most), "share": float((found == most).mean())},
    }


def flags(entry: dict[str, Any]) -> list[str]:
    """What of an audited class cannot be believed as it stands."""

    def taken_from(name: str) -> bool:
        count = entry["looked_at"]
        return any(
            rate is not None and rate > COPIES and binom.sf(round(rate * count) - 1, count, HONEST) < CHANCE
            for rate in entry[name].values()
        )

    def below(name: str, limit: float) -> bool:
        return entry[name] is not None and entry[name] < limit

    side = entry["test_side"]
    # Who resembles what it was given cannot be better recognised than that.
    real = min(entry["label_fidelity_real"], entry["label_fidelity_kept"])
    recognised = round(entry["label_fidelity"] * entry["count"])
    copies = taken_from("copy_rate") or entry["known_rate"] > EXACT
    collapsed = below("diversity", COLLAPSED)
    raised = {
        "copies": copies,
        # A single image is on one side of everything.
        "leaks": taken_from("test_leak_rate")
        or taken_from("removed_leak_rate")
        or entry["unseen_rate"] > EXACT
        or (side is not None and not REMOVED_SIDE < side < TEST_SIDE and not collapsed),
        # Copies of a few images are repetitive, which is said already.
        "collapsed": collapsed or (below("distinct", REPEATED) and not copies),
        "wrong label": entry["label_fidelity"] < RECOGNISED * real
        and binom.cdf(recognised, entry["count"], real) < CHANCE,
        "off range": bool(pixels_off(entry["synthetic"], entry["real"])) or below("precision", PRECISION),
    }
    return [flag for flag, is_raised in raised.items() if is_raised]


def thumbnails(kept: ImageSet, added: ImageSet, classes: dict[str, Any]) -> dict[str, Images]:
    """For the report, by class: a few kept images, a few synthetic ones, and the kept one nearest to each."""
    grids = {}
    for name, entry in classes.items():
        label = int(name)
        real = kept.images[kept.labels == label]
        grids[f"real_{label}"] = real[:SHOWN]
        made = added.images[added.labels == label]
        grids[f"synthetic_{label}"] = made[_every(len(made), LOOKED_AT)][:SHOWN]
        grids[f"nearest_{label}"] = real[entry["nearest"]]
    return grids
