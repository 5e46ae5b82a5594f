"""The whole stylisation as ONNX graphs: encoder, statistics, square roots, maps, decoders, for pictures of any size."""

from __future__ import annotations

from collections.abc import Sequence

from wct import __version__
from wct.errors import UsageError
from wct.look import LOOK
from wct.models import Model
from wct.models.spec import LEVELS
from wct.onnx.grain import grained, octave
from wct.onnx.graph import DOUBLE, FLOAT, Graph, apart
from wct.onnx.layers import Layers, padded, pooled
from wct.onnx.libraries import onnx
from wct.onnx.roots import narrow, polar, roots

__all__ = ["STYLE", "STYLIZE", "WEIGHTS", "parts", "whole"]

STYLE, STYLIZE, WEIGHTS = "style.onnx", "stylize.onnx", "weights.bin"
"""The files of `parts`."""

_PICTURE = (1, 3, "height", "width")

Measured = tuple[str, str]


def whole(model: Model, styles: int = 1) -> onnx.ModelProto:
    """One graph of the default look, as `Stylizer()(content, style, alpha=alpha)`, with styles blended by their maps.

    All in float32. Inputs: `content` (1, 3, H, W) and `style1`, `style2`, … of any sizes, RGB in 0..1; `weights` (N,),
    of any scale, at least one above 0; `alpha` (1,); `grain` (1,), which may be left out. Output: `picture`
    (1, 3, H, W) in 0..1.

    Raises:
        UsageError: `styles` is below 1.
        ModelError: the model has no decoders.
    """
    if styles < 1:
        raise UsageError(f"styles: found {styles}; needs 1 or more")
    g = Graph()
    layers = Layers(g, model)
    names = [f"style{i}" for i in range(1, styles + 1)]
    measured = [_measured(g, layers, name) for name in names]
    together = {level: _stacked(g, [one[level] for one in measured]) for level in LEVELS}
    shapes = {name: (1, 3, f"{name}_height", f"{name}_width") for name in names}
    inputs = {"content": _PICTURE, **shapes, "weights": (styles,), "alpha": (1,), g.default("grain", LOOK.grain): (1,)}
    picture = {"picture": (_stylized(g, layers, together), _PICTURE)}
    return g.model("stylization", inputs, picture, _functions(), _about(model))


def parts(model: Model) -> dict[str, bytes]:
    """The same as two graphs, so that a style is measured once, and the weights that both share: {file: bytes}.

    `STYLE` takes `style` (1, 3, H, W) and gives `mean1` (1, C, 1) and `root1` (1, C, C), the root of the covariance, to
    `mean5` and `root5`. `STYLIZE` takes these of N styles, one after the other along the first axis, and `content`,
    `weights`, `alpha` and `grain` as `whole` does.
    """
    shapes: dict[str, Sequence[int | str]] = {}
    for level in LEVELS:
        channels = model.card.spec.encoder.channels(level)
        shapes |= {f"mean{level}": ("styles", channels, 1), f"root{level}": ("styles", channels, channels)}

    g = Graph()
    found = _measured(g, Layers(g, model), "style")
    values = [value for level in LEVELS for value in found[level]]
    outputs = {name: (value, (1, *shape[1:])) for (name, shape), value in zip(shapes.items(), values, strict=True)}
    functions = [one for one in _functions() if one.name not in ("Octave", "Polar", "Transport")]
    style = g.model("style", {"style": _PICTURE}, outputs, functions, _about(model))

    g = Graph()
    picture = _stylized(g, Layers(g, model), {level: (f"mean{level}", f"root{level}") for level in LEVELS})
    inputs = {"content": _PICTURE, **shapes, "weights": ("styles",), "alpha": (1,), "grain": (1,)}
    stylize = g.model("stylization", inputs, {"picture": (picture, _PICTURE)}, _functions(), _about(model))
    weights = apart([style, stylize], WEIGHTS)
    return {STYLE: style.SerializeToString(), STYLIZE: stylize.SerializeToString(), WEIGHTS: weights}


def _about(model: Model) -> dict[str, str]:
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
    return [padded(), pooled(), octave(), _gaussian(), narrow(), polar(), roots(), _transport()]


def _stacked(g: Graph, measured: Sequence[Measured]) -> Measured:
    mean, root = (g("Concat", *values, axis=0) for values in zip(*measured, strict=True))
    return mean, root


def _measured(g: Graph, layers: Layers, style: str) -> dict[int, Measured]:
    """Mean (1, C, 1) and root of the covariance (1, C, C) at each level, of statistics rounded as a `Part` does."""
    found = {}
    for level, x in layers.encode(style, LEVELS).items():
        mean, cov = (g("Cast", g("Cast", one, to=FLOAT), to=DOUBLE) for one in g.call("Gaussian", 2, x))
        root = g.call("Roots", 4, mean, cov)[0]
        mean, root = (g("Unsqueeze", g("Cast", one, to=FLOAT), g.ints(0)) for one in (mean, root))
        found[level] = mean, root
    return found


def _stylized(g: Graph, layers: Layers, styles: dict[int, Measured]) -> str:
    """The one loop of `wct.loop`, for a picture in one piece and the look that nobody has to ask for but its grain."""
    weights = g("Reshape", g("Cast", "weights", to=DOUBLE), g.ints(-1, 1, 1))
    shares = g("Div", weights, g("ReduceSum", weights))
    alpha = g("Cast", "alpha", to=DOUBLE)
    sizes = layers.sizes("content")
    x = layers.encode(grained(g, "content", "grain", "alpha"), LEVELS[-1:])[LEVELS[-1]]
    for level in reversed(LEVELS):
        style = (g("Cast", value, to=DOUBLE) for value in styles[level])
        (x,) = g.call("Transport", 1, x, *style, shares, alpha)
        x = layers.step(x, level, sizes[max(1, level - 1)])
    return g("Clip", x, g.single(0), g.single(1))


def _gaussian() -> onnx.FunctionProto:
    """`Gaussian.of` features (1, C, H, W): mean (C, 1) and covariance (C, C), float64.

    The sums of each row in float32, about the mean, so that they stay short; those of all rows in float64.
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
    """Features (1, C, H, W) on their way, as far as alpha says, to the mean of the optimal transports to N styles.

    As `wct.transforms.ot`. All maps share the content's inverse root, so that only what stands between them is mixed.
    """
    g = Graph()
    mean, cov = g.call("Gaussian", 2, "x")
    root, inverse, rest, eye = g.call("Roots", 4, mean, cov)
    middle = _mixed(g, g.call("Polar", 1, g("MatMul", "roots", root), eye)[0])
    matrix = g("Add", g("MatMul", g("MatMul", inverse, middle), inverse), rest)
    matrix, target = (_toward(g, *ends) for ends in ((eye, matrix), (mean, _mixed(g, "means"))))
    pixels = g("Sub", g("Reshape", "x", g.ints(0, 0, -1)), g("Cast", mean, to=FLOAT))
    mapped = g("Add", g("MatMul", g("Cast", matrix, to=FLOAT), pixels), g("Cast", target, to=FLOAT))
    y = g("Reshape", mapped, g("Shape", "x"))
    return g.function("Transport", ["x", "means", "roots", "shares", "alpha"], {"y": y})


def _mixed(g: Graph, values: str) -> str:
    """The mean of values (N, …) by their shares."""
    return g("ReduceSum", g("Mul", values, "shares"), g.ints(0), keepdims=0)


def _toward(g: Graph, start: str, end: str) -> str:
    """(1 - alpha) start + alpha end."""
    return g("Add", start, g("Mul", "alpha", g("Sub", end, start)))
