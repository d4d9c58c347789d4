"""Generators that cheat or break, as plug-ins: each must be caught by the audit. They know scikit-learn's digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fillbench.datasets import load
from fillbench.tests.trapping import Trap, traps_of


def digits(part: str, label: int) -> np.ndarray:
    """All the images of a class in the train or the test part: what no honest generator can get at."""
    data = getattr(load("digits", Path()), part)
    return data.x[data.labels == label]


class Images(Trap):
    def noisy(self, images, reach):
        return (images + self.rng.integers(-reach, reach + 1, images.shape)).clip(0, 255).astype(np.uint8)


TRAPS, trap = traps_of(Images, __name__)


@trap("copies", "copies")
def _(self, label, count):
    """Its training images."""
    return self.kept(label, count)


@trap("noisy-copies", "copies")
def _(self, label, count):
    """Its training images under noise."""
    return self.noisy(self.kept(label, count), 25)


@trap("one-pixel", "copies")
def _(self, label, count):
    """Its training images with one pixel changed."""
    images = self.kept(label, count)
    rows = np.arange(count)
    images[rows, self.rng.integers(0, 8, count), self.rng.integers(0, 8, count)] = 128
    return images


@trap("flipped-copies", "copies")
def _(self, label, count):
    """Its training images, mirrored."""
    return self.kept(label, count)[:, :, ::-1]


@trap("turned-copies", "copies")
def _(self, label, count):
    """Its training images, upside down."""
    return self.kept(label, count)[:, ::-1, ::-1]


@trap("moved-copies", "copies")
def _(self, label, count):
    """Its training images, a pixel to the right."""
    return np.roll(self.kept(label, count), 1, axis=2)


@trap("dark-copies", "copies")
def _(self, label, count):
    """Its training images with little contrast."""
    return (self.kept(label, count) * 0.6 + 40).astype(np.uint8)


@trap("blended-copies", "copies")
def _(self, label, count):
    """Its training images, each with a little of another."""
    return (0.8 * self.kept(label, count) + 0.2 * self.kept(label, count)).astype(np.uint8)


@trap("some-copies", "copies")
def _(self, label, count):
    """A third of training images among honest ones."""
    third = count // 3
    return np.concatenate([self.kept(label, third), self.noisy(digits("train", label), 3)[: count - third]])


@trap("test-images", "leaks")
def _(self, label, count):
    """The test images."""
    return self.pick(digits("test", label), count)


@trap("some-test-images", "leaks")
def _(self, label, count):
    """A few test images among others."""
    few = count // 20
    return np.concatenate([digits("test", label)[:few], self.noisy(self.kept(label, count - few), 60)])


@trap("bright-test-images", "leaks")
def _(self, label, count):
    """The test images with another gamma."""
    return (255 * (self.pick(digits("test", label), count) / 255) ** 0.5).astype(np.uint8)


@trap("mixed-test-images", "leaks")
def _(self, label, count):
    """Weighted means of two test images."""
    one, two = (self.pick(digits("test", label), count) for _ in range(2))
    return (0.7 * one + 0.3 * two).astype(np.uint8)


@trap("noisy-test-images", "leaks")
def _(self, label, count):
    """The test images under noise."""
    return self.noisy(self.pick(digits("test", label), count), 25)


@trap("flipped-test-images", "leaks")
def _(self, label, count):
    """The test images, mirrored."""
    return self.pick(digits("test", label), count)[:, :, ::-1]


@trap("fifth-of-test-images", "leaks")
def _(self, label, count):
    """A fifth of test images under light noise among versions of kept ones."""
    fifth = count // 5
    leaked = self.noisy(self.pick(digits("test", label), fifth), 10)
    return np.concatenate([leaked, self.noisy(self.kept(label, count - fifth), 60)])


@trap("removed-images", "leaks")
def _(self, label, count):
    """The images that were taken away."""
    return self.noisy(self.pick(digits("train", label), count), 3)


@trap("uniform-noise", "off range")
def _(self, label, count):
    """Noise."""
    return self.rng.integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)


@trap("shuffled-pixels", "off range")
def _(self, label, count):
    """Images with the right histogram and nothing to see."""
    return self.rng.permuted(self.kept(label, count).reshape(count, 64), axis=1).reshape(count, 8, 8, 1)


@trap("one-image", "collapsed")
def _(self, label, count):
    """One good image over and over, hardly changed."""
    return self.noisy(np.repeat(digits("test", label)[:1] // 2 + digits("test", label)[1:2] // 2, count, axis=0), 2)


@trap("one-noisy-image", "collapsed")
def _(self, label, count):
    """One good image over and over, under noise that looks like diversity."""
    return self.noisy(np.repeat(digits("test", label)[:1] // 2 + digits("test", label)[1:2] // 2, count, axis=0), 50)


@trap("three-images", "collapsed")
def _(self, label, count):
    """Three good images over and over."""
    images = digits("test", label)[:6].astype(int)
    return self.noisy(self.pick((images[:3] + images[3:]) // 2, count), 25)


@trap("another-class", "wrong label")
def _(self, label, count):
    """Another class."""
    return self.pick(self.train.x[self.train.labels == 3], count)


@trap("any-class", "wrong label")
def _(self, label, count):
    """Images of all the other classes."""
    return self.pick(self.train.x[self.train.labels != label], count)


@trap("some-other-classes", "wrong label")
def _(self, label, count):
    """Three of ten of other classes."""
    some = 3 * count // 10
    return np.concatenate([self.pick(self.train.x[self.train.labels != label], some), self.kept(label, count - some)])


@trap("zero-to-one", "off range")
def _(self, label, count):
    """Values in 0..1 as uint8."""
    return np.rint(self.kept(label, count) / 255).astype(np.uint8)


@trap("half-range", "off range")
def _(self, label, count):
    """tanh's range taken for 0..1: everything under the middle is black."""
    images = self.noisy(self.kept(label, count), 25).astype(float) / 127.5 - 1
    return (images.clip(0, 1) * 60).astype(np.uint8)


@trap("inverted", "off range")
def _(self, label, count):
    """Black for white."""
    return 255 - self.noisy(digits("train", label), 3)[:count]
