"""The original VGG-19 (Simonyan & Zisserman 2014, CC BY 4.0): its published layouts, and how its numbers are known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wct.errors import ModelError
from wct.models.spec import EncoderSpec

__all__ = ["REMEDY", "VGG19", "from_torchvision_names", "layer_names", "recognise", "take_rgb", "traits"]

VGG19 = EncoderSpec([[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512]], [])
MEANS_BGR = (103.939, 116.779, 123.68)
"""ImageNet's channel means in the original training (Oxford/Caffe), of 255."""

REMEDY = "run `wct models fetch vgg19`"


def layer_names() -> list[str]:
    """The names of VGG-19's convolutions up to conv5_1: "1_1", "1_2", …"""
    return [f"{block}_{i}" for block, widths in enumerate(VGG19.widths, 1) for i in range(1, len(widths) + 1)]


def from_torchvision_names(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """`features.N.weight` tensors that expect BGR, 0..255, minus the means, as tensors of our Encoder."""
    renamed: dict[str, Tensor] = {}
    index, block = 0, "1"
    for name in layer_names():
        if name[0] != block:
            index, block = index + 1, name[0]
        for part in ("weight", "bias"):
            if f"features.{index}.{part}" not in tensors:
                raise ModelError(f"{where}: tensor 'features.{index}.{part}' is missing; needs VGG-19 up to conv5_1")
            renamed[f"conv{name}.{part}"] = tensors[f"features.{index}.{part}"].float()
        index += 2
    return take_rgb(renamed, where)


def take_rgb(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """The tensors with a conv1_1 for RGB in 0..1 in the place of one for BGR, 0..255, minus the means.

    Flipping conv1_1's input channels, scaling by 255 and moving the means into its bias is exact here
    because our padding mirrors the picture itself: padded pixels are pixels. ModelError where it has another shape.
    """
    weight, bias = tensors["conv1_1.weight"].double(), tensors["conv1_1.bias"].double()
    if weight.shape[1:] != (3, 3, 3) or bias.shape != weight.shape[:1]:
        found = f"{tuple(weight.shape)} and {tuple(bias.shape)}"
        raise ModelError(f"{where}: found a first convolution of {found}, needs one of VGG-19; copy the file again")
    means = torch.tensor(MEANS_BGR, dtype=torch.float64)
    first = {"conv1_1.weight": weight.flip(1) * 255, "conv1_1.bias": bias - weight.sum((2, 3)) @ means}
    return {**tensors, **{name: tensor.float() for name, tensor in first.items()}}


TRAITS: dict[str, tuple[float, float]] = {
    "conv1_1.weight": (48.804, 0.683),
    "conv1_1.bias": (77.358, -0.225),
    "conv1_2.weight": (0.040098, -1.446),
    "conv1_2.bias": (0.30936, -0.573),
    "conv2_1.weight": (0.029992, 0.454),
    "conv2_1.bias": (0.15906, 0.562),
    "conv2_2.weight": (0.022294, 1.258),
    "conv2_2.bias": (0.18118, -0.172),
    "conv3_1.weight": (0.016498, -0.219),
    "conv3_1.bias": (0.066616, 0.238),
    "conv3_2.weight": (0.01109, -2.509),
    "conv3_2.bias": (0.085253, -0.356),
    "conv3_3.weight": (0.01025, -0.196),
    "conv3_3.bias": (0.083745, -0.371),
    "conv3_4.weight": (0.010318, 0.910),
    "conv3_4.bias": (0.05022, 1.735),
    "conv4_1.weight": (0.0081627, 0.497),
    "conv4_1.bias": (0.023623, -0.991),
    "conv4_2.weight": (0.0063463, 2.125),
    "conv4_2.bias": (0.021985, 0.229),
    "conv4_3.weight": (0.0069261, -0.371),
    "conv4_3.bias": (0.028305, -0.620),
    "conv4_4.weight": (0.0075216, -0.461),
    "conv4_4.bias": (0.044576, 1.299),
    "conv5_1.weight": (0.0082117, 0.814),
    "conv5_1.bias": (0.081832, -0.835),
}
"""`traits` of the original training, as tensors of our Encoder."""

SIZE_TOLERANCE, PATTERN_TOLERANCE = 0.03, 0.35
"""Room for weights stored in float16 or 8 bits; patterns of another training differ by about 1.4 in each tensor."""

TORCHVISION = (-0.053474, -0.049257, -0.067942)
"""The first three weights of torchvision's VGG-19 (IMAGENET1K_V1), `features.0.weight[0, 0, 0]`."""


def traits(tensor: Tensor) -> tuple[float, float]:
    """What a tensor is known by: its root mean square, and how it agrees with a fixed pattern of signs and sizes.

    The agreement is a normalised inner product, in standard deviations of what random numbers would give.
    """
    values = tensor.detach().double().flatten()
    pattern = torch.arange(values.numel(), dtype=torch.float64, device=values.device) % 13 - 6
    size = values.norm().item()
    agreement = (values @ pattern).item() / (size * pattern.norm().item() or 1) * values.numel() ** 0.5
    return size / values.numel() ** 0.5, agreement


def recognise(tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise ModelError where these tensors of an Encoder are not those of the original training, with the reason.

    Decoders belong to one encoder: with another training's features they would give wrong pictures.
    """
    differing = [name for name, needed in TRAITS.items() if not _agree(traits(tensors[name]), needed)]
    if differing:
        raise ModelError(f"{where}: is not the original VGG-19: {_reason(tensors, differing)}")


def _agree(found: tuple[float, float], needed: tuple[float, float]) -> bool:
    size, pattern = found[0] / needed[0], found[1] - needed[1]
    return abs(size - 1) <= SIZE_TOLERANCE and abs(pattern) <= PATTERN_TOLERANCE


def _reason(tensors: Mapping[str, Tensor], differing: list[str]) -> str:
    first = tensors["conv1_1.weight"]
    size, needed = traits(first)[0], TRAITS["conv1_1.weight"]
    if torch.allclose(first[0, 2, 0].double() / 255, torch.tensor(TORCHVISION, dtype=torch.float64), atol=1e-4):
        return "torchvision's own training, which expects another input and has other features"
    if _agree(traits(first.flip(1)), needed):
        return "its first convolution expects RGB, needs BGR"
    if _agree((needed[0], traits(first)[1]), needed) and abs(size / needed[0] - 1) > SIZE_TOLERANCE:
        return f"its first convolution is {size / needed[0]:.3g} times as large, for another range than 0..255"
    return f"{len(differing)} of {len(TRAITS)} tensors differ, first {differing[0]}, so this is another training"
