"""The original VGG-19 (Simonyan & Zisserman 2014, CC BY 4.0) from its published layout into our Encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wct.errors import ModelError
from wct.models.encoder import Encoder
from wct.models.spec import EncoderSpec

__all__ = ["VGG19", "from_torchvision_names"]

VGG19 = EncoderSpec([[64] * 2, [128] * 2, [256] * 4, [512] * 4, [512]], [])
MEANS_BGR = (103.939, 116.779, 123.68)
"""ImageNet's channel means in the original training (Oxford/Caffe), of 255."""


def from_torchvision_names(tensors: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """`features.N.weight` tensors that expect BGR, 0..255, minus the means, as tensors of our Encoder.

    Flipping conv1_1's input channels, scaling by 255 and moving the means into its bias is exact here
    because our padding mirrors the picture itself: padded pixels are pixels.
    """
    converted: dict[str, Tensor] = {}
    index, block = 0, "1"
    for name, _ in Encoder(VGG19).layers():
        if name[0] != block:
            index, block = index + 1, name[0]
        for part in ("weight", "bias"):
            if f"features.{index}.{part}" not in tensors:
                raise ModelError(f"{where}: tensor 'features.{index}.{part}' is missing; needs VGG-19 up to conv5_1")
            converted[f"conv{name}.{part}"] = tensors[f"features.{index}.{part}"].float()
        index += 2
    first = converted["conv1_1.weight"].double()
    means = torch.tensor(MEANS_BGR, dtype=torch.float64)
    converted["conv1_1.bias"] = (converted["conv1_1.bias"].double() - first.sum((2, 3)) @ means).float()
    converted["conv1_1.weight"] = (first.flip(1) * 255).float()
    return converted
