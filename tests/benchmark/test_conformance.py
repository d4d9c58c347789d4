"""Every built-in generator passes the suite that plug-in authors are held to."""

from __future__ import annotations

import numpy as np
import pytest

from fillbench import generators
from fillbench.benchmark.check import check
from fillbench.datasets.images import toy

QUICK: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("gan", "dcgan", "cgan", "wgan-gp", "smote-gan", "ctgan", "tvae"), ("steps=3",)),
    "ddpm": ("steps=3", "sampling_steps=3"),
    "stable-diffusion": ("model=embedded", "steps=2"),
    "stable-diffusion-lora": ("model=embedded", "steps=2", "train_steps=2"),
}


@pytest.mark.parametrize("name", generators.builtin())
def test_built_in_generators_conform(name, tmp_path):
    settings = QUICK.get(name, ())
    if name == "from-files":
        made = toy((8, 8, 1), (2, 60, 60))
        path = tmp_path / "made.npz"
        np.savez(path, images=made.x, labels=made.labels, class_names=np.array(made.class_names))
        settings = (f"path={path}",)
    wrong = {result.name: result.reason for result in check(name, settings, "cpu") if not result.passed}
    assert not wrong
