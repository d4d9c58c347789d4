"""Stable Diffusion: what is asked of the pipeline, what comes out, and what survives a kill."""

from __future__ import annotations

import json
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import create
from fillbench.tests.kills import KilledError, killed_at
from fillbench.tests.pipelines import data, fitted, spied


@pytest.mark.parametrize("shape", [(8, 8, 1), (28, 28, 1), (32, 32, 3), (12, 20, 3), (64, 64, 3)], ids=str)
def test_makes_what_is_asked_for_in_the_size_and_colours_of_the_data(shape):
    images, labels = fitted(
        train=data(shape), steps=1, wanted={1: 2, 2: 3}, model="auto" if shape[2] == 1 else "embedded"
    ).fill({1: 2, 2: 3})
    assert images.shape == (5, *shape)
    assert images.dtype == np.uint8
    assert labels.tolist() == [1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        ("sd", {"scheduler": "DPMSolverMultistepScheduler", "steps": 20, "guidance": 7.5, "resolution": [16, 16]}),
        ("xl", {"scheduler": "DPMSolverMultistepScheduler", "steps": 20, "guidance": 5.0}),
        ("turbo", {"scheduler": "EulerDiscreteScheduler", "steps": 4, "guidance": 0.0}),
        ("lcm", {"scheduler": "LCMScheduler", "steps": 4, "guidance": 8.0}),
    ],
)
def test_every_family_loads_and_gets_sensible_steps_and_guidance_by_itself(models, kind, facts):
    generator = fitted(models(kind), steps=None)
    assert generator.sample(2, 3).shape == (3, 8, 8, 1)
    assert facts.items() <= generator.facts.items()
    calls = spied(generator)
    generator.sample(2, 1)
    assert calls[0]["num_inference_steps"] == facts["steps"]
    assert calls[0]["guidance_scale"] == facts["guidance"]


@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("ddim", "DDIMScheduler"),
        ("euler", "EulerDiscreteScheduler"),
        ("unipc", "UniPCMultistepScheduler"),
        ("lcm", "LCMScheduler"),
        ("dpm++", "DPMSolverMultistepScheduler"),
        ("own", "DDIMScheduler"),
    ],
)
def test_every_value_can_be_set(models, name, scheduler):
    generator = fitted(models("sd"), scheduler=name, steps=3, guidance=2.5, resolution=24, negative_prompt="blurred")
    assert {
        "scheduler": scheduler,
        "steps": 3,
        "guidance": 2.5,
        "resolution": [24, 24],
    }.items() <= generator.facts.items()
    assert generator.sample(2, 2).shape == (2, 8, 8, 1)


def test_a_negative_prompt_changes_the_image(models):
    plain, other = (fitted(models("sd"), negative_prompt=text).sample(2, 2) for text in ("", "blurred"))
    assert (plain != other).any()


def test_same_seed_same_images_whatever_the_batch_size():
    first, again, small, other = (
        fitted(seed=seed, batch_size=size).sample(2, 5) for seed, size in ((0, 4), (0, 4), (0, 2), (1, 4))
    )
    np.testing.assert_array_equal(first, again)
    # Only the last bits of sums may differ with the batch.
    assert np.abs(first.astype(int) - small).mean() < 3
    assert np.abs(first.astype(int) - other).mean() > 10


def test_each_distinct_prompt_is_encoded_once(tmp_path):
    path = tmp_path / "prompts.yaml"
    path.write_text("templates: ['{how} {name}']\nwords: {how: [thin, fat]}")
    generator = fitted(prompt=str(path))
    seen = []
    original = generator._pipeline.encode_prompt

    def spy(prompts, *arguments, **keywords):
        seen.append(prompts)
        return original(prompts, *arguments, **keywords)

    generator._pipeline.encode_prompt = spy
    generator.sample(2, 9)
    # The pipeline asks again, batch by batch, but with what it was given, and without a text.
    assert [prompts for prompts in seen if prompts] == [["fat 2", "thin 2"]]


