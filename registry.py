"""A table of named classes, filled by a decorator; built-in ones are imported when first asked for."""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
import warnings
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from typing import Generic, TypeVar

from .errors import FillbenchError, did_you_mean

T = TypeVar("T")
NAME = r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}"  # it becomes a file's name, and the first half of NAME.KEY=VALUE


class Registry(Generic[T]):
    """Names to classes of one base, which know their name by `attribute`.

    Built-in ones are those that a module of `package`, if any, registers: read off their sources, so that nothing is
    imported before it is needed, and a new one needs no line anywhere else.
    `group` is the entry-point group in which installed packages announce modules that register more;
    `reserved` are names with another meaning.
    """

    def __init__(
        self,
        kind: str,
        base: type[T],
        package: str | None = None,
        *,
        attribute: str = "name",
        group: str | None = None,
        reserved: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self._base = base
        self._package = package
        self._attribute = attribute
        self._reserved = reserved
        self._group = group
        self._classes: dict[str, type[T]] = {}
        self._searched = False

    @cached_property
    def builtin(self) -> dict[str, str]:
        """Which module of the package registers which name."""
        return registered(self._package) if self._package else {}

    def register(self, name: str) -> Callable[[type[T]], type[T]]:
        """Class decorator. Raises FillbenchError for a bad or taken name, and a class that lacks something."""

        def add(cls: type[T]) -> type[T]:
            if not isinstance(name, str) or not re.fullmatch(NAME, name) or name in self._reserved:
                none_of = f", and none of {', '.join(self._reserved)}" if self._reserved else ""
                raise FillbenchError(
                    f"{self.kind} name {name!r} will not do: letters, digits, - and _, up to 60{none_of}"
                )
            if not (isinstance(cls, type) and issubclass(cls, self._base)):
                raise FillbenchError(f"{self.kind} '{name}' must be a class derived from {self._base.__name__}")
            if missing := sorted(getattr(cls, "__abstractmethods__", ())):
                raise FillbenchError(f"{self.kind} '{name}' does not define {', '.join(missing)}")
            holder = self._classes.get(name)
            module = holder.__module__ if holder else self.builtin.get(name, cls.__module__)
            qualname = holder.__qualname__ if holder else cls.__qualname__
            if (module, qualname) != (cls.__module__, cls.__qualname__):  # a re-run notebook cell is no clash
                raise FillbenchError(f"two {self.kind}s are named '{name}': one in {module}, one in {cls.__module__}")
            setattr(cls, self._attribute, name)
            self._classes[name] = cls
            return cls

        return add

    def names(self) -> list[str]:
        """Every name: built-in ones in their order, then the plug-ins'."""
        self._search_entry_points()
        return [*self.builtin, *(name for name in self._classes if name not in self.builtin)]

    def get(self, name: str) -> type[T]:
        """The class of that name. Raises FillbenchError with the nearest name when there is none."""
        if name not in self._classes and name in self.builtin:
            importlib.import_module(self.builtin[name])
        if name not in self._classes:
            self._search_entry_points()
        if name not in self._classes:
            raise FillbenchError(f"unknown {self.kind} '{name}'; {did_you_mean(name, self.names())}")
        return self._classes[name]

    def _search_entry_points(self) -> None:
        if self._searched or self._group is None:
            return
        self._searched = True
        for entry in entry_points(group=self._group):
            try:
                entry.load()
            except Exception as error:  # somebody else's package must not take fillbench down
                warnings.warn(f"plug-in '{entry.name}' of {entry.value} could not be loaded: {error}", stacklevel=2)


def registered(package: str) -> dict[str, str]:
    """The names that the modules of a package register, with the module; found in their sources, not by importing."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return {
        name: f"{package}.{file.stem}"
        for file in sorted(Path(spec.origin).parent.glob("*.py"))
        for name in re.findall(r'^@register\("([^"]+)"\)', file.read_text(encoding="utf-8"), re.MULTILINE)
    }


def load_plugin(path: Path) -> str:
    """Runs a plug-in file, whose decorators register what it holds; returns its module name.

    Raises FillbenchError when the file is missing or raises.
    """
    if not path.is_file():
        raise FillbenchError(f"plug-in file '{path}' does not exist")
    name = f"fillbench_plugin_{path.stem}"
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(path.resolve()):
        return name
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None:
        raise FillbenchError(f"plug-in file '{path}' is not a Python file (.py)")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except FillbenchError:
        del sys.modules[name]
        raise
    except (Exception, SystemExit) as error:  # `sys.exit()` in a plug-in must not end the run in silence
        del sys.modules[name]
        raise FillbenchError(f"plug-in file '{path}' raised {type(error).__name__}: {error}") from error
    return name
