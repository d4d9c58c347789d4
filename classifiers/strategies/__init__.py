"""Ways to train on imbalanced data as it is: controls, which filling a class has to beat.

Losses that know the class counts, and augmentation by batch. Constants are those of the papers, not settings.
"""

from .base import STRATEGIES, Strategy, register

__all__ = ["STRATEGIES", "Strategy", "register"]
