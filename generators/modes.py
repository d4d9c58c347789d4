"""Mode-specific normalisation: a number by its place within one of its column's modes (Xu et al. 2019,
https://arxiv.org/abs/1907.00503, section 4.2)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from ..datasets.base import DataSet
from ..datasets.coding import Coding
from ..datasets.tables import Rows
from .encoders import Encoder

MOST_MODES = 10
LEAST_SHARE = 0.005  # of the rows, or it is no mode
ROWS_PER_MODE = 30
ENOUGH_ROWS = 5_000  # to find ten modes in
REACH = 4  # standard deviations of a mode to either side that places in [-1, 1] are of

Mixture = NDArray[np.float64]
"""Share, mean and standard deviation of the modes of a column, (3, modes)."""


class ModeEncoder(Encoder):
    """(N, F) float32 to (N, D): the places of all numbers, and then segments that are one-hot: modes, and categories.

    `segments` are where those lie, one for each coded column (see Coding), by ascending width; `widths` are these.
    `mixtures` are of the coded columns that hold numbers, in their order.
    """

    kind = "tables"

    def __init__(self, coding: Coding, mixtures: Sequence[Mixture]) -> None:
        self.coding = coding
        self.categories = coding.categories
        self.mixtures = tuple(mixtures)
        self.numbers = len(mixtures)
        modes = (mixture.shape[1] for mixture in mixtures)
        widths = [count or next(modes) for count in self.categories]
        self.widths = tuple(sorted(widths))
        starts = np.empty(len(widths), np.int64)
        starts[np.argsort(widths, kind="stable")] = self.numbers + np.cumsum([0, *self.widths[:-1]])
        self.segments = [slice(start, start + width) for start, width in zip(starts.tolist(), widths, strict=True)]
        self.size = self.numbers + sum(widths)

    @classmethod
    def fit(cls, train: DataSet) -> Self:
        """By the kept rows."""
        coding = Coding.fit(train)
        few = train.x
        if len(few) > ENOUGH_ROWS:
            few = few[np.random.default_rng(0).choice(len(few), ENOUGH_ROWS, replace=False)]
        columns = zip(coding.coded(few).T, coding.categories, strict=True)
        return cls(coding, [_mixture(values) for values, count in columns if not count])

    def encode(self, x: Rows, device: torch.device) -> torch.Tensor:
        """(N, F) to (N, D) float32; the mode of a number is drawn by the chances that it has, a place may pass ±1."""
        coded = torch.from_numpy(self.coding.coded(x).astype(np.float64))
        encoded = torch.zeros(len(x), self.size)
        mixtures = iter(enumerate(self.mixtures))
        for values, count, segment in zip(coded.T, self.categories, self.segments, strict=True):
            if count:
                code = values.long()[:, None]
            else:
                number, mixture = next(mixtures)
                shares, means, spreads = torch.from_numpy(mixture)
                places = (values[:, None] - means) / (REACH * spreads)
                chances = (shares / spreads).log() - (REACH * places).square() / 2
                code = chances.softmax(1).multinomial(1)
                encoded[:, number] = places.gather(1, code)[:, 0].float()
            encoded[:, segment].scatter_(1, code, 1.0)
        return encoded.to(device)

    def decode(self, tensor: torch.Tensor) -> Rows:
        """The inverse of `encode`; of a segment, where its largest value is."""
        encoded = tensor.detach().cpu().double()
        columns = []
        mixtures = iter(enumerate(self.mixtures))
        for count, segment in zip(self.categories, self.segments, strict=True):
            code = encoded[:, segment].argmax(1)
            if count:
                columns.append(code.double())
            else:
                number, mixture = next(mixtures)
                _, means, spreads = torch.from_numpy(mixture)
                columns.append(means[code] + REACH * spreads[code] * encoded[:, number])
        return self.coding.decoded(torch.stack(columns, dim=1).float().numpy())


def _mixture(values: Rows) -> Mixture:
    """The modes of a column's scaled numbers: fewer where there are few rows or few different ones."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import BayesianGaussianMixture

    most = min(MOST_MODES, len(np.unique(values)), max(1, len(values) // ROWS_PER_MODE))
    # In one dimension all covariances are diagonal, and those are reckoned without a loop over modes.
    mixture = BayesianGaussianMixture(
        n_components=most, covariance_type="diag", weight_concentration_prior=0.001, max_iter=100, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # any mixture will do that covers the numbers
        mixture.fit(values[:, None].astype(np.float64))
    kept = mixture.weights_ > LEAST_SHARE
    return np.stack([mixture.weights_, mixture.means_[:, 0], np.sqrt(mixture.covariances_[:, 0])])[:, kept]


def by_segment(
    change: Callable[[torch.Tensor], torch.Tensor], values: torch.Tensor, widths: Sequence[int]
) -> torch.Tensor:
    """`values` (N, D) of segments of `widths`, with `change` made of those of one width at once, (N, count, width)."""
    runs = [(len([*run]), width) for width, run in groupby(widths)]
    parts = values.split([count * width for count, width in runs], dim=1)
    return torch.cat([change(part.unflatten(1, run)).flatten(1) for part, run in zip(parts, runs, strict=True)], dim=1)


def softened(logits: torch.Tensor, widths: Sequence[int], temperature: float = 1.0) -> torch.Tensor:
    """One category of each segment of `logits` (N, D), drawn by Gumbel's softmax: one-hot the more the colder."""
    noise = -torch.empty_like(logits).exponential_().log()
    return by_segment(lambda part: part.softmax(2), (logits + noise) / temperature, widths)
