"""Gradient boosting of many outputs at once, kept as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

LEAST_IN_LEAF = 20  # examples
PENALTY = 1.0  # on the squares of the lines' slopes


@dataclass(frozen=True)
class BoostedTrees:
    """Lines from V inputs to M outputs, and trees for what these leave.

    A tree serves all outputs (Cresswell & Kim 2024, https://arxiv.org/abs/2408.16046), since one for each takes M times
    as long; its few leaves follow lines badly, so these come first. `slopes` (M, V), `intercepts` (M,). Of the nodes of
    all trees: `feature`, `threshold`, the node that follows at or below it (`left`) and above (`right`), of a leaf
    itself, and what it adds, `value` (nodes, M). `roots`: the first node of each tree; `depth`: no tree is deeper.
    """

    slopes: Floats
    intercepts: Floats
    feature: Indices
    threshold: NDArray[np.float64]
    left: Indices
    right: Indices
    value: Floats
    roots: Indices
    depth: int

    @classmethod
    def fit(cls, x: Floats, y: Floats, trees: int, depth: int, lr: float, rng: np.random.Generator) -> Self:
        """Learns `y` (N, M) from `x` (N, V) by squared error; split at random thresholds (Geurts et al. 2006)."""
        from sklearn.linear_model import Ridge
        from sklearn.tree import ExtraTreeRegressor

        line = Ridge(PENALTY).fit(x, y)
        left_over = y - line.predict(x).reshape(y.shape)  # it drops the axis of a single output
        grown = []
        for _ in range(trees):
            tree = ExtraTreeRegressor(
                max_depth=depth,
                min_samples_leaf=LEAST_IN_LEAF,
                random_state=int(rng.integers(2**31)),
            ).fit(x, left_over)
            left_over = left_over - lr * tree.predict(x).reshape(y.shape)
            grown.append(tree.tree_)
        slopes, intercepts = line.coef_.reshape(y.shape[1], -1), np.atleast_1d(line.intercept_)
        return cls(slopes, intercepts, **_joined(grown, lr), depth=depth)

    def predict(self, x: Floats) -> Floats:
        """(N, M) of inputs (N, V)."""
        made, rows = x @ self.slopes.T + self.intercepts, np.arange(len(x))
        for root in self.roots:
            node = np.full(len(x), root)
            for _ in range(self.depth):
                below = x[rows, self.feature[node]] <= self.threshold[node]
                node = np.where(below, self.left[node], self.right[node])
            made += self.value[node]
        return made


def _joined(trees: list[Any], lr: float) -> dict[str, NDArray[Any]]:
    """scikit-learn's trees, one after another; `value` is `lr` times theirs."""
    sizes = np.array([tree.node_count for tree in trees])
    roots = sizes.cumsum() - sizes
    own, first = np.arange(sizes.sum()), np.repeat(roots, sizes)
    left, right, feature, threshold, value = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold", "value")
    )
    leaf = left < 0
    return {
        "feature": np.where(leaf, 0, feature),
        "threshold": threshold,
        "left": np.where(leaf, own, first + left),
        "right": np.where(leaf, own, first + right),
        "value": (lr * value[:, :, 0]).astype(np.float32),
        "roots": roots,
    }
