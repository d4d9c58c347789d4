"""The settings that a source declares are those that its class has."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fillbench import generators
from fillbench.benchmark.declared import declared

REGISTERED = '@register("odd")\nclass Odd(Generator):\n'


@pytest.mark.parametrize("name", generators.builtin())
def test_the_settings_of_every_generator_are_told_by_its_source(name):
    assert declared("fillbench.generators", name) == {f.name for f in fields(generators.load(name).Config)}


@pytest.mark.parametrize(
    "body",
    [
        "    Config = Settings\n",
        "    class Config(Settings):\n        steps: int = 1\n",
        "    pass\n",
    ],
    ids=["a Config from elsewhere", "one derived from elsewhere", "a base from elsewhere"],
)
def test_of_a_source_that_is_written_otherwise_nothing_is_claimed(tmp_path, monkeypatch, body):
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "odd.py").write_text(REGISTERED + body)
    monkeypatch.syspath_prepend(tmp_path)
    assert declared("theirs", "odd") is None