def test_the_prompt_of_every_image_is_stored_in_the_images_order(tmp_path):
    generator = fitted(wanted={1: 2, 2: 3})
    generator.sample(2, 3)
    generator.sample(1, 2)
    generator.save(tmp_path)
    assert json.loads((tmp_path / "prompts.json").read_text()) == ["a digit 1"] * 2 + ["a digit 2"] * 3


def test_image_to_image_starts_from_kept_images_of_the_class(models):
    train = data()
    generator = fitted(models("sd"), mode="image-to-image", strength=0.5, steps=4, train=train)
    calls = spied(generator)
    generator.sample(2, 5)
    assert {call["strength"] for call in calls} == {0.5}
    started = torch.cat([call["image"] for call in calls])
    assert started.shape == (5, 3, 16, 16)
    of_class = train.x[train.labels == 2][..., 0] / 255
    for image in started[:, 0].numpy().reshape(5, 8, 2, 8, 2).mean((2, 4)):
        assert np.abs(of_class - image).mean((1, 2)).min() < 0.05


def test_a_low_strength_stays_nearer_to_the_kept_images():
    train = data()
    means = [
        fitted(mode="image-to-image", strength=strength, steps=20, train=train).sample(2, 8).mean()
        for strength in (0.1, 1.0)
    ]
    kept = train.x[train.labels == 2].mean()
    assert abs(means[0] - kept) < abs(means[1] - kept)


def test_image_to_image_needs_an_image():
    with pytest.raises(CannotFill, match="no images to start from in class 1"):
        fitted(mode="image-to-image", train=data(counts=(5, 0, 5)), wanted={1: 3})


def test_a_killed_job_goes_on_from_its_last_whole_part_with_the_same_images(tmp_path):
    whole = fitted(wanted={2: 11}).sample(2, 11)
    broken = fitted(wanted={2: 11}, workdir=tmp_path)
    broken.progress = killed_at(8)
    with pytest.raises(KilledError):
        broken.sample(2, 11)
    with (tmp_path / "images-2.npy").open("ab") as file:
        file.write(b"half an image")
    resumed = fitted(wanted={2: 11}, workdir=tmp_path)
    calls = spied(resumed)
    np.testing.assert_array_equal(resumed.sample(2, 11), whole)
    assert [len(call["generator"]) for call in calls] == [3], "what was there was not made again"
    np.testing.assert_array_equal(np.load(tmp_path / "images-2.npy"), whole)


def answer_with(refused):
    """A pipeline that makes grey images and refuses those that `refused` picks, call by call."""
    calls = iter(refused)

    def answer(keywords):
        count = len(keywords["generator"])
        brightness = torch.linspace(0, 1, count)[:, None, None, None]
        return SimpleNamespace(images=brightness.expand(count, 3, 16, 16), nsfw_content_detected=next(calls)[:count])

    return answer


def test_images_that_a_safety_checker_refuses_are_drawn_again_and_counted(models):
    generator = fitted(models("checked"), batch_size=3, wanted={2: 3})
    calls = spied(generator, answer_with([[False, True, True], [True, False], [False]]))
    images = generator.sample(2, 3)
    assert [len(call["generator"]) for call in calls] == [3, 2, 1]
    seeds = [source.initial_seed() for call in calls for source in call["generator"]]
    assert len(set(seeds)) == 6, "with other noise"
    assert images[..., 0].mean((1, 2)).tolist() == [0, 0, 255]
    assert generator.facts["refused_by_safety_checker"] == 3


def test_a_prompt_that_is_always_refused_ends_with_a_reason():
    generator = fitted()
    spied(generator, answer_with([[True] * 4] * 100))
    with pytest.raises(CannotFill, match=r"refused 'a digit 2' 10 times.*safety_checker=false"):
        generator.sample(2, 4)


