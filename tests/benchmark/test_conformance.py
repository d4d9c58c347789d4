"""Every built-in generator passes the suite that plug-in authors are held to."""

from __future__ import annotations

import pytest

from fillbench import generators
from fillbench.benchmark.check import check
from fillbench.tests.quick import NEEDED, QUICK


# from-files makes nothing of its own: no one file has examples for every toy.
@pytest.mark.parametrize("name", [name for name in generators.builtin() if name != "from-files"])
def test_built_in_generators_conform(name):
    settings = tuple(f"{key}={value}" for key, value in (QUICK | NEEDED).get(name, {}).items())
    wrong = {result.name: result.reason for result in check(name, settings, "cpu") if not result.passed}
    assert not wrong
