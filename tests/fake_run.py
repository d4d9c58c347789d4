"""A made-up run directory, close to what `benchmark run` writes."""

import json

import numpy as np

from fillbench.benchmark.audits import auditor_of, flags
from fillbench.datasets import ImageTraits
from fillbench.records import SCHEMA, ArmInfo, AuditEntry, Cost, Description, Record, blank, cell_name
from fillbench.reports import metrics

ROLES = {"none": "floor", "full": "ceiling", "oversample": "control", "mixup": "control"}
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

    def __init__(self, path, classes=10, seeds=(0, 1, 2), arms=ARMS, minority=None, side=8, traits=None, auditor=None):
        self.path, self.traits = path, traits or ImageTraits()
        self.audit = flags.described(auditor or auditor_of("images")(), self.traits)
        self.rng = np.random.default_rng(7)
        self.seeds, self.side = list(seeds), side
        self.names = [str(i) for i in range(classes)]
        self.minority = [classes - 2] if minority is None else minority
        self.table = {name: (recall, losses) for name, recall, losses in arms}
        self.counts = [180] * classes
        (path / "cells").mkdir(parents=True)
        (path / "predictions").mkdir()
        (path / "samples").mkdir()

    def plan(self, **changes):
        plan: Description = {
            "schema": SCHEMA,
            "fillbench": "0.1.0",
            "command": "benchmark run --generators all --dataset digits --minority 8 --keep 0.1 --seeds 3",
            "started": "2026-11-22T05:23:42+00:00",
            "kind": self.traits.kind,
            "noun": self.traits.noun,
            "plural": self.traits.plural,
            "seeds": self.seeds,
            "config": {"dataset": "digits", "keep": 0.1, "fill": 1.0, "steps": 600},
            "dataset": {
                "name": "digits",
                "class_names": self.names,
                "shape": [self.side, self.side, 1],
                "train_counts": self.counts,
                "test_counts": [TESTED] * len(self.names),
                "fingerprint": "9f2c" * 16,
                "minority": self.minority,
                "test_labels": " ".join(str(label) for label in range(len(self.names)) for _ in range(TESTED)),
                "reading": {},
            },
            "deficits": {str(label): 162 for label in self.minority},
            "metrics": metrics.described(lambda text: text.format(plural=self.traits.plural)),
            "audit": self.audit,
            "arms": [self._arm(name, losses) for name, (_, losses) in self.table.items()],
            "manifests": {str(seed): "ab12cd34" * 8 for seed in self.seeds},
            "classifier": {"name": "resnet18", "steps": 600, "batch": 64, "learning_rate": 0.001},
            "versions": {"python": "3.12.3", "torch": "2.8.0", "timm": "1.0.20", "numpy": "2.4.6"},
            "hardware": {"cpu": "Some CPU", "cores": 2, "memory_gb": 24, "device": "cpu", "gpu": None},
        }
        self.described = plan | changes
        (self.path / "run.json").write_text(json.dumps(self.described))
        return self

    def _arm(self, name, losses) -> ArmInfo:
        return {
            "name": name,
            "source": name,
            "strategy": "ce",
            "role": ROLES.get(name, "filled"),
            "external_data": name == "stable-diffusion",
            "summary": f"What {name} does, in one line.",
            "settings": {"steps": 500} if losses else {},
        }

    def _blank(self, arm, seed) -> Record:
        before = [18 if label in self.minority else count for label, count in enumerate(self.counts)]
        return blank(arm, seed, "ab12cd34" * 8, before)

    def _write(self, record):
        name = cell_name(record["arm"], record["seed"])
        (self.path / "cells" / f"{name}.json").write_text(json.dumps(record))
        return self

    def cell(self, arm, seed, recall=None, **changes):
        recall = self._recall(arm) if recall is None else recall
        blank = self._blank(arm, seed)
        matrix = self._confusion(recall)
        cost: Cost = {
            "fit_seconds": 20.0 * len(self.table[arm][1]),
            "sample_seconds": 0.8,
            "audit_seconds": 0.3,
            "judge_seconds": 12.0,
            "train_seconds": 31.5 + float(self.rng.normal()),
            "peak_memory_mb": 610.0,
        }
        record: Record = {
            **blank,
            "counts_after": blank["counts_before"] if arm == "none" else self.counts,
            "fill_key": None if arm in ("none", "full") else "5eed" * 16,
            **self._scores(matrix, recall),
            "curve": self._curve(recall),
            "cost": cost,
            "generator_log": self._log(arm),
            "audit": self._audit(arm),
            "samples": self._samples(arm, seed),
        }
        self.predict(arm, seed, [matrix])
        return self._write(record | changes)

    def predict(self, arm, seed, matrices, tstr=None):
        """Writes predictions of so many classifiers that have these confusion matrices, and of one for `tstr`."""
        found = {"probabilities": np.stack([self._guesses(matrix) for matrix in matrices])}
        if tstr is not None:
            found["tstr"] = self._guesses(tstr)
        np.savez_compressed(self.path / "predictions" / f"{cell_name(arm, seed)}.npz", **found)

    def _guesses(self, matrix):
        """Probabilities whose most probable classes have the confusion matrix; the true class is near where missed."""
        guesses = np.concatenate([self.rng.permutation(np.repeat(np.arange(len(row)), row)) for row in matrix])
        rows, truth = np.arange(len(guesses)), np.repeat(np.arange(len(matrix)), np.sum(matrix, axis=1))
        scores = self.rng.normal(size=(len(guesses), len(self.names)))
        scores[rows, truth] += 2
        scores[rows, guesses] = scores.max(axis=1) + self.rng.exponential(2, len(guesses)) + 0.01
        shares = np.exp(scores)
        return (shares / shares.sum(axis=1, keepdims=True)).astype(np.float32)

    def change(self, arm, seed, change):
        """Writes a record again, after `change(record)` has changed it."""
        path = self.path / "cells" / f"{cell_name(arm, seed)}.json"
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))

    def broken(self, arm, seed, status="failed", reason="loss became NaN at step 120", phase="fit"):
        trace = 'Traceback (most recent call last):\n  File "x.py", line 3\nValueError: <NaN>'
        ending = {"status": status, "reason": reason, "phase": phase}
        return self._write(self._blank(arm, seed) | ending | {"traceback": trace if status == "failed" else None})

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

    def _confusion(self, recall):
        size = len(self.names)
        matrix = np.zeros((size, size), dtype=int)
        for label in range(size):
            share = recall if label in self.minority else 0.95 + self.rng.normal(0, 0.01)
            right = round(TESTED * min(1, share))
            matrix[label, label] = right
            for _ in range(TESTED - right):
                matrix[label, (label + 1 + self.rng.geometric(0.4) % (size - 1)) % size] += 1
        return matrix

    def _scores(self, matrix, recall):
        recalls = (matrix.diagonal() / matrix.sum(axis=1)).tolist()
        scores = {metric.name: 0.9 for metric in metrics.METRICS} | {
            "minority_recall": recall,
            "minority_f1": recall * 0.97,
            "macro_f1": float(np.mean(recalls)),
            "balanced_accuracy": float(np.mean(recalls)),
            "accuracy": float(matrix.diagonal().sum() / matrix.sum()),
            "majority_recall": 0.955 + 0.002 * float(self.rng.normal()) - 0.02 * (recall - 0.4),
        }
        return {
            "metrics": scores,
            "per_class": {"recall": recalls, "precision": recalls, "f1": recalls},
            "confusion_matrix": matrix.tolist(),
            "classifiers": [
                {"seed": 0, "metrics": scores, "train_key": "7a1e" * 16, "facts": {"precision": "float32"}}
            ],
        }

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

    def _audit(self, arm):
        if arm in ("none", "full"):
            return None
        entry = self._entry(arm)
        classes = {str(label): entry for label in self.minority}
        return {"features": "independent resnet18", "flags": entry["flags"], "classes": classes}

    def _entry(self, arm) -> AuditEntry:
        real = {"mean": 79.1, "std": 96.4, "min": 0, "max": 255, "texture": 0.4}
        made = {"mean": 80.0, "std": 90.0, "min": 0, "max": 255, "texture": 0.5}
        space = self.audit["space"]
        found = {figure["name"]: None for figure in self.audit["figures"]} | {
            "diversity": 0.9,
            "duplicate_rate": 0.0,
            "copy_rate": 0.02,
            "near_rate": {space: 0.04, "features": 0.06},
            "test_leak_rate": {space: 0.01, "features": 0.02},
            "removed_leak_rate": {space: None, "features": None},
            "label_fidelity": 0.9,
            "label_fidelity_real": 0.95,
            **{"kid": 0.04, "kid_low": 0.02, "kid_high": 0.06, "fid_floor": None},
            **{"precision": 0.8, "recall": 0.7, "density": 0.9, "coverage": 0.6},
        }
        raised = []
        if arm == "wgan-gp":
            made = {"mean": 140.0, "std": 30.0, "min": 90, "max": 200, "texture": 0.5}
            found["diversity"], raised = 0.03, ["collapsed", "off range"]
        confused = {"label": 0, "share": 0.06}
        return {"flags": raised, "real": real, "synthetic": made, "confused_with": confused, **found}

    def _samples(self, arm, seed):
        if arm in ("none", "full"):
            return None
        name = f"samples/{cell_name(arm, seed)}.npz"
        if self.traits.kind != "images":
            parts = [f"{part}_{label}" for label in self.minority for part in ("real", "synthetic", "nearest")]
            np.savez(self.path / name, **{part: self.rng.normal(size=(8, 20)).astype(np.float32) for part in parts})
            return name
        shape = (8, self.side, self.side, 1)
        y, x = np.mgrid[-1 : 1 : self.side * 1j, -1 : 1 : self.side * 1j]
        rings = np.exp(-8 * (np.minimum(np.hypot(x, y - 0.4), np.hypot(x, y + 0.4)) - 0.35) ** 2 * 4)
        arrays = {}
        for label in self.minority:
            for kind, noise in (("real", 12), ("synthetic", 45), ("nearest", 12)):
                images = 230 * rings[None, :, :, None] + self.rng.normal(0, noise, shape)
                arrays[f"{kind}_{label}"] = images.clip(0, 255).astype(np.uint8)
        np.savez(self.path / name, **arrays)
        return name
