"""The embedded model: small, whole, honest about its data, and its prompts work."""

from __future__ import annotations

import hashlib
import json
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors import safe_open
from sklearn.svm import SVC

from fillbench.datasets import Split, load
from fillbench.datasets.base import DataSet
from fillbench.generators import create
from fillbench.generators.embedded import MODEL, train

MNIST = Path(os.environ.get("FILLBENCH_DATA", "data"))
RECORD = json.loads((MODEL / "training.json").read_text())
# Of the bytes of MNIST's 60,000 training images, as the official file has them.
TRAINING_IMAGES = "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"


@cache
def mnist() -> Split:
    if not (MNIST / "MNIST").is_dir():
        pytest.skip(f"needs MNIST in {MNIST} (set FILLBENCH_DATA to a folder that has MNIST/raw)")
    return load("mnist", MNIST)


@cache
def digits() -> Split:
    return load("digits", Path("data"))


def zero_shot(train_set: DataSet, count: int, **settings) -> np.ndarray:
    """`count` images of each of the ten digits, (10 * count, H, W, C)."""
    wanted = dict.fromkeys(range(10), count)
    return create("stable-diffusion", random_state=0, device="cpu", **settings).fit(train_set, wanted).fill(wanted)[0]


def test_it_takes_ten_megabytes_or_less_in_half_precision_and_holds_no_pickle():
    files = [path for path in MODEL.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 10e6
    assert {path.suffix for path in files} <= {".json", ".txt", ".safetensors", ".md", ".png"}
    for path in files:
        if path.suffix == ".safetensors":
            with safe_open(path, "pt") as weights:
                floats = {weights.get_slice(name).get_dtype() for name in weights.keys()}  # noqa: SIM118
            assert floats <= {"F16", "I64"}, path


def test_diffusers_loads_and_runs_it_as_any_stable_diffusion():
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    pipeline.set_progress_bar_config(disable=True)
    assert {"vae", "text_encoder", "tokenizer", "unet", "scheduler"} <= set(pipeline.components)
    image = pipeline("a handwritten digit 3", num_inference_steps=2).images[0]
    assert image.size == (32, 32)
    assert image.mode == "RGB"


def test_its_card_tells_data_licence_steps_loss_and_what_its_prompts_are_worth():
    card = (MODEL / "README.md").read_text()
    for word in (
        "Licence of the data",
        "MNIST",
        RECORD["images_sha256"],
        f"{RECORD['unet_steps']:,}",
        "Loss",
        "samples.png",
    ):
        assert word in card
    for share in RECORD["recognised"].values():
        assert f"{share:.1%}" in card
    assert len(RECORD["recognised"]) == 10
    assert RECORD["count"] == 200
    assert min(RECORD["recognised"].values()) >= 0.95


def test_it_was_trained_on_mnists_training_images_and_on_nothing_else():
    assert RECORD["images"] == 60_000
    assert RECORD["images_sha256"] == TRAINING_IMAGES


def test_it_shares_no_image_with_the_benchmarks_test_images():
    data = mnist()
    assert hashlib.sha256(data.train.x.tobytes()).hexdigest() == TRAINING_IMAGES
    seen = {image.tobytes() for image in data.train.x}
    assert not any(image.tobytes() in seen for image in data.test.x)
    # scikit-learn's digits are 8x8: no one of them is one of MNIST's, whole or close up, in their size.
    small = [
        torch.nn.functional.interpolate(frame, (8, 8), mode="area").add(1).mul(8).round().byte().numpy()
        for frame in train.frames(data.train.x)
    ]
    seen = {image.tobytes() for images in small for image in images}
    others = np.rint(digits().test.x[..., 0] * (16 / 255)).astype(np.uint8)
    assert not any(image.tobytes() in seen for image in others)


@pytest.mark.slow
def test_scikit_learns_digits_are_made_when_they_are_asked_for():
    data = digits().train
    svm = SVC(gamma="scale").fit(data.x.reshape(len(data), -1) / 255, data.labels)
    images = zero_shot(data, 20)
    right = svm.predict(images.reshape(200, -1) / 255) == np.repeat(np.arange(10), 20)
    assert right.mean() >= 0.6, "it has never seen this data set, so some will be off"


@pytest.mark.slow
def test_of_200_images_for_each_prompt_95_percent_are_recognised_by_a_classifier_trained_on_mnist():
    data = mnist()
    torch.manual_seed(0)
    model = train.recogniser(data.train)
    images = zero_shot(data.train, 200)[..., 0]
    shares = [train.recognised(model, images[200 * digit : 200 * (digit + 1)], digit) for digit in range(10)]
    assert min(shares) >= 0.95, shares


def test_the_training_script_makes_a_model_that_works(tmp_path):
    data = mnist()
    few = data.train.take(np.arange(200))
    whole, close = train.frames(few.images)
    assert whole.shape == close.shape == (200, 1, 32, 32)
    assert close.mean() > whole.mean(), "the digit fills the frame"
    log = train.Log()
    vae = train.train_vae(whole, close, 2, log)
    latents = torch.cat([train.encode(vae, whole), train.encode(vae, close)])
    tokenizer, scheduler = train.make_tokenizer(tmp_path / "tokenizer"), train.make_scheduler()
    labels = torch.from_numpy(few.labels)
    unet, text = train.train_denoiser(latents, labels, tokenizer, scheduler, 1, log)
    train.save(tmp_path, vae=vae, unet=unet, text_encoder=text, tokenizer=tokenizer, scheduler=scheduler)
    images = create("stable-diffusion", random_state=0, model=str(tmp_path), steps=1).fit(few, {3: 2}).sample(3, 2)
    assert images.shape == (2, 28, 28, 1)
