"""timm models, fitted to small images."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ..errors import FillbenchError, did_you_mean

SMALL = 64  # up to the pixels of a square of this side, a ResNet has the stem of CIFAR ResNets


class TrimmedConv2d(nn.Conv2d):
    """A convolution without the taps which only ever meet padding.

    On the last stages of a small image (a 3x3 kernel on 1x1 pixels, say) most taps multiply zeros only. Leaving
    them out changes neither the output nor any other weight's gradient; on 8x8 images a ResNet-18 loses most of its
    weights. Where the kernel covers the image, so that one pixel comes out, it is computed as the matrix product that
    it is, which is faster on a CPU.
    """

    pads: tuple[int, int, int, int]

    def trim(self, size: tuple[int, int]) -> None:
        """Drops the taps that never meet an image of `size` (H, W). In place: the class is set on a plain Conv2d."""
        taps, pads = [], []
        padding: tuple[int, ...] = self.padding  # type: ignore[assignment]  # never a word in timm's models
        for side, kernel, step, pad in zip(size, self.kernel_size, self.stride, padding, strict=True):
            start = (side + 2 * pad - kernel) // step * step  # of the kernel at the last output
            first, end = max(0, pad - start), min(kernel, side + pad)
            taps.append(slice(first, end))
            pads.append((pad - first, max(0, start + end - side - pad)))
        (top, bottom), (left, right) = pads
        self.pads = left, right, top, bottom
        with torch.no_grad():
            self.weight = nn.Parameter(self.weight[:, :, taps[0], taps[1]].clone())
        self.kernel_size, self.padding = tuple(self.weight.shape[2:]), (0, 0)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.groups == 1 and not any(self.pads) and input.shape[2:] == self.weight.shape[2:]:
            return F.linear(input.flatten(1), self.weight.flatten(1), self.bias)[:, :, None, None]
        return super().forward(F.pad(input, self.pads))


def _trim(model: nn.Module, shape: tuple[int, ...]) -> None:
    """Trims the convolutions of `model` to what they meet in images of `shape` (H, W, C)."""
    sizes: dict[nn.Module, tuple[int, int]] = {}

    def look(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
        height, width = inputs[0].shape[2:]
        sizes[module] = height, width

    plain = [
        module
        for module in model.modules()
        if type(module) is nn.Conv2d and module.padding_mode == "zeros" and module.dilation == (1, 1)
    ]
    hooks = [module.register_forward_pre_hook(look) for module in plain]
    height, width, channels = shape
    with torch.inference_mode():
        model.eval()(torch.zeros(1, channels, height, width))
    for hook in hooks:
        hook.remove()
    model.train()
    for conv in plain:
        if min(sizes[conv]) <= max(conv.kernel_size):
            conv.__class__ = TrimmedConv2d
            conv.trim(sizes[conv])  # type: ignore[operator]


class Scaled(nn.Module):
    """Takes uint8 images (N, C, H, W), normalises and, where the model needs it, enlarges them; gives logits."""

    model: Any
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], size: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.model = model
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1) * 255)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1) * 255)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(self._scaled(images))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """What the model's head is given, before pooling: `model.forward_head` makes features or logits of it."""
        return self.model.forward_features(self._scaled(images))

    def sees(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Height and width of what the model is given of images of `shape` (H, W, C)."""
        return self.size or (shape[0], shape[1])

    def _scaled(self, images: torch.Tensor) -> torch.Tensor:
        pixels = (images.float() - self.mean) / self.std
        if self.size:
            pixels = F.interpolate(pixels, self.size, mode="bilinear", align_corners=False)
        return pixels


def build_model(
    name: str,
    classes: int,
    shape: tuple[int, ...],
    pretrained: bool,
    *,
    stem_stride: int = 1,
    weights: bool = True,
) -> Scaled:
    """The timm model `name` for uint8 images of `shape` (H, W, C), with `classes` logits.

    A ResNet trained from scratch on images up to 64x64 px, or as many in another shape, gets a 3x3 stem of stride
    `stem_stride` and no max-pooling; any other model sees the images enlarged to the size it was made for. Weights are
    drawn from torch's global seed; without `weights` a pretrained model is built too, but its weights are not fetched:
    others are going to be loaded.
    Raises FillbenchError for an unknown name, or pretrained weights that cannot be had.
    """
    import timm

    if not timm.is_model(name):
        raise FillbenchError(f"unknown classifier '{name}'; {did_you_mean(name, timm.list_models())}")
    height, width, channels = shape
    try:
        model: Any = timm.create_model(name, pretrained=pretrained and weights, num_classes=classes, in_chans=channels)
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
    small = height * width <= SMALL**2
    if small and not pretrained and isinstance(getattr(model, "maxpool", None), nn.MaxPool2d):
        out = _last_conv(model.conv1).out_channels
        model.conv1 = nn.Conv2d(channels, out, 3, stem_stride, padding=1, bias=False)
        model.maxpool = nn.Identity()
        _trim(model, shape)
        size = None
    else:
        size = _enlarged(height, width, usual) if small or usual.get("fixed_input_size") else None
    return Scaled(model, mean, std, size)


def _enlarged(height: int, width: int, usual: dict[str, Any]) -> tuple[int, int]:
    """The size that a model was made for; in the image's own proportions where the model takes others than squares."""
    side = usual["input_size"][-1]
    if usual.get("fixed_input_size"):
        return side, side
    return round(side * math.sqrt(height / width)), round(side * math.sqrt(width / height))


def _last_conv(stem: nn.Module) -> nn.Conv2d:
    """The convolution whose channels the first stage takes: some ResNets have a stem of three."""
    return [module for module in stem.modules() if isinstance(module, nn.Conv2d)][-1]
