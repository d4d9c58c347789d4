from __future__ import annotations

import pytest
import timm
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from fillbench import FillbenchError
from fillbench.classifiers.model import TrimmedConv2d, build_model


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 7), st.integers(1, 3), st.sampled_from([1, 2]), st.data())
def test_leaving_out_taps_that_meet_padding_changes_no_output_and_no_gradient(
    height, width, kernel, stride, groups, data
):
    padding = data.draw(st.integers(0, kernel // 2))
    assume(min(height, width) + 2 * padding >= kernel)
    torch.manual_seed(0)
    plain = nn.Conv2d(2, 4, kernel, stride, padding, groups=groups).double()
    trimmed = nn.Conv2d(2, 4, kernel, stride, padding, groups=groups).double()
    trimmed.load_state_dict(plain.state_dict())
    trimmed.__class__ = TrimmedConv2d
    trimmed.trim((height, width))
    images = torch.randn(3, 2, height, width, dtype=torch.float64)
    outputs = plain(images), trimmed(images)
    torch.testing.assert_close(*outputs)
    for output in outputs:
        output.square().sum().backward()
    torch.testing.assert_close(plain.bias.grad, trimmed.bias.grad)
    assert plain.weight.grad.square().sum() == pytest.approx(trimmed.weight.grad.square().sum().item())


def test_a_resnet_for_tiny_images_is_trimmed_and_computes_what_it_did():
    torch.manual_seed(0)
    model = build_model("resnet18", 10, (8, 8, 1), pretrained=False).eval()
    kernels = {tuple(conv.weight.shape[2:]) for conv in model.model.layer4.modules() if isinstance(conv, nn.Conv2d)}
    assert kernels == {(1, 1), (2, 2)}
    whole = timm.create_model("resnet18", num_classes=10, in_chans=1)
    left, before = (sum(weight.numel() for weight in of.parameters()) for of in (model, whole))
    assert left < before / 2
    assert model(torch.zeros(3, 1, 8, 8, dtype=torch.uint8)).shape == (3, 10)


def test_a_resnet_keeps_the_resolution_of_a_small_image():
    model = build_model("resnet18", 10, (32, 32, 3), pretrained=False).model
    assert model.conv1.stride == (1, 1)
    assert isinstance(model.maxpool, nn.Identity)
    halved = build_model("resnet18", 10, (32, 32, 3), pretrained=False, stem_stride=2)
    assert halved.features(torch.zeros(1, 3, 32, 32)).shape[2:] == (2, 2)
    large = build_model("resnet18", 10, (96, 96, 3), pretrained=False).model
    assert large.conv1.stride == (2, 2)


@pytest.mark.parametrize(
    "name", ["resnet18", "resnet10t", "resnet50_gn", "mobilenetv3_small_050", "vit_tiny_patch16_224"]
)
def test_any_timm_model_takes_small_grey_images(name):
    model = build_model(name, 4, (8, 8, 1), pretrained=False)
    assert model(torch.zeros(2, 1, 8, 8, dtype=torch.uint8)).shape == (2, 4)


def test_a_model_of_one_size_only_takes_large_images_too():
    model = build_model("vit_tiny_patch16_224", 4, (80, 80, 3), pretrained=False)
    assert model(torch.zeros(2, 3, 80, 80, dtype=torch.uint8)).shape == (2, 4)


def test_an_unknown_model_gets_the_nearest_name():
    with pytest.raises(FillbenchError, match="'resnet18'"):
        build_model("resnet81", 4, (8, 8, 1), pretrained=False)


def test_weights_that_cannot_be_had_are_told(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr("timm.create_model", offline)
    with pytest.raises(FillbenchError, match=r"no network.*--pretrained"):
        build_model("resnet18", 4, (8, 8, 1), pretrained=True)


def test_wide_images_keep_their_resolution_and_their_proportions():
    wide = (16, 256, 1)
    assert build_model("resnet10t", 3, wide, pretrained=False).features(torch.zeros(1, 1, 16, 256)).shape[2:] == (2, 32)
    enlarged = build_model("test_efficientnet", 3, wide, pretrained=False)
    height, width = enlarged.sees(wide)
    assert width / height == pytest.approx(16, rel=0.05)
    assert height * width == pytest.approx(enlarged.model.pretrained_cfg["input_size"][-1] ** 2, rel=0.05)
