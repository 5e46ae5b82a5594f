"""Square roots of covariances by products of matrices alone, in float64: ONNX has no eigenvalues.

All rest on the Newton-Schulz iteration, which takes positive numbers, or singular values, of any size up to 1 to 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from wct.gaussian import ROUNDING
from wct.linalg import RELATIVE_CUT
from wct.onnx.graph import DOUBLE, Graph
from wct.onnx.libraries import onnx

__all__ = ["narrow", "polar", "roots"]

_LEAST = 1e-6
"""The smallest singular value, as a share of the norm, that comes out in full; smaller ones come out smaller still."""

_NEAREST = 1e-9
"""Eigenvalues so far from the rank cut, as a share of the largest, are kept or dropped; those nearer to it partly."""

_TINY = 1e-30
"""Matrices up to this size count as zero."""

_SQUARINGS = 5


def roots() -> onnx.FunctionProto:
    """`Gaussian.roots` of a mean (C, 1) and covariance (C, C): the same cut and floor; zero matrices keep nothing."""
    g = Graph()
    eye = g("EyeLike", "cov", dtype=DOUBLE)
    top = _largest(g, "cov")
    floor = g("Mul", g("ReduceSumSquare", "mean", keepdims=0), g.double(ROUNDING**2))
    cut = g("Clip", g("Div", floor, top), g.double(RELATIVE_CUT), g.double(2.0))
    scaled = g("Div", "cov", top)
    # 1 for the directions above the cut and -1 for those below.
    sign = g("Div", g("Sub", scaled, g("Mul", eye, cut)), g("Add", cut, g.double(1.0)))
    for factor in _schedule(_NEAREST):
        sign = g("MatMul", sign, _step(g, eye, g("MatMul", sign, sign), factor))
    kept = g("Mul", g("Add", eye, sign), g.double(0.5))
    rest = g("Sub", eye, kept)
    # With ones in the place of what is dropped, both roots exist; the ones are taken off again.
    root, inverse = g.call("Narrow", 2, g("Add", g("MatMul", scaled, kept), rest), eye)
    size = g("Sqrt", top)
    found = {"root": g("Mul", g("Sub", root, rest), size), "inverse": g("Div", g("Sub", inverse, rest), size)}
    return g.function("Roots", ["mean", "cov"], found | {"rest": rest, "eye": eye})


def narrow() -> onnx.FunctionProto:
    """Root and inverse root of a matrix (C, C) whose eigenvalues lie between the rank cut and 1."""
    g = Graph()
    root, inverse = "matrix", "eye"
    for factor in _schedule(RELATIVE_CUT**0.5):
        step = _step(g, "eye", g("MatMul", inverse, root), factor)
        root, inverse = g("MatMul", root, step), g("MatMul", step, inverse)
    return g.function("Narrow", ["matrix", "eye"], {"root": root, "inverse": inverse})


def polar() -> onnx.FunctionProto:
    """(B^T B)^1/2 of matrices B (N, C, C), singular ones too, as U^T B with the orthogonal factor U of B.

    Without the product B^T B, whose small eigenvalues would be lost in rounding or turn negative.
    """
    g = Graph()
    size = g("Max", g("Sqrt", g("ReduceSumSquare", "matrices", g.ints(1, 2))), g.double(_TINY))
    unit = g("Div", "matrices", size)
    for factor in _schedule(_LEAST):
        square = g("MatMul", g("Transpose", unit, perm=[0, 2, 1]), unit)
        unit = g("MatMul", unit, _step(g, "eye", square, factor))
    root = g("MatMul", g("Transpose", unit, perm=[0, 2, 1]), "matrices")
    return g.function("Polar", ["matrices", "eye"], {"root": root})


def _schedule(least: float) -> Iterator[float]:
    """Factors f of the steps y <- f y (3 - f^2 y^2) / 2 that take all y in [least, 1] to 1.

    Each makes the most of the range that is left (Chen & Chow 2014, "A stable scaling of Newton-Schulz for improving
    the sign function computation of a Hermitian matrix"): small numbers grow 2.6 times in a step, not 1.5 times.
    """
    while least < 1 - 1e-15:
        factor = (3 / (1 + least + least * least)) ** 0.5
        least = factor * least * (3 - (factor * least) ** 2) / 2
        yield factor


def _step(g: Graph, eye: str, square: str, factor: float) -> str:
    """f (3 I - f^2 y^2) / 2 from y^2."""
    return g("Sub", g("Mul", eye, g.double(1.5 * factor)), g("Mul", square, g.double(factor**3 / 2)))


def _largest(g: Graph, cov: str) -> str:
    """The largest eigenvalue, from above: by the norm of a high power, in which the others hardly count."""
    norm = g("Sqrt", g("ReduceSumSquare", cov, keepdims=0))
    power = g("Div", cov, g("Max", norm, g.double(_TINY)))
    for _ in range(_SQUARINGS):
        power = g("MatMul", power, power)
    share = g("Pow", g("ReduceSumSquare", power, keepdims=0), g.double(0.5 / 2**_SQUARINGS))
    return g("Max", g("Mul", norm, share), g.double(_TINY))
