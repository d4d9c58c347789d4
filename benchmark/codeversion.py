"""Which code a result came from: the sources of a module and of all it imports from this project."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def code_of(cls: type) -> str:
    """The hash of the sources that make up a class: its module's (or, in a notebook, its own) and what they use."""
    module = cls.__module__
    try:
        source = inspect.getsource(sys.modules[module] if module != "__main__" else cls)
    except (OSError, TypeError, KeyError):  # typed into a prompt: there is no source to tell versions by
        source = cls.__qualname__
    return _hash(module, source)


@cache
def code_of_module(module: str) -> str:
    """The hash of the sources of a module of this project and of what it imports from this project."""
    return _hash(module, _source(module) or "")


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
    spec = importlib.util.find_spec(module)
    return Path(spec.origin).read_text() if spec and spec.origin else None


@cache
def _imports(module: str, source: str) -> list[str]:
    """The modules of this project that a source imports, at its top or within its functions."""
    found: set[str] = set()
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
        found.update(name for name in names if name.split(".")[0] == PACKAGE and _exists(name))
    return sorted(found)


def _is_package(module: str) -> bool:
    spec = importlib.util.find_spec(module) if module.split(".")[0] == PACKAGE else None
    return bool(spec and spec.submodule_search_locations)


def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
