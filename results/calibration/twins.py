"""Six generators that are the same but for their name, which only seeds their draws: an A/A test on real images."""

import zlib

import numpy as np

from fillbench.generators import Generator, register


class Twin(Generator):
    def _fit(self, train, deficits):
        self.train = train

    def _sample(self, label, count):
        rng = np.random.default_rng([self.seed, label, zlib.crc32(self.name.encode())])
        kept = self.train.x[self.train.labels == label]
        images = kept[rng.integers(0, len(kept), count)]
        return (images + rng.normal(0, 20, images.shape)).clip(0, 255).astype(np.uint8)


for letter in "abcdef":
    register(f"twin-{letter}")(type(f"Twin{letter}", (Twin,), {"__doc__": "Kept images under noise."}))
