"""What of the code a key covers, on a copy of the package that is changed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fillbench.benchmark.codeversion import code_of

ROOT = Path(__file__).parents[2]
ASK = """
import json
from fillbench import generators
from fillbench.benchmark.audits import auditor_of
from fillbench.benchmark.codeversion import code_of
from fillbench.classifiers.base import trainer_of
from fillbench.datasets import traits_of
from fillbench.generators.encoders import encoder_of
trainer = trainer_of("images")
parts = {name: generators.load(name) for name in ("dcgan", "cgan", "smote")}
parts |= {name: trainer.strategies.get(name) for name in ("ce", "mixup")}
parts |= {"trainer": trainer, "auditor": auditor_of("images")}
parts |= {"encoder": encoder_of("images"), "traits": traits_of("images")}
parts |= {"audit": "fillbench.benchmark.audits.audit", "judge": "fillbench.benchmark.audits.judge"}
print(json.dumps({name: code_of(part) for name, part in parts.items()}))
"""
GENERATOR = '''
from .base import Generator, register


@register("nothing")
class Nothing(Generator):
    """Nothing."""
'''
STRATEGY = '''
from .base import Strategy, register


@register("nothing")
class Nothing(Strategy):
    """Nothing."""
'''


class Package:
    """A copy of the package, and the versions of its parts as a fresh process tells them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "fillbench"
        ignored = shutil.ignore_patterns(".*", "tests", "results", "docs", "runs", "data", "model", "*.egg-info")
        shutil.copytree(ROOT, self.root, ignore=ignored)

    def versions(self) -> dict[str, str]:
        words = [sys.executable, "-c", ASK]
        told = subprocess.run(words, cwd=self.root.parent, capture_output=True, text=True, check=False, timeout=120)
        assert told.returncode == 0, told.stderr
        return json.loads(told.stdout)

    def append(self, file: str, text: str) -> None:
        path = self.root / file
        path.write_text((path.read_text() if path.exists() else "") + text)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return Package(tmp_path_factory.mktemp("package"))


def test_adding_a_generator_a_strategy_or_a_metric_changes_the_version_of_nothing_else(package):
    before = package.versions()
    assert len(set(before.values())) == len(before), "every part has a version of its own"
    package.append("generators/nothing.py", GENERATOR)
    package.append("classifiers/strategies/nothing.py", STRATEGY)
    for table in ("reports/metrics.py", "benchmark/audits/flags.py", "datasets/builtin.py"):
        package.append(table, "\n# one line more\n")
    assert package.versions() == before


def test_a_changed_source_changes_the_version_of_what_uses_it_and_of_nothing_else(package):
    before = package.versions()
    package.append("generators/networks.py", "\n# changed\n")
    package.append("classifiers/strategies/mixup.py", "\n# changed\n")
    package.append("benchmark/audits/quality.py", "\n# changed\n")
    after = package.versions()
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"dcgan", "cgan", "mixup", "audit", "auditor"}


def test_a_module_that_does_not_exist_has_no_version():
    with pytest.raises(ModuleNotFoundError, match=r"fillbench\.nowhere"):
        code_of("fillbench.nowhere")


def test_a_class_without_a_file_has_another_version_when_its_code_changes():
    versions = set()
    for value in (1, 2):
        scope = {"__name__": "__nowhere__"}
        exec(f"class Typed:\n    def f(self):\n        return {value}", scope)
        versions.add(code_of(scope["Typed"]))
    assert len(versions) == 2


def test_a_plugin_packages_own_modules_belong_to_its_version(tmp_path):
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "gen.py").write_text("from .nets import WIDTH\nclass Gen: ...\n")
    ask = "from theirs.gen import Gen; from fillbench.benchmark.codeversion import code_of; print(code_of(Gen))"
    versions = set()
    for width in (8, 16):
        (package / "nets.py").write_text(f"WIDTH = {width}\n")
        words = [sys.executable, "-c", ask]
        told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
        versions.add(told.stdout)
    assert len(versions) == 2
