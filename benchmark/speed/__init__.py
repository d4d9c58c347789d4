"""Measures what takes long against the code that one writes first: `python -m fillbench.benchmark.speed`."""
