"""Generators and discriminators of the GANs, sized to the image they make or judge."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

Shape = tuple[int, int, int]
"""Channels, height, width of an image."""

WIDEST = 512  # channels of a convolution; more costs much memory and time


def doublings(height: int, width: int) -> int:
    """How often the convolutional networks double the side: the smallest map keeps sides of 4 or more.

    That is the largest n with ceil(side / 2**n) > 3.
    """
    return max(0, math.ceil(math.log2(min(height, width) / 3)) - 1)


def _channels(shape: Shape) -> list[int]:
    """Channels of the convolutions at full size, half size, …: more for larger images."""
    widest_side = max(shape[1:])
    full = min(64, max(16, 2 ** round(math.log2(widest_side))))
    return [min(full * 2**level, WIDEST) for level in range(doublings(*shape[1:]) + 1)]


def _hidden(shape: tuple[int, ...]) -> int:
    """Units of a fully connected layer: about one a value."""
    return min(1024, max(128, 2 ** round(math.log2(math.prod(shape)))))


def _told(inputs: torch.Tensor, labels: torch.Tensor, classes: int) -> torch.Tensor:
    """Inputs (B, inputs) with labels (B,) one-hot beside them (Mirza & Osindero 2014); as they are without classes."""
    return torch.cat([inputs, F.one_hot(labels, classes).to(inputs.dtype)], dim=1) if classes else inputs


class DenseGenerator(nn.Module):
    """Fully connected: inputs (B, inputs) to examples (B, *shape), in the range of `last`.

    With `classes` it makes an example of labels (B,); without, labels are not looked at.
    """

    def __init__(self, inputs: int, shape: tuple[int, ...], last: nn.Module | None = None, classes: int = 0) -> None:
        super().__init__()
        self.classes = classes
        hidden = _hidden(shape)
        self.layers = nn.Sequential(
            nn.Linear(inputs + classes, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.BatchNorm1d(hidden),
            nn.ReLU(),
            nn.Linear(hidden, math.prod(shape)),
            last or nn.Tanh(),
            nn.Unflatten(1, shape),
        )

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return self.layers(_told(inputs, labels, self.classes))


class Discriminator(nn.Module):
    """Examples to one score each, (B,), by `layers`, which give their `features`.

    With `classes` it judges an example as one of labels (B,), by projection (Miyato & Koyama 2018,
    https://arxiv.org/abs/1802.05637); without, labels are not looked at.
    """

    def __init__(self, layers: nn.Module, features: int, classes: int) -> None:
        super().__init__()
        self.layers = layers
        self.score = nn.Linear(features, 1)
        self.class_score = nn.Embedding(classes, features) if classes else None

    def forward(self, examples: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        features = self.layers(examples)
        score = self.score(features).flatten()
        if self.class_score is not None:
            score = score + (features * self.class_score(labels)).sum(1)
        return score


class DenseDiscriminator(Discriminator):
    """Fully connected: examples (B, *shape) to one score each, (B,)."""

    def __init__(self, shape: tuple[int, ...], classes: int = 0) -> None:
        hidden = _hidden(shape)
        layers = nn.Sequential(
            nn.Flatten(),
            nn.Linear(math.prod(shape), hidden),
            nn.LeakyReLU(0.2),
            nn.Linear(hidden, hidden),
            nn.LeakyReLU(0.2),
        )
        super().__init__(layers, hidden, classes)


class ConvGenerator(nn.Module):
    """Transposed convolutions: inputs (B, inputs) to images (B, C, H, W) in [-1, 1].

    With `classes` it makes an image of labels (B,); without, labels are not looked at.
    """

    def __init__(self, inputs: int, shape: Shape, classes: int = 0) -> None:
        super().__init__()
        self.shape, self.classes = shape, classes
        widths = _channels(shape)[::-1]
        # Rounded up, so that the last map covers the image; the overhang is cropped.
        base = [math.ceil(side / 2 ** (len(widths) - 1)) for side in shape[1:]]
        layers: list[nn.Module] = [
            nn.Linear(inputs + classes, widths[0] * math.prod(base), bias=False),
            nn.Unflatten(1, (widths[0], *base)),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(),
        ]
        for before, after in pairwise(widths):
            layers += [
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=False),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], shape[0], 3, padding=1), nn.Tanh())

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        images = self.layers(_told(inputs, labels, self.classes))
        _, height, width = self.shape
        top, left = (images.shape[2] - height) // 2, (images.shape[3] - width) // 2
        return images[:, :, top : top + height, left : left + width]


class ConvDiscriminator(Discriminator):
    """Strided convolutions: images (B, C, H, W) to one score each, (B,)."""

    def __init__(self, shape: Shape, classes: int = 0, *, batch_norm: bool) -> None:
        widths = _channels(shape)
        layers: list[nn.Module] = [nn.Conv2d(shape[0], widths[0], 3, padding=1), nn.LeakyReLU(0.2)]
        for before, after in pairwise(widths):
            layers.append(nn.Conv2d(before, after, 4, 2, 1, bias=not batch_norm))
            if batch_norm:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.LeakyReLU(0.2))
        halvings = len(widths) - 1
        features = widths[-1] * (shape[1] >> halvings) * (shape[2] >> halvings)
        super().__init__(nn.Sequential(*layers, nn.Flatten()), features, classes)


def adversaries(inputs: int, shape: tuple[int, ...], last: nn.Module, classes: int = 0) -> tuple[nn.Module, nn.Module]:
    """A generator from (B, inputs) to examples of `shape`, and a discriminator without batch normalisation:
    convolutional ones for images (C, H, W), which end in tanh, else fully connected ones, which end in `last`."""
    if len(shape) == 3:
        return ConvGenerator(inputs, shape, classes), ConvDiscriminator(shape, classes, batch_norm=False)
    return DenseGenerator(inputs, shape, last, classes), DenseDiscriminator(shape, classes)
