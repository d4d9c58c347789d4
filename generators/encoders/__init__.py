"""Encoders: examples of a kind as the floats that a network learns from, and back."""

from .base import Encoder, encoder_of, encoders, fitted, register

__all__ = ["Encoder", "encoder_of", "encoders", "fitted", "register"]
