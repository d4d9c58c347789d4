"""The strategy that changes nothing."""

from .base import TableStrategy, register


@register("ce")
class Plain(TableStrategy):
    """The rows as they are."""
