"""Multinomial diffusion (Hoogeboom et al. 2021, https://arxiv.org/abs/2102.05379) of many columns at once."""

from __future__ import annotations

from collections.abc import Sequence

import torch

TINY = 1e-30  # a probability whose logarithm float32 has


class Multinomial:
    """Diffusion of C columns with K_1, …, K_C categories, as S = K_1 + … + K_C columns of zeros and ones.

    `kept` (T,): the share of values that the noise has left by each time, as `alphas_cumprod` of diffusers' schedulers;
    the others are any category. Times are (N,) int64, of 0 to T - 1; probabilities are logarithms, (N, S) float32.
    """

    def __init__(self, categories: Sequence[int], kept: torch.Tensor, device: torch.device) -> None:
        counts = torch.tensor(categories, dtype=torch.int64, device=device)
        self.columns = len(counts)
        self._column = torch.repeat_interleave(torch.arange(self.columns, device=device), counts)
        self._members = torch.eye(self.columns, device=device)[self._column]  # (S, C), for sums that repeat to the bit
        self._chance = 1 / counts[self._column].float()
        self._kept = kept.to(device)
        self._kept_before = torch.cat([torch.ones(1, device=device), self._kept[:-1]])

    def noise(self, count: int) -> torch.Tensor:
        """(count, S): any category of each column."""
        return self._drawn(self._chance.log().expand(count, -1))

    def noisy(self, clean: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(N, S) what becomes of `clean` (N, S) by `times`."""
        return self._drawn(self._mixed(clean, self._kept[times]))

    def loss(self, logits: torch.Tensor, clean: torch.Tensor, noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """The variational bound of a column in nats, estimated at one time for each row; `logits` guess `clean`."""
        truth = self._before(clean, noisy, times)
        guess = self._before(self._normalised(logits).exp(), noisy, times)
        return len(self._kept) / self.columns * (truth.exp() * (truth - guess)).sum(1).mean()

    def step(self, logits: torch.Tensor, noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """(N, S) a draw of what `noisy` was one time earlier, where `logits` guess what it was at first."""
        return self._drawn(self._before(self._normalised(logits).exp(), noisy, times))

    def _before(self, clean: torch.Tensor, noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        """log q of one time earlier, given shares `clean` of what it was at first."""
        earlier = self._kept_before[times]
        joint = self._mixed(clean, earlier) + self._mixed(noisy, self._kept[times] / earlier)
        return self._normalised(joint)

    def _mixed(self, shares: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """The logarithm of `shares` of which `kept` (N,) are left."""
        left = kept[:, None]
        return (left * shares + (1 - left) * self._chance).clamp(min=TINY).log()

    def _normalised(self, logits: torch.Tensor) -> torch.Tensor:
        """log softmax within each column."""
        logits = logits - self._largest(logits.detach())
        return logits - (logits.exp() @ self._members).log()[:, self._column]

    def _drawn(self, logits: torch.Tensor) -> torch.Tensor:
        """A category of each column, by Gumbel's maximum."""
        scores = logits - torch.empty_like(logits).exponential_().log()
        return (scores == self._largest(scores)).float()

    def _largest(self, values: torch.Tensor) -> torch.Tensor:
        """The largest of each column, at all of its categories."""
        column = self._column.expand(len(values), -1)
        lowest = values.new_full((len(values), self.columns), -torch.inf)
        return lowest.scatter_reduce(1, column, values, "amax")[:, self._column]
