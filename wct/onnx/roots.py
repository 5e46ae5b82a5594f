"""Square roots of covariances without eigenvectors, which ONNX has no operation for: by products of matrices, in float64.

`wct.linalg.sqrt_pair` by iteration: the same relative rank cut, the same floor, and a zero matrix keeps nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from wct.gaussian import ROUNDING
from wct.linalg import RELATIVE_CUT
from wct.onnx.graph import DOUBLE, Graph
from wct.onnx.libraries import onnx

__all__ = ["narrow", "polar", "roots"]

_LEAST = 1e-6
"""The smallest root, as a share of the largest, that is found in full; smaller ones come out smaller still.

The rank cut leaves roots of 1.4e-3 and above.
"""

_NEAREST = 1e-9
"""Share of the largest eigenvalue. One that is at least so far from the rank cut is kept or dropped, nearer ones in part."""

_TINY = 1e-30
"""Matrices up to this size count as zero."""

_SQUARINGS = 5


def _schedule(least: float) -> Iterator[float]:
    """Factors f of the steps y <- f y (3 - f^2 y^2) / 2 that take all y in [least, 1] to 1.

    Chosen for the range in which y lies by then (Chen & Chow 2014, "A stable scaling of Newton-Schulz for improving the
    sign function computation of a Hermitian matrix"): small values grow 2.6 times in a step, not 1.5 times.
    """
    while least < 1 - 1e-15:
        factor = (3 / (1 + least + least * least)) ** 0.5
        least = factor * least * (3 - (factor * least) ** 2) / 2
        yield factor


def _step(g: Graph, eye: str, square: str, factor: float) -> str:
    """f (3 I - f^2 square) / 2."""
    return g("Sub", g("Mul", eye, g.double(1.5 * factor)), g("Mul", square, g.double(factor**3 / 2)))


def narrow() -> onnx.FunctionProto:
    """Roots and inverse roots of matrices (C, C) whose eigenvalues lie above the rank cut, up to 1, by coupled steps."""
    g = Graph()
    root, inverse = "matrix", "eye"
    for factor in _schedule(RELATIVE_CUT**0.5):
        step = _step(g, "eye", g("MatMul", inverse, root), factor)
        root, inverse = g("MatMul", root, step), g("MatMul", step, inverse)
    return g.function("Narrow", ["matrix", "eye"], {"root": root, "inverse": inverse})


def polar() -> onnx.FunctionProto:
    """(B^T B)^1/2 of matrices B (N, C, C), singular ones too: U^T B with the orthogonal U of the polar decomposition."""
    g = Graph()
    size = g("Max", g("Sqrt", g("ReduceSumSquare", "matrices", g.ints(1, 2))), g.double(_TINY))
    unit = g("Div", "matrices", size)
    for factor in _schedule(_LEAST):
        square = g("MatMul", g("Transpose", unit, perm=[0, 2, 1]), unit)
        unit = g("MatMul", unit, _step(g, "eye", square, factor))
    return g.function("Polar", ["matrices", "eye"], {"root": g("MatMul", g("Transpose", unit, perm=[0, 2, 1]), "matrices")})


def _largest(g: Graph, cov: str) -> str:
    """An upper bound of the largest eigenvalue, hardly above it: the norm of a high power."""
    norm = g("Sqrt", g("ReduceSumSquare", cov, keepdims=0))
    power = g("Div", cov, g("Max", norm, g.double(_TINY)))
    for _ in range(_SQUARINGS):
        power = g("MatMul", power, power)
    rest = g("Pow", g("ReduceSumSquare", power, keepdims=0), g.double(0.5 / 2**_SQUARINGS))
    return g("Max", g("Mul", norm, rest), g.double(_TINY))


def roots() -> onnx.FunctionProto:
    """`sqrt_pair` of a covariance (C, C) with the floor of `Gaussian.roots`, which depends on the mean (C, 1)."""
    g = Graph()
    eye = g("EyeLike", "cov", dtype=DOUBLE)
    top = _largest(g, "cov")
    floor = g("Mul", g("ReduceSumSquare", "mean", keepdims=0), g.double(ROUNDING**2))
    cut = g("Clip", g("Div", floor, top), g.double(RELATIVE_CUT), g.double(2.0))
    # The sign of what is above the cut and of what is below it.
    scaled = g("Div", "cov", top)
    sign = g("Div", g("Sub", scaled, g("Mul", eye, cut)), g("Add", cut, g.double(1.0)))
    for factor in _schedule(_NEAREST):
        sign = g("MatMul", sign, _step(g, eye, g("MatMul", sign, sign), factor))
    kept = g("Mul", g("Add", eye, sign), g.double(0.5))
    rest = g("Sub", eye, kept)
    # With ones in the place of what is dropped the matrix is well enough conditioned for both roots.
    root, inverse = g.call("Narrow", 2, g("Add", g("MatMul", scaled, kept), rest), eye)
    size = g("Sqrt", top)
    found = {"root": g("Mul", g("Sub", root, rest), size), "inverse": g("Div", g("Sub", inverse, rest), size)}
    return g.function("Roots", ["mean", "cov"], found | {"rest": rest, "eye": eye})
