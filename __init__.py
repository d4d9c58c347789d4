"""fillbench: does filling a rare class with generated images make the classifier better at it?"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .benchmark.api import open, run, sweep
    from .errors import CannotFill, FillbenchError
    from .generators import Generator, create, register

__version__ = "0.1.0"
__all__ = ["CannotFill", "FillbenchError", "Generator", "create", "open", "register", "run", "sweep"]

_HOME = {
    "open": "benchmark.api",
    "run": "benchmark.api",
    "sweep": "benchmark.api",
    "CannotFill": "errors",
    "FillbenchError": "errors",
    "Generator": "generators",
    "create": "generators",
    "register": "generators",
}


def __getattr__(name: str) -> Any:
    """Imports on first use, so that `import fillbench` and `benchmark --help` answer at once."""
    if name not in _HOME:
        raise AttributeError(f"module 'fillbench' has no attribute '{name}'")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
