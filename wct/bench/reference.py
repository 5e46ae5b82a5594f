"""The original algorithm, plainly: what the speed of wct is measured against.

Li et al. 2017, "Universal Style Transfer via Feature Transforms", as its public implementations do it: for each level
from relu5_1 to relu1_1 an encoder of its own looks at the content and at the style, the singular value decompositions
run in float64, and a decoder of its own goes back to pixels. Convolutions are in float32, contiguous, and their padding
mirrors. Sizes are multiples of 16.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from wct.models import Model
from wct.models.spec import LEVELS, EncoderSpec, ModelSpec, StageSpec
from wct.models.vgg import VGG19

__all__ = ["Reference", "build_encoder", "layers", "moments", "principal", "whiten_and_color"]

PEAK = 255.0
"""White in the pictures that VGG-19 was trained on: random weights take their features to that scale and back."""
SMALLEST = 1e-5
"""Eigenvalues below this count as zero in the public implementations, whatever the scale of the features."""

Weights = Mapping[str, Tensor]


def layers(level: int, spec: EncoderSpec) -> list[tuple[str, int, int] | None]:
    """The convolutions up to relu{level}_1 as (name, in, out), with None for each pooling between blocks."""
    found: list[tuple[str, int, int] | None] = []
    width = 3
    for block, widths in enumerate(spec.widths[:level], 1):
        for i, out in enumerate(widths[:1] if block == level else widths, 1):
            found.append((f"conv{block}_{i}", width, out))
            width = out
        if block < level:
            found.append(None)
    return found


def random(inputs: int, outputs: int, scale: float = 1.0, bias: float = 0.0) -> nn.Conv2d:
    """A 3x3 convolution with random weights that keep the size of the activations from layer to layer, times scale."""
    conv = nn.Conv2d(inputs, outputs, 3)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    conv.load_state_dict({"weight": conv.weight.detach() * scale, "bias": torch.full((outputs,), bias)})
    return conv


def known(weights: Weights, name: str) -> nn.Conv2d:
    """The convolution with the weights of that name."""
    weight, bias = (weights[f"{name}.{part}"].detach().cpu().contiguous() for part in ("weight", "bias"))
    conv = nn.Conv2d(weight.shape[1], len(weight), weight.shape[2])
    conv.load_state_dict({"weight": weight, "bias": bias})
    return conv


def build_encoder(level: int, spec: EncoderSpec, weights: Weights | None) -> nn.Sequential:
    """RGB (1, 3, H, W) in 0..1 to the features of relu{level}_1, with weights named as our Encoder's or random ones."""
    modules: list[nn.Module] = []
    for layer in layers(level, spec):
        if layer is None:
            modules.append(nn.MaxPool2d(2))
            continue
        name, inputs, outputs = layer
        scale = PEAK if name == "conv1_1" else 1.0
        conv = random(inputs, outputs, scale) if weights is None else known(weights, name)
        modules += [nn.ReflectionPad2d(1), conv, nn.ReLU()]
    if spec.ranks and weights is not None:
        modules.append(known(weights, f"head{level}"))
    return nn.Sequential(*modules)


