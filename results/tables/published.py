"""Arms of the published comparison that fillbench has no names for, and the path that its rows went, as published.

There a generator learned from scaled rows, was fed SMOTE's rows unscaled, and what it made was joined to unscaled rows
without being scaled back. `as-published-…` do that. `real-rows-as-published` puts the kept rows themselves on the way
back, as a perfect generator would: what is lost there, no generator can help.
"""

from dataclasses import dataclass

import numpy as np
import torch

from fillbench.generators import register
from fillbench.generators.smote import Smote
from fillbench.generators.smote_gan import SmoteGan, SmoteWganGp

for kin, short in (("borderline-smote", "bsmote"), ("adasyn", "adasyn")):
    for base in (SmoteGan, SmoteWganGp):
        name = base.name.replace("smote", short)
        settings = dataclass(frozen=True)(
            type("Config", (base.Config,), {"smote": kin, "__annotations__": {"smote": str}})
        )
        body = {"Config": settings, "__module__": __name__, "__doc__": f"As {base.name}, from the rows of {kin}."}
        register(name)(type(name, (base,), body))


class Unscaled:
    """Scaled rows in, unscaled rows at sampling, and nothing scaled back."""

    def _sample(self, label, count):
        coding = self._encoder.coding
        scaled = self._smote[label].draw(count).cpu().numpy()
        rows = torch.from_numpy((scaled * coding.std + coding.mean).astype(np.float32)).to(self.device)
        with torch.inference_mode():
            made = self._averages[label](rows, torch.full((count,), label, device=self.device))
        return self._encoder.coding.traits.nearest(made.cpu().numpy())


@register("as-published-smote-gan")
class AsPublishedSmoteGan(Unscaled, SmoteGan):
    """SMOTE-driven GAN, fed and read in the wrong scale."""


@register("as-published-smote-wgan-gp")
class AsPublishedSmoteWganGp(Unscaled, SmoteWganGp):
    """SMOTE-driven Wasserstein GAN, fed and read in the wrong scale."""


@register("real-rows-as-published")
class RealRowsAsPublished(Smote):
    """The kept rows, read in the wrong scale."""

    def _sample(self, label, count):
        own = self.rows[self.train.labels == label]
        return self.train.traits.nearest(own[self.rng.integers(0, len(own), count)])
