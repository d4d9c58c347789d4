"""Executors: where the cells of a run are worked on. The store is the truth: a lost worker costs only its cells."""

from .base import Died, Executor, Job
from .local import LocalExecutor

__all__ = ["Died", "Executor", "Job", "LocalExecutor"]
