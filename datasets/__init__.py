"""Data sets: real images in, imbalanced splits and filled data sets out."""

from .base import ImageSet, Split, Traits
from .load import fingerprint, load

__all__ = ["ImageSet", "Split", "Traits", "fingerprint", "load"]
