"""Classifiers: a timm model, trained on a filled data set for a fixed number of steps."""
