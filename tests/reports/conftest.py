"""A made-up run directory, close to what `benchmark run` writes."""

import json
from pathlib import Path

import numpy as np
import pytest

METRICS = [
    "minority_recall",
    "minority_precision",
    "minority_f1",
    "macro_f1",
    "balanced_accuracy",
    "g_mean",
    "accuracy",
    "weighted_f1",
    "auroc",
    "majority_recall",
]

TESTED = 100  # images of each class
# name, minority recall, loss names
ARMS = [
    ("none", 0.41, ()),
    ("full", 0.93, ()),
    ("oversample", 0.55, ()),
    ("augment", 0.66, ()),
    ("mixup", 0.52, ()),
    ("smote", 0.61, ()),
    ("gaussian", 0.48, ()),
    ("vae", 0.57, ("reconstruction_loss", "kl_loss")),
    ("dcgan", 0.63, ("generator_loss", "discriminator_loss")),
    ("wgan-gp", 0.60, ("critic_loss", "generator_loss")),
    ("acgan", 0.35, ("generator_loss", "discriminator_loss")),
    ("ddpm", 0.71, ("denoising_loss",)),
    ("stable-diffusion", 0.74, ("denoising_loss",)),
    ("finetuned-gan", 0.0, ()),
]


class FakeRun:
    """Writes run.json and cells; recalls are given per arm, or drawn around the table above."""

    def __init__(self, path: Path, classes=10, seeds=(0, 1, 2), arms=ARMS, minority=None, side=8):
        self.path = path
        self.rng = np.random.default_rng(7)
        self.seeds, self.side = list(seeds), side
        self.names = [str(i) for i in range(classes)]
        self.minority = [classes - 2] if minority is None else minority
        self.table = {name: (recall, losses) for name, recall, losses in arms}
        self.counts = [180] * classes
        (path / "cells").mkdir(parents=True)
        (path / "samples").mkdir()

    def plan(self, **changes):
        arms = [
            {
                "name": name,
                "reference": name in ("none", "full"),
                "control": name in ("oversample", "mixup"),
                "external_data": name == "stable-diffusion",
                "summary": f"What {name} does, in one line.",
                "settings": {"steps": 500} if losses else {},
            }
            for name, (_, losses) in self.table.items()
        ]
        plan = {
            "fillbench": "0.1.0",
            "command": "benchmark run --generators all --dataset digits --minority 8 --keep 0.1 --seeds 3",
            "started": "2026-11-22T05:23:42+00:00",
            "seeds": self.seeds,
            "config": {"dataset": "digits", "keep": 0.1, "fill": 1.0, "steps": 600},
            "dataset": {
                "name": "digits",
                "class_names": self.names,
                "image_shape": [self.side, self.side, 1],
                "train_counts": self.counts,
                "test_counts": [TESTED] * len(self.names),
                "test_labels": " ".join(str(label) for label in range(len(self.names)) for _ in range(TESTED)),
                "fingerprint": "9f2c" * 16,
                "minority": self.minority,
            },
            "arms": arms,
            "manifests": {str(seed): "ab12cd34" * 8 for seed in self.seeds},
            "classifier": {"name": "resnet18", "steps": 600, "batch": 64, "learning_rate": 0.001},
            "versions": {"python": "3.12.3", "torch": "2.8.0", "timm": "1.0.20", "numpy": "2.4.6"},
            "hardware": {"cpu": "Some CPU", "cores": 2, "memory_gb": 24, "device": "cpu", "gpu": None},
        }
        (self.path / "run.json").write_text(json.dumps(plan | changes))
        return self

    def cell(self, arm, seed, recall=None, **changes):
        recall = self._recall(arm) if recall is None else recall
        record = {
            "arm": arm,
            "seed": seed,
            "status": "ok",
            "reason": None,
            "phase": None,
            "traceback": None,
            "manifest": "ab12cd34" * 8,
            **self._counts(arm),
            **self._scores(arm, recall),
            "curve": self._curve(recall),
            "generator_log": self._log(arm),
            "images": self._images(arm),
            "audit": self._audit(arm),
            "samples": self._samples(arm, seed),
            "cost": {
                "fit_seconds": 20.0 * len(self.table[arm][1]),
                "sample_seconds": 0.8,
                "train_seconds": 31.5 + float(self.rng.normal()),
                "peak_memory_mb": 610.0,
            },
        }
        (self.path / "cells" / f"{arm}-seed{seed}.json").write_text(json.dumps(record | changes))
        return self

    def broken(self, arm, seed, status="failed", reason="loss became NaN at step 120", phase="fit"):
        record = {
            "arm": arm,
            "seed": seed,
            "status": status,
            "reason": reason,
            "phase": phase,
            "traceback": 'Traceback (most recent call last):\n  File "x.py", line 3\nValueError: <NaN>'
            if status == "failed"
            else None,
            "metrics": None,
        }
        (self.path / "cells" / f"{arm}-seed{seed}.json").write_text(json.dumps(record))
        return self

    def default(self):
        """14 arms: one with external data, one that failed on a seed, one skipped."""
        self.plan()
        for arm in self.table:
            for seed in self.seeds:
                if arm == "finetuned-gan":
                    self.broken(arm, seed, "skipped", "weights are not in the cache and there is no network", None)
                elif arm == "acgan" and seed == 1:
                    self.broken(arm, seed)
                else:
                    self.cell(arm, seed)
        return self

    def _recall(self, arm):
        return float(np.clip(self.table[arm][0] + self.rng.normal(0, 0.03), 0, 1))

    def _counts(self, arm):
        before = [18 if label in self.minority else count for label, count in enumerate(self.counts)]
        return {"counts_before": before, "counts_after": before if arm == "none" else self.counts}

    def _scores(self, arm, recall):
        size, tested = len(self.names), TESTED
        matrix = np.zeros((size, size), dtype=int)
        for label in range(size):
            share = recall if label in self.minority else 0.95 + self.rng.normal(0, 0.01)
            right = round(tested * min(1, share))
            matrix[label, label] = right
            for _ in range(tested - right):
                matrix[label, (label + 1 + self.rng.geometric(0.4)) % size] += 1
        recalls = (matrix.diagonal() / matrix.sum(axis=1)).tolist()
        metrics = dict.fromkeys(METRICS, 0.9) | {
            "minority_recall": recall,
            "minority_f1": recall * 0.97,
            "macro_f1": float(np.mean(recalls)),
            "balanced_accuracy": float(np.mean(recalls)),
            "g_mean": float(np.prod(recalls) ** (1 / size)),
            "accuracy": float(matrix.diagonal().sum() / matrix.sum()),
            "majority_recall": 0.955 + 0.002 * float(self.rng.normal()) - 0.02 * (recall - 0.4),
        }
        per_class = {"recall": recalls, "precision": recalls, "f1": recalls}
        rows = [self.rng.permutation(np.repeat(np.arange(size), row)) for row in matrix]
        predictions = " ".join(map(str, np.concatenate(rows)))
        classifiers = [{"seed": 0, "metrics": metrics, "predictions": predictions}]
        found = {"metrics": metrics, "per_class": per_class, "confusion_matrix": matrix.tolist()}
        return found | {"classifiers": classifiers}

    def _curve(self, recall):
        return [
            {
                "step": step,
                "train_loss": float(2.2 * np.exp(-step / 120) + 0.02 + abs(self.rng.normal(0, 0.01))),
                "test_loss": float(2.2 * np.exp(-step / 150) + 0.35 - 0.2 * recall + abs(self.rng.normal(0, 0.02))),
                "test_accuracy": float(0.9 + 0.05 * recall - 0.8 * np.exp(-step / 100)),
            }
            for step in range(0, 601, 50)
        ]

    def _log(self, arm):
        return [
            {"step": step, "label": label}
            | {
                name: float((2 + spot) * np.exp(-step / 200) + 0.4 + abs(self.rng.normal(0, 0.05)))
                for spot, name in enumerate(self.table[arm][1])
            }
            for label in self.minority[:2]
            for step in range(0, 501, 25)
            if self.table[arm][1]
        ]

    def _images(self, arm):
        if arm in ("none", "full"):
            return {}
        real = {"mean": 79.1, "std": 96.4, "min": 0, "max": 255}
        made = {"mean": 80.0, "std": 90.0, "min": 0, "max": 255}
        entry = {
            "diversity": 0.9,
            "duplicate_rate": 0.0,
            "copy_rate": {"pixels": 0.04, "features": 0.06},
            "test_leak_rate": {"pixels": 0.01, "features": 0.02},
            "removed_leak_rate": {"pixels": None, "features": None},
            "label_fidelity": 0.9,
            "label_fidelity_real": 0.95,
            "confused_with": {"label": 0, "share": 0.06},
            **{"kid": 0.04, "kid_low": 0.02, "kid_high": 0.06, "fid": None, "fid_floor": None},
            **{"precision": 0.8, "recall": 0.7, "density": 0.9, "coverage": 0.6},
            "flags": [],
        }
        if arm == "wgan-gp":
            made = {"mean": 140.0, "std": 30.0, "min": 90, "max": 200}
            entry |= {"diversity": 0.03, "flags": ["collapsed", "off range"]}
        return {str(k): {"real": real, "synthetic": made, **entry} for k in self.minority}

    def _audit(self, arm):
        if arm in ("none", "full"):
            return None
        return {"features": "independent resnet18", "flags": ["collapsed", "off range"] if arm == "wgan-gp" else []}

    def _samples(self, arm, seed):
        if arm in ("none", "full"):
            return None
        shape = (8, self.side, self.side, 1)
        y, x = np.mgrid[-1 : 1 : self.side * 1j, -1 : 1 : self.side * 1j]
        rings = np.exp(-8 * (np.minimum(np.hypot(x, y - 0.4), np.hypot(x, y + 0.4)) - 0.35) ** 2 * 4)
        arrays = {}
        for label in self.minority:
            for kind, noise in (("real", 12), ("synthetic", 45), ("nearest", 12)):
                images = 230 * rings[None, :, :, None] + self.rng.normal(0, noise, shape)
                arrays[f"{kind}_{label}"] = images.clip(0, 255).astype(np.uint8)
        name = f"samples/{arm}-seed{seed}.npz"
        np.savez(self.path / name, **arrays)
        return name


@pytest.fixture
def fake(tmp_path):
    """Starts a fake run: fake(classes=…, seeds=…, arms=…)."""
    return lambda **options: FakeRun(tmp_path / "run", **options)


@pytest.fixture(scope="session")
def default_run(tmp_path_factory):
    """The default run, with its report written once for all tests that only read it."""
    from fillbench.reports import write_report

    run = FakeRun(tmp_path_factory.mktemp("default") / "run").default()
    board = write_report(run.path)
    return run.path, board
