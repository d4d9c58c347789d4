"""The GANs: shapes, repeatability, resuming, and what each of them promises."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import nn

from fillbench.datasets.base import DataSet
from fillbench.datasets.images import toy
from fillbench.errors import CannotFill, FillbenchError
from fillbench.generators import adversarial, checkpoint, create, load
from fillbench.generators.diffaugment import colour, cutout, diffaugment, translate
from fillbench.generators.encoders.images import ImageEncoder
from fillbench.generators.networks import (
    ConvDiscriminator,
    ConvGenerator,
    DenseDiscriminator,
    DenseGenerator,
    doublings,
)
from fillbench.tests.kills import KilledError, killed_at

NAMES = ["gan", "dcgan", "cgan", "wgan-gp", "smote-gan"]
SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (12, 20, 3)]


def tiny(name, seed=0, workdir=None, **settings):
    generator = create(name, random_state=seed, device="cpu", **{"steps": 3, "batch_size": 4, **settings})
    generator.workdir = workdir
    return generator


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_makes_exactly_what_is_asked_for(name, shape):
    generator = tiny(name, steps=1).fit(toy(shape), {2: 7, 1: 3})
    images, labels = generator.fill({2: 7, 1: 3})
    assert images.shape == (10, *shape)
    assert images.dtype == np.uint8
    assert labels.tolist() == [1] * 3 + [2] * 7


def test_more_samples_than_one_batch(monkeypatch):
    monkeypatch.setattr(adversarial, "SAMPLE_BATCH", 4)
    assert len(tiny("gan").fit(toy(), {2: 10}).sample(2, 10)) == 10


@pytest.mark.parametrize(("side", "base"), [(4, 4), (7, 4), (8, 4), (12, 6), (28, 4), (32, 4), (33, 5), (64, 4)])
def test_smallest_map_has_a_side_of_four_or_more(side, base):
    assert -(-side // 2 ** doublings(side, side + 5)) == base


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 33, 21), (3, 64, 64)], ids=str)
@pytest.mark.parametrize("classes", [0, 4])
def test_networks_fit_any_image(shape, classes):
    inputs, labels = torch.randn(2, 6), torch.tensor([0, 3])
    images = ConvGenerator(6, shape, classes)(inputs, labels)
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    assert ConvDiscriminator(shape, classes, batch_norm=True)(images, labels).shape == (2,)
    images = DenseGenerator(6, shape)(inputs, labels)
    assert images.shape == (2, *shape)
    assert DenseDiscriminator(shape)(images, labels).shape == (2,)


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_images(name):
    first, again, other = (tiny(name, seed).fit(toy(), {2: 5}).sample(2, 5) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_logged(name):
    generator = tiny(name, steps=60).fit(toy(), {1: 1, 2: 1})
    models = 1 if name == "cgan" else 2
    assert models * 50 <= len(generator.history) <= models * 100
    assert all(np.isfinite([line["generator_loss"], line["discriminator_loss"]]).all() for line in generator.history)
    assert generator.history[-1]["step"] == 60
    labels = {line.get("label") for line in generator.history}
    assert labels == ({None} if name == "cgan" else {1, 2})


@pytest.mark.parametrize("name", NAMES)
def test_progress_counts_all_models(name):
    calls = []
    generator = tiny(name, steps=25)
    generator.progress = lambda done, total: calls.append((done, total))
    generator.fit(toy(), {1: 1, 2: 1})
    one = [20, 25]
    two = [20, 25, 45, 50]
    assert calls == ([(n, 25) for n in one] if name == "cgan" else [(n, 50) for n in two])


@pytest.mark.parametrize("at", [20, 40])  # in the first class's model, in the second's
@pytest.mark.parametrize("name", NAMES)
def test_an_interrupted_fit_goes_on_where_it_was(name, at, tmp_path, monkeypatch):
    settings = {"steps": 48 if name == "cgan" else 24}
    wanted = {1: 4, 2: 4}
    whole = tiny(name, **settings).fit(toy(), wanted)
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    broken = tiny(name, workdir=tmp_path / "work", **settings)
    broken.progress = killed_at(at)
    with pytest.raises(KilledError):
        broken.fit(toy(), wanted)
    seen = []
    resumed = tiny(name, workdir=tmp_path / "work", **settings)
    resumed.progress = lambda done, total: seen.append(done)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        resumed.fit(toy(), wanted)
    assert min(seen) > at  # it did not start over
    assert resumed.history == whole.history
    for label in wanted:
        np.testing.assert_array_equal(resumed.sample(label, 4), whole.sample(label, 4))


def test_a_model_that_is_finished_is_not_trained_again(tmp_path):
    wanted = {1: 4, 2: 4}
    whole = tiny("gan", workdir=tmp_path).fit(toy(), wanted)
    again = tiny("gan", workdir=tmp_path)
    steps: list[int] = []
    again.progress = lambda done, total: steps.append(done)
    again.fit(toy(), wanted)
    assert not steps
    assert again.history == whole.history
    np.testing.assert_array_equal(again.sample(2, 4), whole.sample(2, 4))


@pytest.mark.parametrize("harm", ["cut", "flip", "other"])
def test_an_unusable_checkpoint_is_ignored_with_a_warning(harm, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    whole = tiny("gan").fit(toy(), {2: 4})
    tiny("gan", seed=1 if harm == "other" else 0, workdir=tmp_path).fit(toy(), {2: 4})
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    if harm == "cut":
        content = content[: len(content) // 2]
    elif harm == "flip":
        content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match="starts over"):
        again = tiny("gan", workdir=tmp_path).fit(toy(), {2: 4})
    np.testing.assert_array_equal(again.sample(2, 4), whole.sample(2, 4))


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "SECONDS", 0)
    monkeypatch.setattr("fillbench.disk.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tiny("gan", workdir=tmp_path).fit(toy(), {2: 4})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["gan", "dcgan", "wgan-gp", "smote-gan"])
def test_a_model_of_one_class_never_sees_the_others(name):
    train = toy()
    changed = DataSet(train.x.copy(), train.labels, train.class_names, train.traits)
    changed.images[train.labels != 2] = 255
    first, second = (tiny(name).fit(data, {2: 4}).sample(2, 4) for data in (train, changed))
    np.testing.assert_array_equal(first, second)


def test_cgan_learns_from_all_classes_and_sees_each_equally_often():
    train = toy(counts=(300, 0, 5))
    generator = tiny("cgan").fit(train, [2])
    (part,) = generator._parts(train, (2,))
    assert part.labels == (0, 2)
    torch.manual_seed(0)
    images, labels = part.draw(2000)
    assert 0.45 < (labels == 2).float().mean() < 0.55
    of_two = ImageEncoder().encode(train.of_class(2), torch.device("cpu"))
    assert {i.numpy().tobytes() for i in images[labels == 2]} == {i.numpy().tobytes() for i in of_two}


@pytest.mark.parametrize("name", NAMES)
def test_five_images_do_not_collapse(name):
    images = tiny(name, steps=60, batch_size=16).fit(toy(), {2: 30}).sample(2, 30)
    assert len(np.unique(images, axis=0)) >= 20


def test_cannot_learn_a_class_without_images():
    for name in NAMES:
        with pytest.raises(CannotFill, match="class 1"):
            tiny(name).fit(toy(counts=(5, 0, 5)), {1: 3})


def test_asking_for_a_class_that_was_not_learned():
    with pytest.raises(FillbenchError, match="class 1"):
        tiny("gan").fit(toy(), {2: 3}).sample(1, 3)


def test_divergence_is_told():
    with pytest.raises(FillbenchError, match=r"--set gan\.lr="):
        tiny("gan", steps=300, lr=1e30).fit(toy(), {2: 3})


def test_settings_are_checked():
    assert create("dcgan", steps="500", random_state=0, device="cpu").config.steps == 500
    assert create("gan", diffaugment="false").config.diffaugment is False
    with pytest.raises(FillbenchError, match="steps = -1"):
        create("dcgan", steps=-1)
    with pytest.raises(FillbenchError, match="latent_dim"):
        create("smote-gan", latent_dim=3)


def test_the_critic_of_wgan_gp_has_no_batch_norm():
    _, critic = tiny("wgan-gp", steps=1).fit(toy(), {2: 3})._networks((3, 32, 32), 3)
    assert not any(isinstance(module, nn.modules.batchnorm._NormBase) for module in critic.modules())
    assert load("wgan-gp").Config().critic_steps > 1


def test_the_gradient_penalty_is_zero_for_a_slope_of_one():
    class Slope(nn.Module):
        def forward(self, images, labels):
            return images.flatten(1)[:, 0]

    real, fake = torch.rand(2, 5, 1, 4, 4)
    loss = tiny("wgan-gp", gradient_penalty=1e6)._discriminator_loss(Slope(), real, fake, torch.zeros(5))
    torch.testing.assert_close(loss, fake[:, 0, 0, 0].mean() - real[:, 0, 0, 0].mean())


def test_smote_gan_starts_from_points_between_scaled_neighbours():
    train = toy()
    generator = tiny("smote-gan").fit(train, {2: 3})
    scaled = ImageEncoder().encode(train.of_class(2), torch.device("cpu")).flatten(1)
    inputs = generator._inputs(2, 500)
    assert (inputs >= scaled.amin(0)).all()
    assert (inputs <= scaled.amax(0)).all()
    # Each lies on the line between two different real ones: the distances to its ends add up.
    to_real = torch.cdist(inputs.double(), scaled.double(), compute_mode="donot_use_mm_for_euclid_dist")
    apart = torch.cdist(scaled.double(), scaled.double()) + torch.eye(len(scaled)) * 1e9
    detour = (to_real[:, :, None] + to_real[:, None, :] - apart).abs().amin((1, 2))
    assert detour.max() < 1e-3


def test_smote_gan_needs_two_images():
    with pytest.raises(CannotFill, match="1 image; smote-gan goes between at least 2"):
        tiny("smote-gan").fit(toy(counts=(5, 1)), {1: 3})
    assert len(tiny("smote-gan").fit(toy(counts=(5, 2)), {1: 3}).sample(1, 3)) == 3


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 20)], ids=str)
@pytest.mark.parametrize("change", [colour, translate, cutout, diffaugment])
def test_diffaugment_is_differentiable(change, shape):
    torch.manual_seed(0)
    images = torch.rand(64, *shape, requires_grad=True)
    changed = change(images)
    assert changed.shape == images.shape
    assert (changed != images).any()
    changed.square().sum().backward()
    assert images.grad is not None
    assert images.grad.isfinite().all()
    assert (images.grad.flatten(1) != 0).any(1).all()


def test_translation_moves_whole_images():
    torch.manual_seed(0)
    images = torch.zeros(200, 1, 8, 8)
    images[:, :, 4, 4] = 1
    rows, columns = (
        translate(images)[:, 0].flatten(1).argmax(1) // 8,
        translate(images)[:, 0].flatten(1).argmax(1) % 8,
    )
    assert set(rows.tolist()) == {3, 4, 5}
    assert set(columns.tolist()) == {3, 4, 5}
