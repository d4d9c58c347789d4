"""Generators: each learns from the kept images and makes more of a class."""

from .base import Generator, builtin, create, load, names, register

__all__ = ["Generator", "builtin", "create", "load", "names", "register"]
