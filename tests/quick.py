"""Settings by which every generator is soon done; what it learns with them is worth nothing."""

from __future__ import annotations

from typing import Any

GANS = ("gan", "dcgan", "cgan", "wgan-gp", "smote-gan", "smote-wgan-gp")
QUICK: dict[str, dict[str, Any]] = {
    **{name: {"steps": 3, "batch_size": 4} for name in GANS},
    "ddpm": {"steps": 3, "batch_size": 4, "sampling_steps": 3},
    "stable-diffusion": {"model": "embedded", "steps": 2},
    "stable-diffusion-lora": {"model": "embedded", "steps": 2, "train_steps": 3, "train_batch_size": 2},
    "real-guidance": {"model": "embedded", "steps": 2, "train_steps": 3, "train_batch_size": 2},
    "diff-mix": {"model": "embedded", "steps": 2, "train_steps": 3, "train_batch_size": 2},
    "deepsmote": {"steps": 3, "batch_size": 4},
    "ctgan": {"steps": 3},
    "tvae": {"steps": 3},
    "tabddpm": {"steps": 3, "times": 3},
    "forest-flow": {"levels": 2, "trees": 2},
}
NEEDED: dict[str, dict[str, Any]] = {"retrieve": {"pool": "digits"}}
"""Settings without which a generator cannot be made."""


def flat(settings: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """As `--set` has them, {"gan.steps": 3, …}."""
    return {f"{name}.{key}": value for name, chosen in settings.items() for key, value in chosen.items()}
