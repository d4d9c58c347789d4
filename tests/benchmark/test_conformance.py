"""Every built-in generator passes the suite that plug-in authors are held to."""

from __future__ import annotations

import numpy as np
import pytest

from fillbench import generators
from fillbench.benchmark.check import check
from fillbench.datasets.images import toy
from fillbench.tests.quick import QUICK


@pytest.mark.parametrize("name", generators.builtin())
def test_built_in_generators_conform(name, tmp_path):
    settings = tuple(f"{key}={value}" for key, value in QUICK.get(name, {}).items())
    if name == "from-files":
        made = toy((8, 8, 1), (2, 60, 60))
        path = tmp_path / "made.npz"
        np.savez(path, images=made.x, labels=made.labels, class_names=np.array(made.class_names))
        settings = (f"path={path}",)
    wrong = {result.name: result.reason for result in check(name, settings, "cpu") if not result.passed}
    assert not wrong
