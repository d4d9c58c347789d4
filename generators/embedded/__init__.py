"""A small text-to-image model in Stable Diffusion's format, so that `stable-diffusion` works without a network."""

from pathlib import Path

MODEL = Path(__file__).parent / "model"
GUIDANCE = 2.0  # higher is surer to be recognised, and less diverse
