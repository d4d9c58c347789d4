"""Measures what takes long against the code that one writes first, or the package there is, and writes a record.

    python -m fillbench.benchmark.speed [--what diffusion|classifier|ctgan] [--device auto] [--out FILE.json]

Both ways take turns on the same machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
import torch

from ...compute import pick_device
from ...errors import FillbenchError
from ..codeversion import versions
from ..hardware import hardware


@click.command()
@click.option("--what", type=click.Choice(["diffusion", "classifier", "ctgan"]), default="diffusion", show_default=True)
@click.option("--model", type=click.Choice(["embedded", "sd15"]), default="embedded", show_default=True)
@click.option("--device", default="auto", show_default=True)
@click.option("--images", default=128, show_default=True, help="Diffusion: how many fillbench makes in a round.")
@click.option("--plain-images", default=8, show_default=True, help="Diffusion: how many the plain loop makes.")
@click.option("--out", type=Path, help="Where to write the record, as JSON.")
def main(what: str, model: str, device: str, images: int, plain_images: int, out: Path | None) -> None:
    """Measures speed against the code that one writes first: Stable Diffusion's sampling, the
    classifier's training; and against the package of its authors, ctgan's."""
    chosen = pick_device(device)
    if what == "diffusion":
        from diffusers.utils import logging

        from . import diffusion

        logging.disable_progress_bar()
        found = diffusion.measure(model, chosen, plain_images, images)
    elif what == "classifier":
        from . import classifier

        found = classifier.measure(chosen)
    else:
        from . import ctgan

        try:
            found = ctgan.measure(chosen)
        except FillbenchError as error:
            raise click.ClickException(str(error)) from None
    record = {
        "device": str(chosen),
        **found,
        "hardware": hardware(chosen),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "command": " ".join(["python -m fillbench.benchmark.speed", *sys.argv[1:]]),
    }
    text = json.dumps(record, indent=1)
    click.echo(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n")


if __name__ == "__main__":
    main()
