"""What stands for a kill in the middle of a fit."""

from __future__ import annotations

from collections.abc import Callable


class KilledError(Exception):
    """Stands for a kill."""


def killed_at(at: int) -> Callable[[int, int], None]:
    """A generator's `progress` that ends it once `at` is done."""

    def progress(done: int, total: int) -> None:
        if done >= at:
            raise KilledError

    return progress
