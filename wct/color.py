"""Whose colours a stylised picture has (Gatys et al. 2016, "Preserving color in neural artistic style transfer")."""

from __future__ import annotations

import torch
from torch import Tensor

from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.linalg import exact_device
from wct.maps import shape
from wct.transforms import ot

__all__ = ["lightness", "lightnesses", "luminance_only", "recolored"]

_HALVINGS = 12
"""Lightness is fitted to the gamut to 2^-12 of its way: less than a tenth of a grey level."""

_TO_LMS = torch.tensor(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=torch.float64,
)
_TO_LAB = torch.tensor(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=torch.float64,
)
_FROM_LMS, _FROM_LAB = torch.linalg.inv(_TO_LMS), torch.linalg.inv(_TO_LAB)


def recolored(style_rgb: Tensor, content: Gaussian, strength: float = 1.0, weights: Tensor | None = None) -> Tensor:
    """The style picture in the content's colours: its RGB Gaussian mapped onto the content's.

    Color histogram matching by a linear map (Gatys et al. 2016).

    Args:
        style_rgb: (3, H, W), sRGB in 0..1.
        content: the Gaussian of the content's pixels, sRGB in 0..1.
        strength: 0 (the style's colours) to 1 (the content's).
        weights: (H, W), as `Gaussian.of` takes them: pixels of the style of weight 0 stay out of the statistics.

    Returns:
        Pixels like `style_rgb`, clamped to 0..1.

    Raises:
        UsageError: the strength is out of range, or weights do not fit.
    """
    _check_strength(strength)
    # Departure from the paper, which takes Cholesky factors or symmetric roots: optimal transport moves colours least.
    # Cholesky factors depend on the order of the channels and turned hues; symmetric roots looked nearly the same.
    return ot(Gaussian.of(style_rgb, weights), content).toward_identity(strength)(style_rgb).clamp(0, 1)


def lightness(rgb: Tensor) -> Tensor:
    """Oklab's lightness (1, H, W) in 0..1, float64, of sRGB (3, H, W) in 0..1."""
    return _oklab(rgb)[:1]


def lightnesses(*pictures: Tensor, weights: Tensor | None = None) -> Gaussian:
    """The Gaussian of the `lightness` of pictures of one size, a channel each.

    Args:
        pictures: (3, H, W) each, sRGB in 0..1.
        weights: (H, W), as `Gaussian.of` takes them.
    """
    return Gaussian.of(torch.cat([lightness(rgb) for rgb in pictures]), weights)


def luminance_only(result: Tensor, content: Tensor, strength: float = 1.0, shift: float = 0.0) -> Tensor:
    """The result's lightness with the content's chroma, in Oklab (Ottosson 2020).

    Where the content's chroma is not possible in sRGB at that lightness, the lightness moves toward the content's own
    until it is.

    Args:
        result: (3, H, W), sRGB in 0..1.
        content: (3, H, W), likewise.
        strength: 0 (the result's colours) to 1 (the content's), linear in Oklab between.
        shift: added to the result's lightness, to match the content's in the mean.

    Returns:
        Pixels like `result`, in 0..1.

    Raises:
        UsageError: the strength is out of range, or the sizes differ.
    """
    _check_strength(strength)
    if result.shape != content.shape:
        raise UsageError(f"the result has shape {shape(result)} and the content {shape(content)}; make them one size")
    if strength == 0:
        return result
    made, own = _oklab(result), _oklab(content)
    # Departure from the paper, which gives the style's lightness the content's mean and spread: the mean alone, and of
    # the result, as a saved style has no pixels. Without it a dusk in the style of a drawing turns into a pale day, and
    # bright styles press saturated colours against the gamut. The spread, matched too, drives up the decoder's grain
    # where it widens and takes the strokes away where the content is flat.
    target = torch.cat([_in_gamut(made[0] + shift, own)[None], own[1:]])
    return _srgb(torch.lerp(made, target, strength)).clamp(0, 1).to(result)


def _in_gamut(lightness: Tensor, own: Tensor) -> Tensor:
    """Lightness (H, W), moved toward that of the colours `own` (3, H, W) where sRGB lacks it with their chroma."""
    outside = ~_is_srgb(lightness, own[1:])
    low, high, chroma = own[0][outside], lightness[outside], own[1:, outside]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        fits = _is_srgb(middle, chroma)
        low, high = torch.where(fits, middle, low), torch.where(fits, high, middle)
    return lightness.masked_scatter(outside, low)


def _is_srgb(lightness: Tensor, chroma: Tensor) -> Tensor:
    """Whether sRGB has the colours of lightness (...) and chroma (2, ...)."""
    linear = _linear(torch.cat([lightness[None], chroma]))
    return ((linear >= 0) & (linear <= 1)).all(0)


def _oklab(rgb: Tensor) -> Tensor:
    """Oklab (3, ...), float64, of sRGB in 0..1."""
    rgb = rgb.to(exact_device(rgb.device)).double()
    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return _mixed(_TO_LAB, _mixed(_TO_LMS, linear).pow(1 / 3))


def _srgb(lab: Tensor) -> Tensor:
    """sRGB (3, ...) of Oklab, clamped at 0."""
    linear = _linear(lab).clamp(min=0)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def _linear(lab: Tensor) -> Tensor:
    """Linear RGB (3, ...) of Oklab, outside 0..1 where sRGB does not have the colour."""
    return _mixed(_FROM_LMS, _mixed(_FROM_LAB, lab) ** 3)


def _mixed(matrix: Tensor, channels: Tensor) -> Tensor:
    mixed: Tensor = torch.tensordot(matrix.to(channels.device), channels, dims=1)
    return mixed


def _check_strength(strength: float) -> None:
    if not 0 <= strength <= 1:
        raise UsageError(f"color strength is {strength}; it needs a number from 0 (the style's) to 1 (the content's)")
