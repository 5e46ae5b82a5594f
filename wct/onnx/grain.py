"""`wct.grain` as a part of an ONNX graph."""

from __future__ import annotations

import numpy as np

from wct.grain import LAST, MIX, OCTAVES, PLACE, WHOLE
from wct.onnx.graph import FLOAT, INT64, Graph
from wct.onnx.libraries import onnx

__all__ = ["grained", "octave"]


def grained(g: Graph, pixels: str, levels: str, alpha: str) -> str:
    """Pixels (1, 3, H, W) with a grain of so many grey `levels` (1,), for strength `alpha` (1,): `Look.noise`."""
    some = g("Cast", g("Greater", levels, g.single(0)), to=INT64)
    # Where there is none, that of a single pixel, which costs nothing.
    size = g("Max", g("Mul", g("Shape", pixels, start=2), some), g.ints(1))
    octaves = [g.call("Octave", 1, size, g.ints(2**k), g.ints((k + 1) * PLACE[2]))[0] for k in range(OCTAVES)]
    noise = g("Mul", g("Min", alpha, g.single(1)), levels)
    scale = g.single(1 / 255 / OCTAVES**0.5)
    return g("Add", pixels, g("Mul", g("Mul", noise, scale), g("Sum", *octaves)))


def octave() -> onnx.FunctionProto:
    """Random numbers (H, W) for a picture of `size` (2,), `step` pixels apart, and what lies between them."""
    g = Graph()
    sides = [g("Squeeze", side) for side in g.several("Split", 2, "size", axis=0, num_outputs=2)]
    rows, columns = (_lattice(g, side, axis) for axis, side in enumerate(sides))
    x = _random(g, rows, columns)
    for axis, side in enumerate(sides):
        x = _between(g, x, side, axis)
    return g.function("Octave", ["size", "step", "seed"], {"y": x})


def _lattice(g: Graph, side: str, axis: int) -> str:
    """Rows (h, 1) or columns (w) of the places that numbers are drawn for, times their factor, as 32 bits."""
    count = g("Add", g("Div", g("Sub", side, _whole(g, 1)), g("Squeeze", "step")), _whole(g, 2))
    places = g("Range", _whole(g, 0), count, _whole(g, 1))
    mixed = g("BitwiseAnd", g("Mul", places, g.ints(PLACE[axis])), g.ints(WHOLE))
    return g("Unsqueeze", mixed, g.ints(1)) if axis == 0 else mixed


def _random(g: Graph, rows: str, columns: str) -> str:
    """Numbers with mean 0 and variance 1, (h, w)."""
    x = g("BitwiseXor", g("BitwiseXor", rows, columns), "seed")
    for shift, factor in MIX:
        x = g("BitwiseAnd", g("Mul", _shifted(g, x, shift), g.ints(factor)), g.ints(WHOLE))
    x = g("Cast", _shifted(g, x, LAST), to=FLOAT)
    one = g.single(1)
    even = g("Sub", g("Div", x, g.single(2**31)), one)
    return g("Mul", even, g.single(3**0.5))


def _shifted(g: Graph, x: str, shift: int) -> str:
    return g("BitwiseXor", x, g("Div", x, g.ints(2**shift)))


def _between(g: Graph, x: str, side: str, axis: int) -> str:
    """Along an axis, from every place to every pixel."""
    one, step = g.single(1), g("Squeeze", "step")
    at = g("Range", _whole(g, 0), side, _whole(g, 1))
    below = g("Div", at, step)
    share = g("Div", g("Cast", g("Mod", at, step), to=FLOAT), g("Cast", step, to=FLOAT))
    share = g("Mul", g("Mul", share, share), g("Sub", g.single(3), g("Add", share, share)))
    rest = g("Sub", one, share)
    norm = g("Sqrt", g("Add", g("Mul", rest, rest), g("Mul", share, share)))
    parts = []
    for weight, places in ((rest, below), (share, g("Add", below, _whole(g, 1)))):
        weight = g("Div", weight, norm)
        weight = g("Unsqueeze", weight, g.ints(1)) if axis == 0 else weight
        parts.append(g("Mul", weight, g("Gather", x, places, axis=axis)))
    return g("Add", *parts)


def _whole(g: Graph, value: int) -> str:
    """A whole number."""
    return g.constant(np.array(value, np.int64))
