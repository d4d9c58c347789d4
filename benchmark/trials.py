"""What a trial of the classifier told on this machine, kept in the store.

So a run of which the store has everything does not build a classifier, for which seconds go into imports alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ..classifiers.base import Once, Trainer
from .cache import Store, key_of
from .codeversion import code_of, versions
from .hardware import hardware


def once_in(store: Store, trainer: Trainer, dataset: str, device: torch.device) -> Once:
    """For `Trainer.once`: trials on the data set of that fingerprint."""

    def once(about: dict[str, Any], work: Callable[[], Any]) -> Any:
        def make(new: Path, _: Path) -> None:
            (new / "found.json").write_text(json.dumps(work()))

        key = key_of(
            stage="trial",
            about=about,
            dataset=dataset,
            hardware=hardware(device),
            code=code_of(type(trainer)),
            versions=versions(),
        )
        return json.loads((store.get("trials", key, make) / "found.json").read_text())

    return once
