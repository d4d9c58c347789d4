"""The settings that a source declares are those that its class has."""

from __future__ import annotations

from typing import get_type_hints

import pytest

from fillbench import generators
from fillbench.benchmark.declared import declared
from fillbench.classifiers.base import trainer_of, trainers

REGISTERED = '@register("odd")\nclass Odd(Generator):\n'


@pytest.mark.parametrize("name", generators.builtin())
def test_the_settings_of_every_generator_are_told_by_its_source(name):
    found = declared("fillbench.generators", name)
    types = get_type_hints(generators.load(name).Config, include_extras=True)
    assert {key: str(value) for key, value in found.items()} == {key: str(value) for key, value in types.items()}


@pytest.mark.parametrize("kind", trainers())
def test_the_settings_of_every_trainer_are_told_by_sources(kind):
    found = declared("fillbench.classifiers", kind)
    types = get_type_hints(trainer_of(kind).Config, include_extras=True)
    assert {key: str(value) for key, value in found.items()} == {key: str(value) for key, value in types.items()}


@pytest.mark.parametrize(
    "body",
    [
        "    Config = Settings\n",
        "    class Config(Settings):\n        steps: int = 1\n",
        "    pass\n",
        "    class Config:\n        steps: Steps = 1\n",
    ],
    ids=["a Config from elsewhere", "one derived from elsewhere", "a base from elsewhere", "a type from elsewhere"],
)
def test_of_a_source_that_is_written_otherwise_nothing_is_claimed(tmp_path, monkeypatch, body):
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "odd.py").write_text(REGISTERED + body)
    monkeypatch.syspath_prepend(tmp_path)
    assert declared("theirs", "odd") is None
