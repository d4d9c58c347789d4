"""Ways to train on imbalanced data as it is: controls, which filling a class has to beat.

Losses that know the class counts, and augmentation by batch. Constants are those of the papers, not settings.
Every run looks at all of them, so torchvision, which takes seconds to import, is imported where it is used.
"""

from .base import STRATEGIES, Strategy, register

__all__ = ["STRATEGIES", "Strategy", "register"]
