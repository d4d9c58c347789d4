"""Aditya Krishna Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021: the post-hoc variant."""

from .base import Strategy, register


@register("logit-adjustment")
class LogitAdjustment(Strategy):
    """Predictions corrected for the training counts (Menon 2021)."""

    cheap = True
    shift = True
