"""A quick run's settings."""

from __future__ import annotations

import pytest

from fillbench.tests.runs import PLUGIN


@pytest.fixture
def options(npz, tmp_path):
    """A quick run's settings, as fillbench.run takes them."""
    (tmp_path / "plugin.py").write_text(PLUGIN)
    return {
        "dataset": f"npz:{npz}",
        "minority": "middle",
        "keep": 4,
        "classifier": "resnet10t",
        "steps": 3,
        "seeds": 2,
        "workers": 1,  # every one imports torch and timm anew
        "device": "cpu",
        "generators": "speckle",
        "controls": "none",
        "plugin": str(tmp_path / "plugin.py"),
        "set": {"classifier.batch_size": 8},
        "cache": str(tmp_path / "cache"),
        "out": str(tmp_path / "run"),
    }
