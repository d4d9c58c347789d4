"""In which precision Stable Diffusion draws, and what it does where that gives no numbers."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline

from fillbench import compute
from fillbench.errors import FillbenchError
from fillbench.generators import create, stable_diffusion
from fillbench.tests.pipelines import data, fitted, spied


def test_values_that_are_no_numbers_never_become_black_images():
    nan = torch.full((1, 3, 16, 16), torch.nan)
    for precision, message in (
        ("bfloat16", r"no numbers, in bfloat16; --set stable-diffusion\.precision=float32"),
        ("auto", "no numbers, in float32 too; try another scheduler"),
    ):
        generator = fitted(precision=precision)
        spied(generator, lambda _: SimpleNamespace(images=nan, nsfw_content_detected=None))
        with pytest.raises(FillbenchError, match=message):
            generator.sample(2, 1)


def overflowing_in(dtypes):
    """An autocast that stands for a processor whose arithmetic of these types gives no numbers."""

    class Pipeline(StableDiffusionPipeline):
        def __call__(self, **keywords):
            output = super().__call__(**keywords)
            inside = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else self.unet.dtype
            if inside in dtypes:
                output.images[:] = torch.nan
            return output

    return Pipeline


@pytest.fixture
def fast(monkeypatch):
    """This CPU stands for one that is built for bfloat16."""
    monkeypatch.setattr(compute, "native_bfloat16", lambda device: True)


def test_a_cpu_that_is_built_for_bfloat16_uses_it_where_it_computes_what_float32_does(models, fast, monkeypatch):
    assert fitted(models("sd")).facts["precision"] == "bfloat16"
    plain = fitted(models("sd"), precision="float32")
    load = stable_diffusion.load_pipeline

    def broken(*arguments):
        pipeline = load(*arguments)
        pipeline.__class__ = overflowing_in({torch.bfloat16})
        return pipeline

    monkeypatch.setattr(stable_diffusion, "load_pipeline", broken)
    generator = fitted(models("sd"))
    assert generator.facts["precision"] == "float32"
    np.testing.assert_array_equal(generator.sample(2, 3), plain.sample(2, 3))


def test_weights_that_overflow_in_half_precision_are_loaded_again_in_float32(models, monkeypatch):
    plain = fitted(models("sd"), precision="float32")
    load = stable_diffusion.load_pipeline
    loaded = []

    def broken(model, config, checker, dtype, device):
        loaded.append(dtype)
        pipeline = load(model, config, checker, dtype, device)
        pipeline.__class__ = overflowing_in({torch.bfloat16})
        return pipeline

    monkeypatch.setattr(stable_diffusion, "load_pipeline", broken)
    half = {"auto": torch.bfloat16}  # as on a GPU
    monkeypatch.setattr(stable_diffusion.StableDiffusion, "_weights_type", lambda self: half[self.config.precision])
    generator = fitted(models("sd"))
    assert loaded == [torch.bfloat16, torch.float32]
    assert generator.facts["precision"] == "float32"
    np.testing.assert_array_equal(generator.sample(2, 3), plain.sample(2, 3))


def test_images_that_overflow_in_half_precision_are_drawn_again_in_float32(models, monkeypatch):
    half = {"auto": torch.bfloat16, "float32": torch.float32}
    monkeypatch.setattr(stable_diffusion.StableDiffusion, "_weights_type", lambda self: half[self.config.precision])
    generator, plain = fitted(models("sd")), fitted(models("sd"), precision="float32")
    generator._pipeline.__class__ = overflowing_in({torch.bfloat16})
    made = generator.sample(2, 5)
    assert np.abs(made.astype(int) - plain.sample(2, 5)).mean() < 8, "but for weights that were rounded"
    assert generator.facts["precision"] == "bfloat16, and float32 where that overflows"
    np.testing.assert_array_equal(generator.sample(2, 5), made)


@pytest.mark.slow
def test_compiling_the_unet_changes_no_more_than_rounding():
    plain, compiled = (fitted(compile=flag, precision="float32").sample(2, 2) for flag in (False, True))
    assert np.abs(plain.astype(int) - compiled).max() <= 2


def test_what_images_are_made_from_is_the_same_in_every_precision():
    begun = {}
    for precision in ("float32", "float16"):
        generator = fitted(precision=precision)
        calls = spied(generator)
        generator.sample(2, 4)
        begun[precision] = calls[0]["latents"]
    assert torch.equal(begun["float32"].half(), begun["float16"])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_half_precision_on_a_gpu_gives_about_the_same_images():
    on_cpu = fitted(precision="float32").sample(2, 4)
    generator = create("stable-diffusion", random_state=0, device="cuda", steps=2, batch_size=4).fit(data(), {2: 4})
    assert generator._pipeline.unet.dtype == torch.float16
    assert np.abs(on_cpu.astype(int) - generator.sample(2, 4)).mean() < 8
