"""Encoders: examples of a kind as the floats that a network learns from, and back."""

from .base import Encoder, encoder_of, register
from .images import ImageEncoder  # every one by name, so that a generator's code version sees it

__all__ = ["Encoder", "ImageEncoder", "encoder_of", "register"]
