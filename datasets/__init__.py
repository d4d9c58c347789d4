"""Data sets: real examples in, imbalanced splits and filled data sets out."""

from .base import DataSet, Split, Traits, kind_of, register
from .images import ImageTraits
from .load import fingerprint, load

__all__ = ["DataSet", "ImageTraits", "Split", "Traits", "fingerprint", "kind_of", "load", "register"]
