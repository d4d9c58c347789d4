from __future__ import annotations

from fillbench.benchmark import codeversion
from fillbench.benchmark.codeversion import _imports, _source, code_of, code_of_module
from fillbench.generators import load


def used_by(module: str) -> set[str]:
    found, waiting = set(), [module]
    while waiting:
        current = waiting.pop()
        for name in _imports(current, _source(current) or ""):
            if name not in found:
                found.add(name)
                waiting.append(name)
    return found


def test_a_generators_version_covers_the_modules_it_is_built_from():
    used = used_by("fillbench.generators.dcgan")
    assert {"fillbench.generators.adversarial", "fillbench.generators.networks", "fillbench.compute"} <= used


def test_it_does_not_cover_other_generators_nor_the_classifier():
    used = used_by("fillbench.generators.smote")
    assert not {"fillbench.generators.dcgan", "fillbench.classifiers.images", "fillbench.benchmark.runner"} & used


def test_classes_of_different_modules_have_different_versions():
    names = ("smote", "dcgan", "cgan")
    assert len({code_of(load(name)) for name in names}) == 3


def test_a_class_without_a_file_has_another_version_when_its_code_changes():
    versions = set()
    for value in (1, 2):
        scope = {"__name__": "__nowhere__"}
        exec(f"class Typed:\n    def f(self):\n        return {value}", scope)
        versions.add(code_of(scope["Typed"]))
    assert len(versions) == 2


def test_a_plugin_packages_own_modules_belong_to_its_version(tmp_path, monkeypatch):
    package = tmp_path / "theirs"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "gen.py").write_text("from .nets import WIDTH\nclass Gen: ...\n")
    monkeypatch.syspath_prepend(tmp_path)
    versions = set()
    for width in (8, 16):
        (package / "nets.py").write_text(f"WIDTH = {width}\n")
        for cached in (codeversion._source, codeversion._imports):
            cached.cache_clear()
        from theirs.gen import Gen

        versions.add(code_of(Gen))
    assert len(versions) == 2


def test_a_changed_source_changes_the_version_of_what_uses_it(monkeypatch):
    before = code_of_module("fillbench.classifiers.images")
    original = codeversion._source

    def edited(module):
        return (original(module) or "") + ("# edited" if module == "fillbench.classifiers.augment" else "")

    code_of_module.cache_clear()
    monkeypatch.setattr(codeversion, "_source", edited)
    assert code_of_module("fillbench.classifiers.images") != before
    code_of_module.cache_clear()
