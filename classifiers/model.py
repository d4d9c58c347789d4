"""timm models, fitted to small images."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import FillbenchError, did_you_mean

SMALL = 64  # up to this side, a ResNet's stem keeps the resolution, as CIFAR ResNets do


class TrimmedConv2d(nn.Conv2d):
    """A convolution that leaves out the taps which only ever meet padding.

    On the last stages of a small image (a 3x3 kernel on 1x1 pixels, say) most taps multiply zeros only. Leaving
    them out changes neither the output nor any gradient; on 8x8 images a ResNet-18 trains a fifth faster.
    """

    def _conv_forward(self, input: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        taps, padding = [], []
        pads: tuple[int, ...] = self.padding  # type: ignore[assignment]  # numbers in all of timm's models
        for size, kernel, step, pad in zip(input.shape[2:], weight.shape[2:], self.stride, pads, strict=True):
            start = (size + 2 * pad - kernel) // step * step  # of the kernel at the last output
            first, end = max(0, pad - start), min(kernel, size + pad)
            taps.append(slice(first, end))
            padding.append((pad - first, max(0, start + end - size - pad)))
        if all(tap == slice(0, kernel) for tap, kernel in zip(taps, weight.shape[2:], strict=True)):
            return super()._conv_forward(input, weight, bias)
        (top, bottom), (left, right) = padding
        padded = F.pad(input, (left, right, top, bottom))
        return F.conv2d(padded, weight[:, :, taps[0], taps[1]], bias, self.stride, 0, self.dilation, self.groups)


class Scaled(nn.Module):
    """Takes uint8 images (N, C, H, W), normalises and, where the model needs it, enlarges them; gives logits."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], side: int | None) -> None:
        super().__init__()
        self.model = model
        self.side = side
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1) * 255)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        pixels = (images.float() - self.mean) / self.std
        if self.side:
            pixels = F.interpolate(pixels, (self.side, self.side), mode="bilinear", align_corners=False)
        return self.model(pixels)


def build_model(name: str, classes: int, shape: tuple[int, int, int], pretrained: bool) -> nn.Module:
    """The timm model `name` for uint8 images of `shape` (H, W, C), with `classes` logits.

    A ResNet trained from scratch on images up to 64 px gets a 3x3 stem of stride 1 and no max-pooling; any other
    model sees the images enlarged to the size it was made for. Weights are drawn from torch's global seed.
    Raises FillbenchError for an unknown name, or pretrained weights that cannot be had.
    """
    import timm

    if not timm.is_model(name):
        raise FillbenchError(f"unknown classifier '{name}'; {did_you_mean(name, timm.list_models())}")
    height, width, channels = shape
    try:
        model: Any = timm.create_model(name, pretrained=pretrained, num_classes=classes, in_chans=channels)
    except Exception as error:  # timm, its hub client and the network each raise their own
        if not pretrained:
            raise
        raise FillbenchError(
            f"the pretrained weights of '{name}' could not be had ({str(error).splitlines()[0]}); "
            "leave --pretrained out to train from scratch"
        ) from None
    usual = model.pretrained_cfg
    if pretrained:
        mean, std = (tuple(usual[key]) for key in ("mean", "std"))
        if channels == 1:
            mean, std = mean[:1], std[:1]
    else:
        mean = std = (0.5,) * channels
    small = max(height, width) <= SMALL
    if small and not pretrained and isinstance(getattr(model, "maxpool", None), nn.MaxPool2d):
        out = _last_conv(model.conv1).out_channels
        model.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        model.maxpool = nn.Identity()
        for module in model.modules():
            if type(module) is nn.Conv2d and module.padding_mode == "zeros" and module.dilation == (1, 1):
                module.__class__ = TrimmedConv2d
        side = None
    else:
        side = usual["input_size"][-1] if small or usual.get("fixed_input_size") else None
    return Scaled(model, mean, std, side)


def _last_conv(stem: nn.Module) -> nn.Conv2d:
    """The convolution whose channels the first stage takes: some ResNets have a stem of three."""
    return [module for module in stem.modules() if isinstance(module, nn.Conv2d)][-1]
