"""Guarded square roots of covariances, in float64. Torch only, with LAPACK through scipy as the last resort."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor

from wct.errors import NumericsError

__all__ = [
    "RELATIVE_CUT",
    "Roots",
    "at",
    "cholesky",
    "eigh",
    "exact_device",
    "finite",
    "sqrt",
    "sqrt_pair",
]

RELATIVE_CUT = 2e-6
"""Eigenvalues up to this share of the largest one count as zero.

Where VGG-19 features in float32 have fewer pixels than channels, rounding fills the empty directions with
eigenvalues of up to 4e-7 of the largest; the smallest true one was 7e-6. At 512 pixels the cut drops a median of 0 to
4 directions per level, at most 32 of 512, with 1.5e-6 of the variance. It also bounds the gain of whitening to 700
times that of the leading direction.
"""


class Roots(NamedTuple):
    """Square roots of a positive semi-definite matrix A of shape (..., C, C), float64, symmetric.

    Attributes:
        root: A^(1/2) on the retained subspace, zero elsewhere.
        inverse: A^(-1/2) on the retained subspace, zero elsewhere.
        rest: the projector onto the dropped subspace, so that `inverse @ A @ inverse + rest` is the identity;
            exactly zero where nothing is dropped.
    """

    root: Tensor
    inverse: Tensor
    rest: Tensor


@contextmanager
def at(*places: str) -> Iterator[None]:
    """Name level and stage in any `NumericsError` raised inside: `with at("relu4_1", "encode"): ...`."""
    try:
        yield
    except NumericsError as error:
        raise NumericsError(f"{', '.join(places)}: {error}") from error


def finite(tensor: Tensor, what: str) -> Tensor:
    """Return the tensor, of any shape, or raise `NumericsError` if a number in it is infinite or not a number."""
    # The sum is not finite where any number is not, and hardly ever else. In the order of memory it takes no copy.
    last = tensor.ndim == 4 and tensor.is_contiguous(memory_format=torch.channels_last)
    ordered = tensor.permute(0, 2, 3, 1) if last else tensor
    if bool(torch.isfinite(ordered.sum())):
        return tensor
    bad = tensor.numel() - int(torch.isfinite(tensor).sum())
    if not bad:
        return tensor
    raise NumericsError(
        f"{what}: {bad} of {tensor.numel()} numbers are not finite; "
        "check the picture and the weights, or compute in float32"
    )


def exact_device(device: torch.device | str) -> torch.device:
    """The nearest device that computes in float64: the device itself, or the CPU for MPS."""
    device = torch.device(device)
    return torch.device("cpu") if device.type == "mps" else device


def sqrt_pair(matrix: Tensor, cut: float = RELATIVE_CUT, floor: float = 0.0) -> Roots:
    """Both square roots of a covariance from one eigendecomposition.

    Args:
        matrix: (..., C, C), positive semi-definite up to rounding, any float dtype; symmetrised here.
        cut: eigenvalues up to `cut` times the largest of their matrix are dropped,
        floor: and those up to `floor`, in units of the matrix.

    Gradients flow through, also where eigenvalues are equal; what is dropped stays dropped.

    Returns:
        `Roots` of the same shape, in float64, on `exact_device(matrix.device)`. A zero matrix keeps nothing.

    Raises:
        NumericsError: a number in the matrix is not finite, or no solver converges.
    """
    spectrum, kept, scale = _kept(matrix, cut, floor)
    return Roots(
        root=spectrum.rebuilt(kept * scale, lambda: 1 / _sums(scale), kept),
        inverse=spectrum.rebuilt(kept / scale, lambda: -1 / _products(scale), kept),
        rest=spectrum.rebuilt((~kept).double(), lambda: torch.zeros_like(spectrum.matrix), kept),
    )


def sqrt(matrix: Tensor, cut: float = RELATIVE_CUT, floor: float = 0.0) -> Tensor:
    """`sqrt_pair(matrix, cut, floor).root` alone."""
    spectrum, kept, scale = _kept(matrix, cut, floor)
    return spectrum.rebuilt(kept * scale, lambda: 1 / _sums(scale), kept)


def cholesky(matrix: Tensor, cut: float = RELATIVE_CUT, floor: float = 0.0) -> Tensor | None:
    """L of a covariance L L^T (C, C), lower triangular, where `sqrt_pair` surely drops nothing of it, or else None.

    It is a square root too, in a tenth of the time. Gradients flow through.
    """
    # A matrix is positive definite where it has a Cholesky decomposition; no eigenvalue is above its Frobenius norm.
    least = (cut * torch.linalg.matrix_norm(matrix.detach())).clamp(min=floor)
    shifted = matrix.detach().clone()
    shifted.diagonal().sub_(least)
    if bool(torch.linalg.cholesky_ex(shifted).info != 0):
        return None
    lower: Tensor = torch.linalg.cholesky_ex(matrix).L
    return lower


def _kept(matrix: Tensor, cut: float, floor: float) -> tuple[_Spectrum, Tensor, Tensor]:
    """The spectrum, which of its directions are kept (..., C), and the roots of their values, 1 elsewhere."""
    matrix = finite(matrix, "the covariance").to(exact_device(matrix.device)).double()
    matrix = (matrix + matrix.mT) / 2
    # cuSOLVER has failed on all-zero matrices (flat pictures): solve the identity in their place.
    zero = (matrix == 0).all(-1).all(-1)
    identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    values, vectors = eigh(torch.where(zero[..., None, None], identity, matrix.detach()))
    values = values.masked_fill(zero[..., None], 0)
    kept = values > (cut * values[..., -1:]).clamp(min=floor)
    return _Spectrum(matrix, values, vectors), kept, torch.where(kept, values, 1).sqrt()


def _sums(scale: Tensor) -> Tensor:
    return scale[..., :, None] + scale[..., None, :]


def _products(scale: Tensor) -> Tensor:
    return scale[..., :, None] * scale[..., None, :] * _sums(scale)


class _Spectrum(NamedTuple):
    """A symmetric matrix and its eigendecomposition."""

    matrix: Tensor
    values: Tensor
    vectors: Tensor

    def rebuilt(self, values: Tensor, slopes: Callable[[], Tensor], kept: Tensor) -> Tensor:
        """The matrix with f(eigenvalues) in place of its eigenvalues, and the gradient that this has.

        Args:
            values: (..., C), f of the eigenvalues.
            slopes: gives (..., C, C), (f_i - f_j) / (l_i - l_j) where both are kept, without the cancellation.
            kept: (..., C), which ones are; f is constant over the others.
        """
        if not self.matrix.requires_grad:
            return _rebuild(self.vectors, values)
        a, b = kept[..., :, None], kept[..., None, :]
        gaps = self.values[..., :, None] - self.values[..., None, :]
        across = (values[..., :, None] - values[..., None, :]) / torch.where(a != b, gaps, 1)
        divided = torch.where(a & b, slopes(), across * (a != b))
        rebuilt: Tensor = _Rebuilt.apply(self.matrix, self.vectors, values, divided)
        return rebuilt


class _Rebuilt(torch.autograd.Function):
    """f(A) of a symmetric A = V diag(l) V^T, with the derivative V (D o (V^T dA V)) V^T (Daleckii & Krein 1965).

    D holds the divided differences of f. Through the eigenvectors themselves there is no derivative where two
    eigenvalues are equal.
    """

    @staticmethod
    def forward(ctx: Any, _matrix: Tensor, vectors: Tensor, values: Tensor, slopes: Tensor) -> Tensor:
        ctx.save_for_backward(vectors, slopes)
        return _rebuild(vectors, values)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None, None]:
        vectors, slopes = ctx.saved_tensors
        inner = vectors.mT @ ((grads[0] + grads[0].mT) / 2) @ vectors
        return vectors @ (slopes * inner) @ vectors.mT, None, None, None


def _rebuild(vectors: Tensor, values: Tensor) -> Tensor:
    return (vectors * values[..., None, :]) @ vectors.mT


def eigh(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Eigenvalues (..., C), ascending, and eigenvectors in columns (..., C, C) of finite symmetric matrices."""
    try:
        values, vectors = torch.linalg.eigh(matrix)
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
        return _eigh_lapack(matrix)
    if bool(torch.isfinite(values).all() & torch.isfinite(vectors).all()):
        return values, vectors
    return _eigh_lapack(matrix)


def _eigh_lapack(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """`eigh` on the CPU by two slower algorithms that converge where divide-and-conquer has not."""
    solved = [_eigh_one(one) for one in matrix.detach().cpu().reshape(-1, *matrix.shape[-2:])]
    values = torch.stack([values for values, _ in solved]).reshape(matrix.shape[:-1])
    vectors = torch.stack([vectors for _, vectors in solved]).reshape(matrix.shape)
    return values.to(matrix.device), vectors.to(matrix.device)


def _eigh_one(matrix: Tensor) -> tuple[Tensor, Tensor]:
    import scipy.linalg  # rarely needed: spares every other run its time and memory

    for driver in ("evr", "ev"):
        try:
            values, vectors = scipy.linalg.eigh(matrix.numpy(), driver=driver)
        except scipy.linalg.LinAlgError:
            continue
        return torch.from_numpy(values), torch.from_numpy(vectors)
    size = matrix.shape[-1]
    raise NumericsError(f"the covariance: no eigenvalue solver converges on this {size}x{size} matrix")
