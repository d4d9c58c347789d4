"""The one training loop's frame: what a kill does not set back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from .base import Generator
from .checkpoint import Checkpoint, random_state, set_random_state

PROGRESS_STEPS = 20


class Stateful(Protocol):
    """A network, an optimiser, an average of weights, a scaler."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


def steps_to_do(
    generator: Generator,
    checkpoint: Checkpoint,
    parts: Mapping[str, Stateful],
    steps: int,
    *,
    before: int = 0,
    total: int = 0,
    every: int = PROGRESS_STEPS,
) -> Iterator[int]:
    """Yields the steps of a training that are still to be done, of 1 to `steps`; the caller makes each.

    First `parts` (all that a step changes), the log and the random states become what `checkpoint` holds of them.
    They are stored when that is due, and after the last step, so that what is finished is not trained again.
    Every so many steps progress is told: `before` steps of other models were made, of `total` in all (0: `steps`).
    """
    done = 0
    if saved := checkpoint.read():
        done = saved["step"]
        for name, part in parts.items():
            part.load_state_dict(saved["parts"][name])
        generator.history[:] = saved["history"]
        set_random_state(saved["random"], generator.device)
    for step in range(done + 1, steps + 1):
        yield step
        if checkpoint.due() or (checkpoint.path and step == steps):
            checkpoint.write(
                step=step,
                parts={name: part.state_dict() for name, part in parts.items()},
                history=generator.history,
                random=random_state(generator.device),
            )
        if step % every == 0 or step == steps:
            generator.progress(before + step, total or steps)
