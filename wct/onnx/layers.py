"""Encoder and decoders of a model as parts of an ONNX graph: what `wct.models` does, for any size of picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import nn

from wct.models import Model
from wct.models.decoder import Stage
from wct.models.spec import LEVELS
from wct.onnx.graph import Graph
from wct.onnx.libraries import onnx

__all__ = ["Layers", "padded", "pooled"]


def padded() -> onnx.FunctionProto:
    """`wct.models.encoder.padded`: one more pixel on each side, mirrored, or repeated for sides of one pixel."""
    g = Graph()
    shortest = g("ReduceMin", g("Shape", "x", start=2))
    mirrored = g("Min", g("Sub", shortest, g.ints(1)), g.ints(1))
    x = "x"
    for mode, width in (("reflect", mirrored), ("edge", g("Sub", g.ints(1), mirrored))):
        x = g("Pad", x, g("Mul", g.ints(0, 0, 1, 1, 0, 0, 1, 1), width), mode=mode)
    return g.function("Padded", ["x"], {"y": x})


def pooled() -> onnx.FunctionProto:
    """2x2 max pooling that keeps an odd last row: it is repeated, because not every runtime's pooling rounds up."""
    g = Graph()
    odd = g("Mod", g("Shape", "x", start=2), g.ints(2))
    even = g("Pad", "x", g("Concat", g.ints(0, 0, 0, 0, 0, 0), odd, axis=0), mode="edge")
    return g.function("Pooled", ["x"], {"y": g("MaxPool", even, kernel_shape=[2, 2], strides=[2, 2])})


class Layers:
    """The layers of a model within a graph; each weight is written once, however often it is used."""

    def __init__(self, g: Graph, model: Model) -> None:
        self.g, self.model = g, model
        self._weights: dict[str, list[str]] = {}

    def encode(self, pixels: str, levels: Sequence[int]) -> dict[int, str]:
        """Features {level: (1, C, h, w)} of pixels (1, 3, H, W)."""
        x, found = pixels, {}
        for name, conv in self.model.encoder.layers():
            if name.endswith("_1") and name != "1_1":
                x = self.g.call("Pooled", 1, x)[0]
            x = self.g("Relu", self._convolved(f"conv{name}", conv, x))
            if name.endswith("_1") and (level := int(name[0])) in levels:
                found[level] = self._headed(level, x)
        return found

    def step(self, x: str, level: int, size: str) -> str:
        """Features of `level` to those of the level below, of height and width `size`, or to pixels."""
        stage = self.model.decoder.stages[level - 1]
        for i, conv in enumerate(stage.low):
            x = self.g("Relu", self._convolved(f"stage{level}_low{i}", conv, x))
        if level > 1:
            scales = self.g.constant(np.array([1, 1, 2, 2], np.float32))
            x = self.g(
                "Resize",
                x,
                "",
                scales,
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
            x = self.g("Slice", x, self.g.ints(0, 0), size, self.g.ints(2, 3))
        y = x
        for i, conv in enumerate(stage.high):
            y = self._convolved(f"stage{level}_high{i}", conv, self.g("Relu", y) if i else y)
        if stage.given is not None:
            y = self._refined(stage, stage.given, y, x)
        return y if stage.again is None else self.g("Relu", self._convolved(f"stage{level}_again", stage.again, y))

    def _refined(self, stage: Stage, given: nn.Conv2d, made: str, x: str) -> str:
        """What stage 1 has made of features x, refined."""
        g, parts = self.g, self._convolved("stage1_given", given, x)
        for i, (look, change) in enumerate(zip(stage.look, stage.change, strict=True)):
            part = g("Slice", parts, g.ints(3 * i), g.ints(3 * i + 3), g.ints(1))
            hidden = g("Relu", self._convolved(f"stage1_look{i}", look, made))
            made = g("Add", part, self._convolved(f"stage1_change{i}", change, hidden))
        return made

    def sizes(self, pixels: str) -> dict[int, str]:
        """Height and width at each level."""
        g = self.g
        sizes = {1: g("Shape", pixels, start=2)}
        for level in LEVELS[1:]:
            sizes[level] = g("Div", g("Add", sizes[level - 1], g.ints(1)), g.ints(2))
        return sizes

    def _headed(self, level: int, x: str) -> str:
        if not self.model.encoder.spec.ranks:
            return x
        head: nn.Conv2d = self.model.encoder.get_submodule(f"head{level}")  # type: ignore[assignment]
        return self._conv(f"head{level}", head, x)

    def _convolved(self, name: str, conv: nn.Conv2d, x: str) -> str:
        return self._conv(name, conv, self.g.call("Padded", 1, x)[0])

    def _conv(self, name: str, conv: nn.Conv2d, x: str) -> str:
        if name not in self._weights:
            self._weights[name] = [self.g.weight(f"{name}.{part}", getattr(conv, part)) for part in ("weight", "bias")]
        # Attributes that equal their defaults, too: the browser's WebGPU convolution does not know the defaults.
        plain = {
            "kernel_shape": list(conv.kernel_size),
            "strides": [1, 1],
            "dilations": [1, 1],
            "pads": [0, 0, 0, 0],
            "group": 1,
        }
        return self.g("Conv", x, *self._weights[name], **plain)
