"""The package ctgan as a plug-in: `pip install ctgan`, and `benchmark run --plugin ctgan_package.py`."""

from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import pandas as pd

from fillbench.generators import Generator, NotStorable, register


@register("ctgan-package")
class CtganPackage(Generator):
    """The authors' CTGAN, from the package ctgan."""

    kinds = ("tables",)

    @dataclass(frozen=True)
    class Config:
        epochs: int = 300
        batch_size: int = 500

    def available(self):
        return None if find_spec("ctgan") else "pip install ctgan"

    def _fit(self, train, labels):
        from ctgan import CTGAN

        frame = pd.DataFrame(train.x).assign(label=train.labels.astype(str)).rename(columns=str)
        discrete = [*map(str, np.flatnonzero(train.traits.categorical)), "label"]
        frame[discrete] = frame[discrete].astype(str)  # a missing category is one more
        frame = frame.fillna(frame.median(numeric_only=True))
        self.train = train
        use_gpu = self.device.type == "cuda"
        self.model = CTGAN(epochs=self.config.epochs, batch_size=self.config.batch_size, enable_gpu=use_gpu)
        self.model.fit(frame, discrete)

    def _sample(self, label, count):
        made = self.model.sample(count, "label", str(label)).drop(columns="label")
        return self.train.traits.nearest(made.astype(np.float32).to_numpy())

    def _state(self):
        raise NotStorable("the package stores pickles only")
