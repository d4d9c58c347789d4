"""Data sets: real examples in, imbalanced splits and filled data sets out."""

from .base import DataSet, Split, Traits, register, traits_of
from .images import ImageTraits
from .load import fingerprint, load

__all__ = ["DataSet", "ImageTraits", "Split", "Traits", "fingerprint", "load", "register", "traits_of"]
