"""The strategy that changes nothing."""

from .base import Strategy, register


@register("ce")
class CrossEntropy(Strategy):
    """Plain cross-entropy."""
