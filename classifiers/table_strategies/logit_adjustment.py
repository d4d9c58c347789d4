"""Aditya Krishna Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021: the post-hoc variant."""

from .base import TableStrategy, register


@register("logit-adjustment")
class LogitAdjustment(TableStrategy):
    """Plain fitting, then logits minus the logarithm of the class's share (Menon 2021)."""

    cheap = True
    shift = True
