"""The original algorithm, plainly: what the speed of wct is measured against.

Li et al. 2017, "Universal Style Transfer via Feature Transforms", as its public implementations do it: for each level
from relu5_1 to relu1_1 a VGG-19 encoder of its own looks at the content and at the style, the singular value
decompositions run in float64, and a decoder of its own goes back to pixels. Sizes are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

CONVOLUTIONS = (2, 2, 4, 4, 1)
VGG_WIDTHS = (64, 128, 256, 512, 512)
PEAK = 255.0
"""White in the pictures that VGG-19 was trained on: random weights take their features to that scale and back."""
SMALLEST = 1e-5
"""Eigenvalues below this count as zero in the public implementations, whatever the scale of the features."""


def layers(level: int, widths: Sequence[int]) -> list[tuple[str, int, int] | None]:
    """The convolutions up to relu{level}_1 as (name, in, out), with None for each pooling between blocks."""
    found: list[tuple[str, int, int] | None] = []
    width = 3
    for block in range(1, level + 1):
        for i in range(1, (CONVOLUTIONS[block - 1] if block < level else 1) + 1):
            found.append((f"conv{block}_{i}", width, widths[block - 1]))
            width = widths[block - 1]
        if block < level:
            found.append(None)
    return found


def convolution(inputs: int, outputs: int, scale: float = 1.0, bias: float = 0.0) -> nn.Conv2d:
    """A 3x3 convolution with random weights that keep the size of the activations from layer to layer, times scale."""
    conv = nn.Conv2d(inputs, outputs, 3)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    conv.load_state_dict({"weight": conv.weight.detach() * scale, "bias": torch.full((outputs,), bias)})
    return conv


def build_encoder(level: int, widths: Sequence[int], weights: Mapping[str, Tensor] | None) -> nn.Sequential:
    """RGB (1, 3, H, W) in 0..1 to relu{level}_1, with weights named conv1_1.weight … or random ones."""
    modules: list[nn.Module] = []
    for layer in layers(level, widths):
        if layer is None:
            modules.append(nn.MaxPool2d(2))
            continue
        name, inputs, outputs = layer
        conv = convolution(inputs, outputs, PEAK if name == "conv1_1" else 1.0)
        if weights is not None:
            conv.load_state_dict({part: weights[f"{name}.{part}"] for part in ("weight", "bias")})
        modules += [nn.ReflectionPad2d(1), conv, nn.ReLU()]
    return nn.Sequential(*modules)


def build_decoder(level: int, widths: Sequence[int]) -> nn.Sequential:
    """The mirror image of the encoder, without a last ReLU: relu{level}_1 to RGB, from random weights around grey."""
    modules: list[nn.Module] = []
    for layer in reversed(layers(level, widths)):
        if layer is None:
            modules.append(nn.Upsample(scale_factor=2, mode="nearest"))
        else:
            name, outputs, inputs = layer
            conv = convolution(inputs, outputs, 1 / PEAK, 0.5) if name == "conv1_1" else convolution(inputs, outputs)
            modules += [nn.ReflectionPad2d(1), conv, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def whiten_and_color(content: Tensor, style: Tensor) -> Tensor:
    """Content features (1, C, H, W) with the mean and covariance of the style's (equations 2 and 3), in float64."""
    c, s = content[0].double().flatten(1), style[0].double().flatten(1)
    content_mean, style_mean = c.mean(1, keepdim=True), s.mean(1, keepdim=True)
    centred = c - content_mean
    e_c, d_c = principal(centred)
    whitened = e_c @ torch.diag(d_c.rsqrt()) @ e_c.T @ centred
    e_s, d_s = principal(s - style_mean)
    colored = e_s @ torch.diag(d_s.sqrt()) @ e_s.T @ whitened + style_mean
    return colored.float().reshape(content.shape)


def principal(centred: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors (C, R) and eigenvalues (R,) of the covariance of centred features (C, N), cut at SMALLEST."""
    covariance = centred @ centred.T / (centred.shape[1] - 1)
    vectors, values, _ = torch.linalg.svd(covariance)
    kept = values > SMALLEST
    return vectors[:, kept], values[kept]


class Reference:
    """Five encoders and five decoders; widths other than VGG-19's are for tests."""

    def __init__(self, weights: Mapping[str, Tensor] | None = None, widths: Sequence[int] = VGG_WIDTHS) -> None:
        levels = range(1, len(widths) + 1)
        self.encoders = {k: build_encoder(k, widths, weights).eval() for k in levels}
        self.decoders = {k: build_decoder(k, widths).eval() for k in levels}

    @torch.inference_mode()
    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        """RGB pictures (1, 3, H, W) in 0..1, sides multiples of 16, to the stylised one of the content's size."""
        for level in reversed(self.encoders):
            encode, decode = self.encoders[level], self.decoders[level]
            content = decode(whiten_and_color(encode(content), encode(style))).clamp(0, 1)
        return content