def test_the_refusals_before_a_kill_count_too(models, tmp_path):
    first = fitted(models("checked"), batch_size=2, workdir=tmp_path, wanted={2: 4})
    spied(first, answer_with([[False, True], [False]]))
    first.progress = killed_at(2)
    with pytest.raises(KilledError):
        first.sample(2, 4)
    second = fitted(models("checked"), batch_size=2, workdir=tmp_path, wanted={2: 4})
    spied(second, answer_with([[True, False], [False]]))
    second.sample(2, 4)
    assert second.facts["refused_by_safety_checker"] == 2


def test_a_real_safety_checker_is_asked(models):
    generator = fitted(models("checked"), steps=1)
    checker = generator._pipeline.safety_checker.requires_grad_(False)
    checker.concept_embeds_weights.fill_(2)  # no image is so much alike to anything
    assert generator.sample(2, 4).shape == (4, 8, 8, 1)
    assert generator.facts["refused_by_safety_checker"] == 0
    checker.concept_embeds_weights.fill_(-2)  # every image is
    with pytest.raises(CannotFill, match="refused 'a digit 2' 10 times"):
        generator.sample(2, 5)


def out_of_memory_above(limit):
    def answer(keywords):
        count = len(keywords["generator"])
        if count > limit:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        images = torch.rand(count, 3, 16, 16, generator=torch.Generator().manual_seed(0))
        return SimpleNamespace(images=images, nsfw_content_detected=None)

    return answer


def test_a_batch_that_does_not_fit_is_halved_until_it_does():
    generator = fitted(batch_size=8, wanted={2: 10})
    calls = spied(generator, out_of_memory_above(2))
    assert len(generator.sample(2, 10)) == 10
    assert [len(call["generator"]) for call in calls] == [8, 4, 2, 2, 2, 2, 2]


def test_too_little_memory_for_one_image():
    generator = fitted()
    spied(generator, out_of_memory_above(0))
    with pytest.raises(FillbenchError, match="too little memory for one image of 32x32; lower its resolution"):
        generator.sample(2, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resolution": 30}, "takes multiples of 4, such as 28 or 32"),
        ({"strength": 1.5}, "strength = 1.5 will not do"),
        ({"strength": 0}, "strength = 0 will not do"),
        ({"mode": "image-to-image", "strength": 0.1, "steps": 3}, "leaves none; set a strength of 0.34 or more"),
        ({"mode": "image-to-image", "strength": 0.1, "steps": 5}, "leaves none; set a strength of 0.2 or more"),
        ({"scheduler": "dpm"}, "scheduler = 'dpm' will not do"),
        ({"steps": 0}, "steps = 0 will not do"),
        ({"prompt": "a {nmae}"}, "did you mean 'name'"),
    ],
)
def test_settings_that_will_not_do_are_told(settings, message):
    with pytest.raises(FillbenchError) as caught:
        fitted(**settings)
    assert message in str(caught.value)


def test_a_very_long_prompt_is_a_prompt():
    assert fitted(prompt="a digit {name}, " + "very " * 100 + "small").sample(2, 1).shape == (1, 8, 8, 1)


def test_the_key_changes_with_the_configuration_of_a_single_file(tmp_path):
    keys = set()
    for text in ("{}", "{ }"):
        (tmp_path / "model_index.json").write_text(text)
        keys.add(create("stable-diffusion", config=str(tmp_path), model="embedded").inputs())
    assert len(keys) == 2


def test_proportions_of_the_data_are_kept():
    generator = fitted(train=data((16, 64, 1)))
    height, width = generator.facts["resolution"]
    assert width / height == pytest.approx(4, rel=0.3)
    assert height * width == pytest.approx(32 * 32, rel=0.3)


def test_nothing_is_said_on_the_side(capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        fitted().sample(2, 2)
    assert capfd.readouterr() == ("", "")
