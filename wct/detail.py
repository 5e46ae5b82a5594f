"""The content's fine structure, put back after a stylisation."""

from __future__ import annotations

import torch
from torch import Tensor

from wct.errors import UsageError
from wct.maps import shape

__all__ = ["REACH", "restore_detail"]

_RADIUS = 4
"""Pixels. Structure up to about twice this size comes from the content; what is larger stays the style's."""

REACH = 2 * _RADIUS
"""Pixels beyond its own on which a result depends: the filter takes means of means."""

_EDGE = 0.1
"""Contrast, in 0..1, above which an edge of the content is kept by the filter, and below which it is detail."""

_LUMA = (0.299, 0.587, 0.114)


def restore_detail(result: Tensor, content: Tensor, amount: float) -> Tensor:
    """The result with the content's edges and texture, by the guided filter (He, Sun & Tang 2013).

    The result, filtered with the content's luma as guide, so that its edges fall in line with the content's, plus the
    content's detail layer: its luma less its luma filtered by itself. Colours and large strokes stay the result's.

    Args:
        result: (3, H, W), sRGB in 0..1, of any size from 1x1.
        content: (3, H, W), likewise.
        amount: 0 (the result unchanged) to 1, linear between.

    Returns:
        Pixels like `result`, in 0..1.

    Raises:
        UsageError: the amount is out of range, or the sizes differ.
    """
    if not 0 <= amount <= 1:
        raise UsageError(f"detail is {amount}; it needs a number from 0 (none restored) to 1 (all)")
    if result.shape != content.shape:
        raise UsageError(f"the result has shape {shape(result)} and the content {shape(content)}; make them one size")
    if amount == 0:
        return result
    from kornia.filters import guided_blur  # rarely needed: spares every other run its time

    luma = torch.tensordot(result.new_tensor(_LUMA), content.to(result), dims=1)
    guide = luma[None, None]
    # kornia reflects at the borders, which needs a window that fits into the picture.
    window = (2 * min(_RADIUS, len(luma) - 1) + 1, 2 * min(_RADIUS, luma.shape[1] - 1) + 1)
    # The luma as a fourth channel: result and detail from one pass.
    both = torch.cat([result, luma[None]])[None]
    smooth = guided_blur(guide, both, window, _EDGE**2, separable=True)[0]
    restored = smooth[:3] + (luma - smooth[3])
    return torch.lerp(result, restored, amount).clamp(0, 1)
