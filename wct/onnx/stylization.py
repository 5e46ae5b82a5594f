"""The whole stylisation as ONNX graphs: statistics, square roots, maps, encoder and decoders."""

from __future__ import annotations

import numpy as np

from wct import __version__
from wct.look import LOOK
from wct.models import Model
from wct.models.spec import LEVELS
from wct.onnx.graph import DOUBLE, FLOAT, Graph
from wct.onnx.layers import Layers, padded
from wct.onnx.libraries import onnx
from wct.onnx.roots import narrow, polar, roots

__all__ = ["measuring", "stylizing", "whole"]

PICTURE = (1, 3, "height", "width")


def whole(model: Model, styles: int = 1) -> onnx.ModelProto:
    """Content, styles, their weights and alpha to the stylised picture, in one graph.

    Inputs, all float32: `content` (1, 3, H, W) and `style1` … of any sizes, RGB in 0..1; `weights` (N,), any scale;
    `alpha` (1,). Output `picture` (1, 3, H, W) in 0..1.
    """
    g = Graph()
    layers = Layers(g, model)
    names = [f"style{i}" for i in range(1, styles + 1)]
    measured = [_measured(g, layers, name) for name in names]
    means, roots = ({k: g("Concat", *(one[k][part] for one in measured), axis=0) for k in LEVELS} for part in (0, 1))
    picture = _stylized(g, layers, means, roots)
    shapes = {name: (1, 3, f"{name}_height", f"{name}_width") for name in names}
    inputs = {"content": PICTURE, **shapes, "weights": (styles,), "alpha": (1,)}
    return g.model("stylization", inputs, {"picture": (picture, PICTURE)}, _functions(), about(model))


def measuring(model: Model) -> onnx.ModelProto:
    """A style picture to its statistics: `style` (1, 3, H, W) to `mean1` (1, C, 1), `root1` (1, C, C) … of all levels."""
    g = Graph()
    found = _measured(g, Layers(g, model), "style")
    outputs = {}
    for level, (mean, cov) in found.items():
        channels = model.card.spec.encoder.channels(level)
        outputs |= {f"mean{level}": (mean, (1, channels, 1)), f"root{level}": (cov, (1, channels, channels))}
    return g.model("style", {"style": PICTURE}, outputs, [padded(), _gaussian()], about(model))


def stylizing(model: Model) -> onnx.ModelProto:
    """`content`, `weights`, `alpha` and the statistics of N styles, `mean1` (N, C, 1), `root1` (N, C, C) …, to `picture`."""
    g = Graph()
    shapes = {}
    for level in LEVELS:
        channels = model.card.spec.encoder.channels(level)
        shapes |= {f"mean{level}": ("styles", channels, 1), f"root{level}": ("styles", channels, channels)}
    means, roots = ({level: f"{part}{level}" for level in LEVELS} for part in ("mean", "root"))
    picture = _stylized(g, Layers(g, model), means, roots)
    inputs = {"content": PICTURE, **shapes, "weights": ("styles",), "alpha": (1,)}
    return g.model("stylization", inputs, {"picture": (picture, PICTURE)}, _functions(), about(model))


def about(model: Model) -> dict[str, str]:
    """What the file says of itself."""
    table = model.card.table
    return {
        "made by": f"wct {__version__}",
        "model": model.card.name,
        "fingerprint": model.fingerprint,
        **{key: str(table[key]) for key in ("title", "origin", "licence") if key in table},
        "look": f"levels {','.join(map(str, LOOK.levels))} mode {LOOK.mode} transform {LOOK.transform} blend maps",
    }


def _functions() -> list[onnx.FunctionProto]:
    return [padded(), _gaussian(), narrow(), polar(), roots(), _transport()]


def _measured(g: Graph, layers: Layers, style: str) -> dict[int, tuple[str, str]]:
    """Mean (1, C, 1) and root of the covariance (1, C, C) at each level, from statistics in float32 as a `Part` keeps them."""
    found = {}
    for level, x in layers.encode(style, LEVELS).items():
        mean, cov = (g("Cast", g("Cast", one, to=FLOAT), to=DOUBLE) for one in g.call("Gaussian", 2, x))
        root = g.call("Roots", 4, mean, cov)[0]
        found[level] = tuple(g("Unsqueeze", g("Cast", one, to=FLOAT), g.ints(0)) for one in (mean, root))
    return found


def _stylized(g: Graph, layers: Layers, means: dict[int, str], roots: dict[int, str]) -> str:
    """The one loop of `wct.loop` for a picture in one piece."""
    weights = g("Reshape", g("Cast", "weights", to=DOUBLE), g.ints(-1, 1, 1))
    shares = g("Div", weights, g("ReduceSum", weights))
    alpha = g("Cast", "alpha", to=DOUBLE)
    sizes = layers.sizes("content")
    x = layers.encode("content", (5,))[5]
    for level in reversed(LEVELS):
        style = (g("Cast", one[level], to=DOUBLE) for one in (means, roots))
        (x,) = g.call("Transport", 1, x, *style, shares, alpha)
        x = layers.step(x, level, sizes[max(1, level - 1)])
    return g("Clip", x, g.constant(np.array(0, np.float32)), g.constant(np.array(1, np.float32)))


def _gaussian() -> onnx.FunctionProto:
    """`Gaussian.of` features (1, C, H, W): mean (C, 1) and covariance (C, C), float64.

    Of each row in float32, about the mean, so that sums stay short; of all rows in float64.
    """
    g = Graph()
    rows = g("Transpose", g("Squeeze", "x", g.ints(0)), perm=[1, 0, 2])
    mean = g("ReduceMean", g("Cast", g("ReduceMean", rows, g.ints(2)), to=DOUBLE), g.ints(0), keepdims=0)
    centred = g("Sub", rows, g("Cast", mean, to=FLOAT))
    products = g("MatMul", centred, g("Transpose", centred, perm=[0, 2, 1]))
    width = g("Cast", g("Shape", "x", start=3), to=DOUBLE)
    cov = g("Div", g("ReduceMean", g("Cast", products, to=DOUBLE), g.ints(0), keepdims=0), width)
    return g.function("Gaussian", ["x"], {"mean": mean, "cov": cov})


def _transport() -> onnx.FunctionProto:
    """Features (1, C, H, W) under the mean of the optimal transports to N styles (`wct.transforms.ot`), as far as alpha says."""
    g = Graph()
    mean, cov = g.call("Gaussian", 2, "x")
    root, inverse, rest, eye = g.call("Roots", 4, mean, cov)
    across = g.call("Polar", 1, g("MatMul", "roots", root), eye)[0]
    across = g("ReduceSum", g("Mul", across, "shares"), g.ints(0), keepdims=0)
    matrix = g("Add", g("MatMul", g("MatMul", inverse, across), inverse), rest)
    target = g("ReduceSum", g("Mul", "means", "shares"), g.ints(0), keepdims=0)
    matrix, target = (_toward(g, *ends) for ends in ((eye, matrix), (mean, target)))
    pixels = g("Sub", g("Reshape", "x", g.ints(0, 0, -1)), g("Cast", mean, to=FLOAT))
    mapped = g("Add", g("MatMul", g("Cast", matrix, to=FLOAT), pixels), g("Cast", target, to=FLOAT))
    y = g("Reshape", mapped, g("Shape", "x"))
    return g.function("Transport", ["x", "means", "roots", "shares", "alpha"], {"y": y})


def _toward(g: Graph, start: str, end: str) -> str:
    """(1 - alpha) start + alpha end."""
    return g("Add", start, g("Mul", "alpha", g("Sub", end, start)))
