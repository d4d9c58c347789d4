"""Looks at what an arm made before anyone believes its figures: copies, leaks, labels, diversity, quality.

Copies are looked for among the kept images, with the test images as those that a real image's nearness is learned from;
leaks among the test and the removed images, with the class's other real images in that part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..datasets.base import Images, ImageSet
from ..datasets.imbalance import Indices
from .judge import Judge, to_tensor
from .nearness import Nearest, taken
from .quality import describe, fid, kid, neighbourhood, pixels_off, spread

LOOKED_AT = 500  # images of a class that nearness is measured of
SHOWN = 12

# A flag is raised above (or below) these. About 0.05 of honest images count as near.
COPIES, DUPLICATES, COLLAPSED, REPEATED, PRECISION, RECOGNISED = 0.25, 0.01, 0.25, 0.1, 0.1, 0.5


@dataclass(frozen=True)
class Part:
    """Some images of one class: (N, H, W, C) uint8, the same on the device, and their features (N, D)."""

    images: Images
    pixels: torch.Tensor
    features: torch.Tensor

    def few(self, count: int = LOOKED_AT) -> Part:
        """At most `count` of them, evenly spaced."""
        every = max(1, -(-len(self.images) // count))
        return Part(self.images[::every], self.pixels[::every], self.features[::every])

    def nearest(self, others: Part) -> tuple[Nearest, Nearest]:
        """To the others, in pixels and in features."""
        return Nearest.in_pixels(self.pixels, others.pixels), Nearest.in_features(self.features, others.features)


def audit(
    added: ImageSet, parts: dict[str, ImageSet], kept: Indices, judge: Judge, device: torch.device
) -> dict[str, Any]:
    """What is found of the `added` images, by label: see `_audit_class`. And over all: `flags`, and who looked.

    `parts` holds the full train and the test images; `kept` are the indices of those that the generator was given.
    """
    removed = np.setdiff1d(np.arange(len(parts["train"])), kept)
    everything = np.arange(len(parts["test"]))
    classes = {}
    for label in np.unique(added.labels).tolist():
        images = np.ascontiguousarray(added.images[added.labels == label])
        features, found = judge.look(images, device)
        made = Part(images, to_tensor(images, device), features)
        given, gone, held = (
            _real(parts, part, indices, label, judge, device)
            for part, indices in (("train", kept), ("train", removed), ("test", everything))
        )
        entry = {
            **_audit_class(made, given, gone, held),
            **_label_fidelity(found.cpu().numpy(), label, judge.recall[label]),
        }
        classes[str(label)] = {**entry, "flags": flags(entry)}
    every = sorted({flag for entry in classes.values() for flag in entry["flags"]})
    return {"features": judge.name, "flags": every, "classes": classes}


def _real(
    parts: dict[str, ImageSet], part: str, indices: Indices, label: int, judge: Judge, device: torch.device
) -> Part:
    data = parts[part]
    rows = indices[data.labels[indices] == label]
    images = np.ascontiguousarray(data.images[rows])
    return Part(images, to_tensor(images, device), judge.features_of(part, rows, device))


def _audit_class(made: Part, kept: Part, removed: Part, test: Part) -> dict[str, Any]:
    """Of one class: pixel statistics, diversity, shares of copies and leaks, and distances between distributions."""
    real = [part for part in (kept, removed) if len(part.images)]
    whole = Part(
        np.concatenate([part.images for part in real]),
        torch.cat([part.pixels for part in real]),
        torch.cat([part.features for part in real]),
    )
    diversity, distinct = spread(made.pixels, whole.pixels)
    return {
        "real": describe(whole.images),
        "synthetic": describe(made.images),
        "diversity": diversity,
        "distinct": distinct,
        "duplicate_rate": _duplicates(made.images, kept.images),
        "known_rate": float(np.isin(_hashes(made.images), _hashes(kept.images)).mean()),
        **_nearness(made.few(), kept, removed, test, whole),
        **kid(made.features, test.features),
        "fid": fid(made.features, test.features),
        "fid_floor": fid(whole.features[: len(made.features)], test.features),
        **neighbourhood(made.features, test.features),
    }


def _nearness(made: Part, kept: Part, removed: Part, test: Part, whole: Part) -> dict[str, Any]:
    """`copy_rate`, `test_leak_rate`, `removed_leak_rate`, each in pixels and in features; None where nothing tells."""
    found: dict[str, Any] = {}
    to_kept = made.nearest(kept)
    for name, targets, reference, known in (
        ("copy_rate", kept, test, None),
        ("test_leak_rate", test, whole, to_kept),
        ("removed_leak_rate", removed, test, to_kept),
    ):
        if not len(targets.images):
            found[name] = {"pixels": None, "features": None}
            continue
        near, usual = made.nearest(targets), reference.few().nearest(targets)
        other = known or (None, None)
        found[name] = dict(zip(("pixels", "features"), map(taken, near, usual, other), strict=True))
    found["nearest"] = to_kept[0].index[:SHOWN].tolist()
    return found


def _hashes(images: Images) -> np.ndarray:
    return np.array([hash(image.tobytes()) for image in images])


def _duplicates(made: Images, kept: Images) -> float:
    """The share of images that are, to the last bit, a kept image or an earlier one of their own."""
    seen, again = set(_hashes(kept).tolist()), 0
    for value in _hashes(made).tolist():
        again += value in seen
        seen.add(value)
    return again / len(made)


def _label_fidelity(found: np.ndarray, label: int, real: float) -> dict[str, Any]:
    """How many are recognised as what was asked for, the same of real test images, and what most others look like."""
    wrong = found[found != label]
    most = np.bincount(wrong).argmax() if len(wrong) else None
    return {
        "label_fidelity": float((found == label).mean()),
        "label_fidelity_real": real,
        "confused_with": None if most is None else {"label": int(most), "share": float((found == most).mean())},
    }


def flags(entry: dict[str, Any]) -> list[str]:
    """What of an audited class cannot be believed as it stands."""

    def above(name: str) -> bool:
        return any(rate is not None and rate > COPIES for rate in entry[name].values())

    def below(name: str, limit: float) -> bool:
        return entry[name] is not None and entry[name] < limit

    copies = above("copy_rate") or entry["known_rate"] > DUPLICATES
    raised = {
        "copies": copies,
        "leaks": above("test_leak_rate") or above("removed_leak_rate"),
        # Copies of a few images are repetitive, which is said already.
        "collapsed": below("diversity", COLLAPSED) or (below("distinct", REPEATED) and not copies),
        "wrong label": entry["label_fidelity"] < RECOGNISED * entry["label_fidelity_real"],
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
        every = max(1, -(-len(made) // LOOKED_AT))
        grids[f"synthetic_{label}"] = made[::every][:SHOWN]
        grids[f"nearest_{label}"] = real[entry["nearest"]]
    return grids
