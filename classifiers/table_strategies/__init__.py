"""Strategies to fit a classifier on imbalanced rows as they are: controls, which filling a class has to beat."""

from .base import TABLE_STRATEGIES, TableStrategy, register

__all__ = ["TABLE_STRATEGIES", "TableStrategy", "register"]
