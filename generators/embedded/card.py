"""The model card of the embedded model, from the record of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CARD = """---
library_name: diffusers
pipeline_tag: text-to-image
license: mit
datasets: [mnist]
---
# Handwritten digits, small enough to travel

A text-to-image model of 32x32 handwritten digits in Stable Diffusion's format: {megabytes:.1f} MB in half precision, of
which the UNet {unet_megabytes:.1f}. fillbench uses it so that `stable-diffusion` and `stable-diffusion-lora` work
without a network or a GPU, through the code that a large model takes. It is of no other use.

![samples: a row for each digit, six images as MNIST frames them, six close-ups](samples.png)

Prompts: `a handwritten digit 3` (or `three`) as MNIST frames its digits, and `a close-up of a handwritten digit 3`,
where the digit fills the frame. Other words mean nothing to it.

## How it was trained

| | |
| --- | --- |
| Data | the {images:,} training images of MNIST (LeCun, Cortes & Burges 1998) at 32x32, and close-ups; never its test images |
| SHA-256 of their bytes | `{images_sha256}` |
| Licence of the data | none stated at the source; MNIST was made from NIST's Special Databases 1 and 3 |
| Model | `AutoencoderKL` 3x32x32 to 4x8x8, `CLIPTextModel` of 2 layers, `UNet2DConditionModel`, velocity prediction |
| Steps | VAE {vae_steps:,} at batch {vae_batch}, UNet with text encoder {unet_steps:,} at batch {unet_batch} |
| Time | {minutes:.0f} minutes on {threads} CPU cores |
| Command | `python -m fillbench.generators.embedded.train --data-dir DIR --out DIR` |

Loss (the mean of 100 steps):

| stage | {steps_header} |
| --- |{rules}
{loss_rows}

## How well its prompts work

Of {count} images for each prompt `a handwritten digit N`, at 20 steps of DPM-Solver++ and guidance {guidance}, so many
are seen as that digit by a convolutional classifier trained on MNIST's training images (right on {accuracy:.2%} of
MNIST's test images):

| {digits} |
|{digit_rules}
| {shares} |

## What it is not

It has seen all of MNIST's training images. On `mnist` itself it thus brings back what thinning removed: its row there
belongs to "uses external data" in the strongest sense. scikit-learn's digits are other people's writing, scanned by
others, and share no image with MNIST.
"""


def write(folder: Path, record: dict[str, Any], grid: np.ndarray) -> None:
    """Writes README.md and samples.png; `grid` holds samples (rows, columns, 32, 32) in 0..1."""
    rows, columns, height, width = grid.shape
    picture = grid.transpose(0, 2, 1, 3).reshape(rows * height, columns * width)
    image = Image.fromarray((picture * 255).round().astype(np.uint8))
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(folder / "samples.png")
    quarters = {
        stage: [losses[round(q * (len(losses) - 1))] for q in (0, 0.25, 0.5, 0.75, 1)]
        for stage, losses in record["losses"].items()
    }
    shares = record["recognised"]
    sizes = {path: path.stat().st_size / 1e6 for path in folder.rglob("*.safetensors")}
    text = CARD.format(
        **record,
        megabytes=sum(sizes.values()),
        unet_megabytes=next(size for path, size in sizes.items() if path.parent.name == "unet"),
        steps_header=" | ".join(("start", "1/4", "1/2", "3/4", "end")),
        rules=" ---: |" * 5,
        loss_rows="\n".join(
            f"| {stage} | " + " | ".join(f"{loss:.4f}" for _, loss in found) + " |" for stage, found in quarters.items()
        ),
        digits=" | ".join(shares),
        digit_rules=" ---: |" * len(shares),
        shares=" | ".join(f"{share:.1%}" for share in shares.values()),
    )
    (folder / "README.md").write_text(text)
