"""LoRA: what it learns from, what it changes, what it leaves behind, and what survives a kill."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from fillbench.datasets.base import DataSet
from fillbench.errors import FillbenchError
from fillbench.generators import checkpoint, create
from fillbench.generators.embedded import MODEL
from fillbench.tests.kills import KilledError, killed_at
from fillbench.tests.pipelines import data


def tiny(model="auto", seed=0, workdir=None, **settings):
    chosen = {"model": str(model), "steps": 2, "train_steps": 3, "train_batch_size": 4, **settings}
    generator = create("stable-diffusion-lora", random_state=seed, device="cpu", **chosen)
    generator.workdir = workdir
    return generator


@pytest.mark.parametrize("kind", ["sd", "xl", "turbo", "lcm"])
def test_every_family_can_be_adapted(models, kind):
    generator = tiny(models(kind)).fit(data(), {2: 3})
    assert generator.sample(2, 3).shape == (3, 8, 8, 1)
    assert [line["step"] for line in generator.history] == [1, 2, 3]


def test_colour_images_in_image_to_image_mode(models):
    generator = tiny(models("sd"), mode="image-to-image", steps=4).fit(data((12, 20, 3)), {2: 3})
    assert generator.sample(2, 3).shape == (3, 12, 20, 3)


@pytest.mark.slow
def test_training_brings_the_images_nearer_to_the_kept_ones():
    train = data(counts=(5, 5, 5))
    train.x[:] = train.x // 4 + 150  # grey all over, as no digit is
    images = [
        tiny(train_steps=steps, train_batch_size=16, steps=10, lr=lr).fit(train, {2: 1}).sample(2, 16)
        for steps, lr in ((1, 1e-9), (60, 2e-3))
    ]
    kept = train.x[train.labels == 2].mean()
    far, near = (abs(made.mean() - kept) for made in images)
    assert near < far / 2


def test_same_seed_same_images():
    first, again, other = (tiny(seed=seed).fit(data(), {2: 3}).sample(2, 3) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_each_class_is_shown_equally_often_and_only_what_is_shown_is_encoded():
    generator = tiny(train_steps=400, train_batch_size=8, workdir=None)
    generator._learn = lambda lessons, *_: setattr(generator, "lessons", lessons)
    train = data(counts=(60, 0, 5), names=("0", "1", "2"))
    generator.fit(train, {2: 3})
    lessons = generator.lessons
    assert set(lessons.labels.unique().tolist()) == {0, 2}
    assert 0.45 < (lessons.labels == 2).float().mean() < 0.55
    assert len(lessons.latents) == 65
    shown = lessons.shown.numpy()
    np.testing.assert_array_equal(train.labels[shown], lessons.labels.numpy())
    few = tiny(train_steps=1, train_batch_size=2)
    few._learn = lambda lessons, *_: setattr(few, "lessons", lessons)
    assert len(few.fit(train, {2: 3}).lessons.latents) <= 2


@pytest.mark.parametrize(("flip", "most"), [(False, 3), (True, 6)])
def test_mirror_images_are_shown_only_where_they_are_of_the_same_class(flip, most):
    generator = tiny(train_steps=50)
    generator._learn = lambda lessons, *_: setattr(generator, "lessons", lessons)
    train = data(counts=(1, 1, 1), flip=flip)
    latents = generator.fit(train, {2: 3}).lessons.latents
    assert len(latents) == most
    if flip:  # the last three are of the mirrored images
        mirrored = DataSet(train.x[:, :, ::-1].copy(), train.labels, train.class_names, train.traits)
        generator._kept = mirrored
        torch.testing.assert_close(generator._latents(np.arange(3)), latents[3:])


def test_word_lists_do_not_tell_of_kept_images_what_nobody_knows(tmp_path):
    path = tmp_path / "prompts.yaml"
    path.write_text("templates: ['a {how} {name}']\nwords: {how: [thin, fat]}")
    generator = tiny(prompt=str(path))
    seen = []
    original = generator._encode
    generator._encode = lambda prompts, negative: seen.extend(prompts) or original(prompts, negative)
    generator.fit(data(), {2: 3})
    assert seen == ["a digit 0", "a digit 1", "a digit 2"]
    generator.sample(2, 20)
    assert set(seen[3:]) == {"a thin 2", "a fat 2"}


def test_guidance_is_away_from_what_the_adapter_learned_as_no_prompt(models):
    for kind in ("sd", "xl"):
        generator = tiny(models(kind)).fit(data(), {2: 3})
        none = generator._encode(["anything"], "")["anything"]["negative_prompt_embeds"]
        torch.testing.assert_close(generator._conditions(np.random.default_rng(0))["prompt_embeds"][-1], none)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_precision_that_was_asked_for_is_used_in_training_too(precision):
    generator = tiny(precision=precision)
    assert generator.fit(data(), {2: 3}).sample(2, 3).shape == (3, 8, 8, 1)
    assert generator.facts["training_precision"] == precision


def test_an_interrupted_training_goes_on_where_it_was(tmp_path, monkeypatch):
    whole = tiny(train_steps=24).fit(data(), {2: 3})
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken, resumed, again = (tiny(train_steps=24, workdir=tmp_path) for _ in range(3))
    broken.progress = killed_at(20)
    with pytest.raises(KilledError):
        broken.fit(data(), {2: 3})
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        for generator in (resumed, again):
            generator.progress = lambda done, total: seen.append(done)
            generator.fit(data(), {2: 3})
            assert generator.history == whole.history
            np.testing.assert_array_equal(generator.sample(2, 3), whole.sample(2, 3))
            (tmp_path / "images-2.npy").unlink()
    assert seen == [24, 0, 3, 0, 3], "it did not start over; and once it was finished, it is not trained again"


def test_the_adapter_is_left_as_safetensors_that_diffusers_loads(tmp_path):
    generator = tiny(train_steps=20, lr=1e-2, precision="float32").fit(data(), {2: 3})
    generator.sample(2, 3)
    generator.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"adapter.safetensors", "prompts.json"}
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL)
    inputs = torch.randn(2, 4, 8, 8), torch.tensor([5, 700]), torch.randn(2, 32, 96)
    with torch.inference_mode():
        adapted, before = generator._pipeline.unet(*inputs).sample, pipeline.unet(*inputs).sample
        pipeline.load_lora_weights(tmp_path, weight_name="adapter.safetensors")
        loaded = pipeline.unet(*inputs).sample
    assert (loaded - before).abs().mean() > 0.01
    torch.testing.assert_close(loaded, adapted, atol=1e-4, rtol=1e-3)


def test_divergence_is_told():
    with pytest.raises(FillbenchError, match=r"--set stable-diffusion-lora\.lr="):
        tiny(train_steps=40, lr=1e30).fit(data(), {2: 3})