def build_mirror(level: int, spec: EncoderSpec) -> nn.Sequential:
    """The mirror image of the encoder, without a last ReLU: relu{level}_1 to RGB, from random weights around grey."""
    modules: list[nn.Module] = []
    for layer in reversed(layers(level, spec)):
        if layer is None:
            modules.append(nn.Upsample(scale_factor=2, mode="nearest"))
        else:
            name, outputs, inputs = layer
            conv = random(inputs, outputs, 1 / PEAK, 0.5) if name == "conv1_1" else random(inputs, outputs)
            modules += [nn.ReflectionPad2d(1), conv, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def build_chain(level: int, spec: ModelSpec, weights: Weights) -> nn.Sequential:
    """Our stages `level` to 1 as one plain decoder, with the weights of our Decoder."""
    return nn.Sequential(*(build_stage(k, spec.stages[k - 1], weights) for k in range(level, 0, -1)))


def build_stage(k: int, stage: StageSpec, weights: Weights) -> nn.Module:
    """Stage k of our chain from plain layers."""
    own = f"stages.{k - 1}"
    modules: list[nn.Module] = []
    for i in range(len(stage.low)):
        modules += [nn.ReflectionPad2d(1), known(weights, f"{own}.low.{i}"), nn.ReLU()]
    if k > 1:
        modules.append(nn.Upsample(scale_factor=2, mode="nearest"))
    for i in range(len(stage.high) + 1):
        modules += [nn.ReflectionPad2d(1), known(weights, f"{own}.high.{i}"), nn.ReLU()]
    modules.pop()
    if stage.picture:
        modules += [nn.ReflectionPad2d(1), known(weights, f"{own}.again"), nn.ReLU()]
    made = nn.Sequential(*modules)
    return Refined(made, len(stage.refine), weights, own) if stage.refine else made


class Refined(nn.Module):
    """What a stage makes of features, and then refines."""

    def __init__(self, made: nn.Module, times: int, weights: Weights, own: str) -> None:
        super().__init__()
        self.made, self.given = made, nn.Sequential(nn.ReflectionPad2d(1), known(weights, f"{own}.given"))
        self.refinements = nn.ModuleList()
        for i in range(times):
            look, change = known(weights, f"{own}.look.{i}"), known(weights, f"{own}.change.{i}")
            layers = [nn.ReflectionPad2d(1), look, nn.ReLU(), nn.ReflectionPad2d(1), change]
            self.refinements.append(nn.Sequential(*layers))

    def forward(self, x: Tensor) -> Tensor:
        """Features (1, C, H, W) to RGB (1, 3, H, W)."""
        y: Tensor = self.made(x)
        for part, refinement in zip(self.given(x).split(3, 1), self.refinements, strict=True):
            y = part + refinement(y)
        return y


def moments(features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Of features (1, C, H, W), in float64: what they are without their mean (C, N), the mean, and the covariance."""
    flat = features[0].double().flatten(1)
    mean = flat.mean(1, keepdim=True)
    centred = flat - mean
    return centred, mean, centred @ centred.T / (centred.shape[1] - 1)


def principal(covariance: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvectors (C, R) and eigenvalues (R,) of a covariance, cut at SMALLEST."""
    vectors, values, _ = torch.linalg.svd(covariance)
    kept = values > SMALLEST
    return vectors[:, kept], values[kept]


def whiten_and_color(content: Tensor, style: Tensor) -> Tensor:
    """Content features (1, C, H, W) with the mean and covariance of the style's (equations 2 and 3), in float64."""
    centred, _, covariance = moments(content)
    _, mean, wanted = moments(style)
    e_c, d_c = principal(covariance)
    e_s, d_s = principal(wanted)
    whitened = e_c @ torch.diag(d_c.rsqrt()) @ e_c.T @ centred
    colored = e_s @ torch.diag(d_s.sqrt()) @ e_s.T @ whitened + mean
    return colored.float().reshape(content.shape)


class Reference:
    """Five encoders and five decoders.

    Args:
        weights: of the encoders, named as our Encoder's; None for random ones. The decoders mirror the encoders and are
            random: time and memory do not depend on weights.
        spec: of the encoders; others than VGG-19's are for tests.
    """

    def __init__(self, weights: Weights | None = None, spec: EncoderSpec = VGG19) -> None:
        self.encoders = {k: build_encoder(k, spec, weights).eval() for k in LEVELS}
        self.decoders = {k: build_mirror(k, spec).eval() for k in LEVELS}

    @classmethod
    def of(cls, model: Model) -> Reference:
        """The original algorithm with the encoders and decoders of a model, on the CPU."""
        made = cls.__new__(cls)
        spec, weights = model.card.spec, (model.encoder.state_dict(), model.decoder.state_dict())
        made.encoders = {k: build_encoder(k, spec.encoder, weights[0]).eval() for k in LEVELS}
        made.decoders = {k: build_chain(k, spec, weights[1]).eval() for k in LEVELS}
        return made

    def to(self, device: torch.device) -> Reference:
        """This one, moved to a device."""
        for part in (*self.encoders.values(), *self.decoders.values()):
            part.to(device)
        return self

    def encode(self, picture: Tensor, level: int) -> Tensor:
        """Features of a picture (1, 3, H, W)."""
        features: Tensor = self.encoders[level](picture)
        return features

    def decode(self, features: Tensor, level: int) -> Tensor:
        """A picture (1, 3, H, W) from features."""
        picture: Tensor = self.decoders[level](features)
        return picture.clamp(0, 1)

    @torch.inference_mode()
    def __call__(self, content: Tensor, style: Tensor) -> Tensor:
        """RGB pictures (1, 3, H, W) in 0..1, sides multiples of 16, to the stylised one of the content's size."""
        for level in reversed(LEVELS):
            features = self.encode(content, level)
            content = self.decode(whiten_and_color(features, self.encode(style, level)), level)
        return content
