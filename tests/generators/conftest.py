"""Pretrained models with random weights."""

from __future__ import annotations

from functools import cache

import pytest

from fillbench.tests.pipelines import make


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return cache(lambda kind: make(kind, root / kind))
