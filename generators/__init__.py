"""Generators: each learns from the kept examples and makes more of a class."""

from .base import ANY, Generator, builtin, create, load, names, register
from .state import NotStorable, open_state, save_state

__all__ = [
    "ANY",
    "Generator",
    "NotStorable",
    "builtin",
    "create",
    "load",
    "names",
    "open_state",
    "register",
    "save_state",
]
