"""What flickers though the maps stand still: each result is blended with the one before it, moved along."""

from __future__ import annotations

import numpy as np

from wct.video.flow import flow, unreliable, warp
from wct.video.frame import Array
from wct.video.libraries import cv2

__all__ = ["Steady"]

CHANGE = 0.06
"""Root mean square difference of colours, in 0..1, at which the content counts as changed by two thirds."""

FINE, AROUND, MOST = 2.0, 8.0, 1.5
"""Fine structure: what a Gaussian of `FINE` pixels blurs away, compared over `AROUND` pixels, and its largest gain."""


class Steady:
    """Fuses results over the frames of a shot (Chen et al. 2017, on pixels in place of features).

    result_t = made_t + strength m (warped result_{t-1} - made_t), where m in 0..1 says how surely a pixel shows what it
    showed in the frame before. Averaging loses fine structure, which is restored to the strength it has in made_t;
    without that 0.26 to 0.38 of its power was left after 40 frames, with it 0.58 to 0.87.

    Attributes:
        strength: 0 (nothing is done) to 1.
        last: the last frame and its result, (H, W, 3) float32 in 0..1 each; None at the start of a shot.
    """

    def __init__(self, strength: float) -> None:
        self.strength = strength
        self.last: tuple[Array, Array] | None = None

    def __call__(self, content: Array, made: Array) -> Array:
        """The result, of the same shape, for a frame and what the stylizer made of it, both (H, W, 3) in 0..1."""
        result = made
        if self.last is not None and self.strength > 0:
            before, old = self.last
            backward = flow(content, before)
            sure = self.strength * _same(content, before, backward, flow(before, content))
            # Bilinear weights would blur what is moved again and again.
            moved = warp(old, backward, cv2.INTER_LANCZOS4).clip(0, 1)
            result = _crisp(np.asarray(made + sure[..., None] * (moved - made), np.float32), made)
        self.last = content, result
        return result


def _same(content: Array, before: Array, backward: Array, forward: Array) -> Array:
    """(H, W) in 0..1, how surely each pixel of `content` shows what it shows in `before`, where `backward` points."""
    hidden = cv2.dilate(unreliable(backward, forward), np.ones((3, 3), np.uint8))
    change = _mean_square(content - warp(before, backward))
    near = np.exp(-cv2.blur(change, (3, 3)) / CHANGE**2)
    return np.asarray(cv2.blur(near * (1 - hidden), (3, 3)), np.float32)


def _crisp(blended: Array, made: Array) -> Array:
    """`blended` with fine structure of the power that it has in `made`, place by place."""
    fine = blended - cv2.GaussianBlur(blended, (0, 0), FINE)
    wanted, found = (_power(one) for one in (made - cv2.GaussianBlur(made, (0, 0), FINE), fine))
    gain = np.sqrt(wanted / found).clip(1, MOST)
    return np.asarray((blended + (gain - 1)[..., None] * fine).clip(0, 1), np.float32)


def _power(fine: Array) -> Array:
    """(H, W), mean square over all channels around each pixel; never 0."""
    return np.asarray(cv2.GaussianBlur(_mean_square(fine), (0, 0), AROUND) + 1e-5, np.float32)


def _mean_square(colours: Array) -> Array:
    """(H, W), over the channels. numpy takes eight times as long to add up so short an axis."""
    return np.asarray(cv2.transform(cv2.multiply(colours, colours), np.full((1, 3), 1 / 3, np.float32)), np.float32)
