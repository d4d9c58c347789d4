"""Data sets: real images in, imbalanced splits and filled data sets out."""
