"""The benchmark itself: command line, plan, cells, cache, metrics."""
