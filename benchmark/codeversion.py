"""Which code a result came from: the sources of a module and of all it imports from this project.

What is reached through a registry is imported by name, so it is not among them, nor are its siblings. Who dispatches to
a class hashes that class beside the module that dispatches.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
from functools import cache
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cloudpickle

PACKAGE = __package__.partition(".")[0]
LIBRARIES = (
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "scipy",
    "scikit-learn",
    "imbalanced-learn",
    "kornia",
    "diffusers",
    "transformers",
    "peft",
)


@cache
def versions() -> dict[str, str]:
    """The installed versions of the libraries that results depend on."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def code_of(*parts: type | str) -> str:
    """The hash of the sources that make up classes or modules (by name): their own, and what these import of this
    project or, for a class from elsewhere, of its own package.

    Raises ModuleNotFoundError for a module that does not exist.
    """
    return hashlib.sha256("".join(map(_code_of, parts)).encode()).hexdigest()


@cache
def _code_of(part: type | str) -> str:
    if isinstance(part, str):
        if not _exists(part):
            raise ModuleNotFoundError(f"there is no module {part}, whose code a key was to tell")
        return _hash(part, _source(part) or "")
    try:
        source = inspect.getsource(sys.modules[part.__module__])
    except (OSError, TypeError, KeyError):  # a notebook's: no file, but the code itself
        source = "# " + hashlib.sha256(cloudpickle.dumps(part)).hexdigest()
    return _hash(part.__module__, source)


def _hash(module: str, source: str) -> str:
    sources, waiting = {module: source}, [(module, source)]
    while waiting:
        for name in _imports(*waiting.pop()):
            text = None if name in sources else _source(name)
            if text is not None:
                sources[name] = text
                waiting.append((name, text))
    return hashlib.sha256(repr(sorted(sources.items())).encode()).hexdigest()


@cache
def _source(module: str) -> str | None:
    origin = _spec(module).origin if _exists(module) else None
    return Path(origin).read_text() if origin and origin.endswith(".py") else None


@cache
def _imports(module: str, source: str) -> list[str]:
    """What a source imports of this project and of its own package, at its top or within its functions."""
    found: set[str] = set()
    roots = (PACKAGE, module.partition(".")[0])
    package = module if _is_package(module) else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (
                importlib.util.resolve_name("." * node.level + (node.module or ""), package)
                if node.level
                else node.module or ""
            )
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        found.update(name for name in names if name.partition(".")[0] in roots and _exists(name))
    return sorted(found)


def _is_package(module: str) -> bool:
    return _exists(module) and bool(_spec(module).submodule_search_locations)


def _spec(module: str) -> ModuleSpec:
    spec = importlib.util.find_spec(module)
    assert spec is not None
    return spec


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):  # ValueError: of `__main__` where there is no file
        return False
