"""The settings that generators and trainers declare, read off their sources: importing PyTorch takes seconds."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path
from typing import Annotated, Any, Literal

from ..registry import registered

Types = dict[str, Any]


def declared(package: str, name: str) -> Types | None:
    """The settings, with their types, of the class that a module of `package` registers under `name`: those of its
    nested Config, and of the Config that this one derives from, or of the one that it names (`Config = Settings`). None
    where the source is written otherwise than ours are."""
    module = registered(package)[name].rpartition(".")[2]
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent
    for node in _parsed(folder, module).body:
        if isinstance(node, ast.ClassDef) and f"register({name!r})" in map(ast.unparse, node.decorator_list):
            try:
                return _settings(folder, module, node)
            except LookupError:
                return None
    return None


def _parsed(folder: Path, module: str) -> ast.Module:
    path = folder / f"{module}.py"
    if not path.is_file():
        raise LookupError(path)
    return ast.parse(path.read_text(encoding="utf-8"))


def _settings(folder: Path, module: str, cls: ast.ClassDef) -> Types:
    """Raises LookupError where the source does not tell."""
    base = ast.unparse(cls.bases[0])
    own = next((node for node in cls.body if isinstance(node, ast.ClassDef) and node.name == "Config"), None)
    if own is None:
        assigned = [node.value for node in cls.body if isinstance(node, ast.Assign) and _names(node) == ["Config"]]
        if not assigned:
            return _settings(folder, *_class(folder, module, base))
        elsewhere, _, named = ast.unparse(assigned[0]).rpartition(".")
        own = _class(folder, elsewhere or module, named)[1]
    fields = {ast.unparse(node.target): _type(node.annotation) for node in own.body if isinstance(node, ast.AnnAssign)}
    if not own.bases:
        return fields
    if [ast.unparse(parent) for parent in own.bases] != [f"{base}.Config"]:
        raise LookupError("Config")
    return _settings(folder, *_class(folder, module, base)) | fields


def _names(assignment: ast.Assign) -> list[str]:
    return list(map(ast.unparse, assignment.targets))


def _type(annotation: ast.expr) -> Any:
    """What a source calls by the usual names. Raises LookupError for others."""
    from pydantic import Field

    known = {"Annotated": Annotated, "Any": Any, "Literal": Literal, "Field": Field}
    try:
        return eval(ast.unparse(annotation), known)
    except NameError as error:
        raise LookupError(error.name) from None


def _class(folder: Path, module: str, name: str) -> tuple[str, ast.ClassDef]:
    """What a module calls `name`, with the module of the same folder that defines it. Raises LookupError."""
    for node in _parsed(folder, module).body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.ImportFrom) and node.level == 1 and name in {alias.name for alias in node.names}:
            return _class(folder, node.module or "", name)
    raise LookupError(name)
