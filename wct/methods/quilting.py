"""Image quilting: Efros & Freeman, Image Quilting for Texture Synthesis and Transfer, 2001."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch.nn.functional import conv2d

from wct.errors import UsageError
from wct.images import Picture
from wct.methods.hidden import kept, shown
from wct.methods.stopped import Stopped
from wct.progress import Progress, Steps
from wct.sources import scaled

__all__ = ["quilting", "seam", "texture"]

Array = NDArray[np.float32]

BLUR = 2.0
"""Pixels by which luminance is blurred for the correspondence map (section 3)."""

LUMINANCE = 3.0
"""Weight of the squared difference of luminance, against that of each colour."""

SHARE = 6
"""A block overlaps its neighbours by this part of its side (section 2.1)."""


def texture(
    source: Picture,
    size: tuple[int, int],
    *,
    block: int = 36,
    tolerance: float = 0.1,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Picture:
    """A texture of any size, quilted of blocks of `source` (section 2).

    Args:
        source: the texture.
        size: (H, W) of the result in pixels.
        block: side of the blocks in pixels, reduced where the texture is smaller.
        tolerance: blocks up to this much worse than the best are chosen among at random (section 2).
        seed: of these choices.
        progress: called after every block.

    Raises:
        UsageError: a number is out of range.
        Stopped: by Ctrl-C; holds the picture with the blocks so far.
    """
    _check(block, tolerance, 1, seed)
    height, width = size
    if min(size) < 1:
        raise UsageError(f"quilting: found a size of {width}x{height}; needs sides of 1 or more")
    source = shown(source)
    quilt = _Quilt.of(source, block, _luminance(source))
    canvas = np.zeros((*quilt.whole(size), 3), np.float32)
    steps = Steps(progress, len(list(quilt.places(size))))
    try:
        _lay(quilt, canvas, size, tolerance, np.random.default_rng(seed), steps)
    except KeyboardInterrupt as stop:
        raise Stopped(Picture(_pixels(canvas, size), name=source.name)) from stop
    return Picture(_pixels(canvas, size), name=source.name)


def quilting(
    content: Picture,
    style: Picture,
    *,
    block: int = 24,
    iterations: int = 3,
    tolerance: float = 0.1,
    seed: int = 0,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Picture:
    """Texture transfer: the content laid out of blocks of the style (section 3); same size and alpha.

    The correspondence map is blurred luminance. Departures: the content's is given the style's distribution first, or a
    dark photo would find no blocks in a light painting; and it weighs as much as three channels of colour.

    Args:
        content: what is shown.
        style: where blocks come from, reduced to a short side of 512 where it is larger, as the stylizer does.
        block: side of the blocks of the first iteration in pixels; each further one has two thirds of it (section 3).
        iterations: how often it is laid out, each time also after the last result.
        tolerance: blocks up to this much worse than the best are chosen among at random.
        seed: of these choices.
        progress: called after every block.

    Raises:
        UsageError: a number is out of range.
        Stopped: by Ctrl-C; holds the result so far, over the content.
    """
    _check(block, tolerance, iterations, seed)
    style, seen = shown(scaled(style, 1.0, None)[0]), shown(content)
    offered, wanted = gaussian_filter(_luminance(style), BLUR), gaussian_filter(_luminance(seen), BLUR)
    wanted = np.interp(wanted, *_quantiles(wanted, offered)).astype(np.float32)
    quilts = [_Quilt.of(style, max(4, round(block * (2 / 3) ** i)), offered) for i in range(iterations)]
    steps = Steps(progress, sum(len(list(quilt.places(content.size))) for quilt in quilts))
    random, last = np.random.default_rng(seed), None
    canvas = np.zeros((*content.size, 3), np.float32)
    for i, quilt in enumerate(quilts):
        # Section 3: alpha_i = 0.8 (i - 1) / (N - 1) + 0.1.
        alpha = 0.8 * i / (iterations - 1) + 0.1 if iterations > 1 else 0.1
        whole = quilt.whole(content.size)
        canvas = _filled(seen.rgb.cpu().permute(1, 2, 0).numpy() if last is None else last, whole)
        goal = _Goal(alpha, _filled(wanted[..., None], whole), None if last is None else _filled(last, whole))
        try:
            _lay(quilt, canvas, content.size, tolerance, random, steps, goal)
        except KeyboardInterrupt as stop:
            raise Stopped(kept(content, _pixels(canvas, content.size))) from stop
        last = canvas[: content.size[0], : content.size[1]]
    return kept(content, _pixels(canvas, content.size))


def seam(errors: Array) -> NDArray[np.intp]:
    """The minimum error boundary cut (section 2.1): for each row of (h, w) the column where the cheapest path passes.

    From row to row the path moves by one column at most; its cost is the sum of the errors on it.
    """
    height = len(errors)
    costs = errors.astype(np.float64)
    for row in range(1, height):
        near = np.pad(costs[row - 1], 1, constant_values=np.inf)
        costs[row] += np.minimum(np.minimum(near[:-2], near[1:-1]), near[2:])
    path = np.empty(height, np.intp)
    path[-1] = costs[-1].argmin()
    for row in range(height - 2, -1, -1):
        first = max(0, path[row + 1] - 1)
        path[row] = first + costs[row, first : path[row + 1] + 2].argmin()
    return path


@dataclass(frozen=True)
class _Goal:
    """What blocks have to fit besides each other.

    Attributes:
        alpha: weight of fitting each other and the last result, over that of the correspondence (section 3).
        wanted: (H, W, 1), the content's side of the correspondence.
        last: (H, W, 3), the last result, None in the first iteration.
    """

    alpha: float
    wanted: Array
    last: Array | None


@dataclass(frozen=True, eq=False)
class _Quilt:
    """A texture (h, w, 3) with its correspondence, and blocks of it with the pixels by which they overlap."""

    pixels: Array
    block: int
    overlap: int
    stack: torch.Tensor
    energies: dict[tuple[bool, bool], tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @classmethod
    def of(cls, source: Picture, block: int, offered: Array) -> _Quilt:
        rgb = source.rgb.cpu()
        block = min(block, *source.size)
        overlap = max(1, block // SHARE) if block > 1 else 0
        stack = torch.cat([rgb, torch.from_numpy(np.ascontiguousarray(offered, np.float32))[None]])[None]
        return cls(rgb.permute(1, 2, 0).numpy(), block, overlap, stack)

    def whole(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (H, W) filled up to whole blocks."""
        step = self.block - self.overlap
        height, width = (self.block + -(-max(0, side - self.block) // step) * step for side in size)
        return height, width

    def places(self, size: tuple[int, int]) -> Iterator[tuple[int, int]]:
        """The corners of the blocks, row by row."""
        rows, columns = (range(0, side - self.block + 1, self.block - self.overlap) for side in self.whole(size))
        return product(rows, columns)

    def known(self, above: bool, left: bool) -> Array:
        """(block, block), 1 where a block meets others."""
        mask = np.zeros((self.block, self.block), np.float32)
        mask[: self.overlap if above else 0] = 1
        mask[:, : self.overlap if left else 0] = 1
        return mask

    def energy(self, above: bool, left: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Sums of squares of every block: of colours where it meets others and as a whole, of its correspondence."""
        if (above, left) not in self.energies:
            squares = self.stack.square()
            colours, offered = squares[:, :3].sum(1, keepdim=True), squares[:, 3:]
            mask = torch.from_numpy(self.known(above, left))[None, None]
            whole = torch.ones_like(mask)
            self.energies[above, left] = conv2d(colours, mask), conv2d(colours, whole), conv2d(offered, whole)
        return self.energies[above, left]

    def errors(self, there: Array, above: bool, left: bool, goal: _Goal | None, here: Any) -> torch.Tensor:
        """(h - block + 1, w - block + 1), how badly every block of the texture fits."""
        meeting, whole, offered = self.energy(above, left)
        known = self.known(above, left)[..., None] * there
        if goal is None:
            return (meeting - 2 * self._matches(known))[0, 0] + float(np.square(known).sum())
        wanted = np.concatenate([goal.alpha * known, (1 - goal.alpha) * LUMINANCE * goal.wanted[here]], 2)
        total = goal.alpha * meeting + (1 - goal.alpha) * LUMINANCE * offered
        constant = goal.alpha * np.square(known).sum()
        constant += (1 - goal.alpha) * LUMINANCE * np.square(goal.wanted[here]).sum()
        if goal.last is not None:
            wanted[..., :3] += goal.alpha * goal.last[here]
            total = total + goal.alpha * whole
            constant += goal.alpha * np.square(goal.last[here]).sum()
        return (total - 2 * self._matches(wanted))[0, 0] + float(constant)

    def _matches(self, wanted: Array) -> torch.Tensor:
        """The inner product of `wanted` (block, block, 3 or 4) with every block."""
        kernel = torch.from_numpy(wanted.transpose(2, 0, 1).astype(np.float32))[None]
        return conv2d(self.stack[:, : kernel.shape[1]], kernel)


def _lay(
    quilt: _Quilt,
    canvas: Array,
    size: tuple[int, int],
    tolerance: float,
    random: np.random.Generator,
    steps: Steps,
    goal: _Goal | None = None,
) -> None:
    """Fill the canvas with blocks, each cut along the seams to those above and on the left."""
    side = quilt.block
    for y, x in quilt.places(size):
        here = np.s_[y : y + side, x : x + side]
        errors = quilt.errors(canvas[here], bool(y), bool(x), goal, here).clamp_min(0)
        good = (errors <= (1 + tolerance) * errors.min() + 1e-6).nonzero()
        top, left = good[random.integers(len(good))].tolist()
        block = quilt.pixels[top : top + side, left : left + side]
        new = _cut(canvas[here], block, quilt.overlap, bool(y), bool(x))
        canvas[here] = np.where(new[..., None], block, canvas[here])
        steps.step(f"blocks of {side}")


def _cut(there: Array, block: Array, overlap: int, above: bool, left: bool) -> NDArray[np.bool_]:
    """(side, side), where the block replaces what is there: below the seam to the one above, right of the left one."""
    side = len(block)
    errors = np.square(there - block).sum(2)
    new, positions = np.ones((side, side), bool), np.arange(side)
    if left and overlap:
        new &= positions[None, :] >= seam(errors[:, :overlap])[:, None]
    if above and overlap:
        new &= positions[:, None] >= seam(errors[:overlap].T)[None, :]
    return new


def _quantiles(wanted: Array, offered: Array) -> tuple[NDArray[Any], NDArray[Any]]:
    """Points of the curve that gives `wanted` the distribution of `offered`."""
    shares = np.linspace(0, 1, 65)
    points = np.quantile(wanted, shares)
    # Equal ones have to be told apart: a flat picture takes the middle of what is offered.
    return points + (np.arange(65) - 32) * 1e-7, np.quantile(offered, shares)


def _check(block: int, tolerance: float, iterations: int, seed: int) -> None:
    if block < 1 or iterations < 1 or seed < 0 or not 0 <= tolerance < np.inf:
        found = f"block {block}, {iterations} iterations, tolerance {tolerance}, seed {seed}"
        raise UsageError(f"quilting: found {found}; needs 1 or more of the first two, 0 or more of the others")


def _filled(pixels: Array, size: tuple[int, ...]) -> Array:
    """(h, w, C) filled up to `size` by repeating the last row and column."""
    pads = [(0, size[0] - pixels.shape[0]), (0, size[1] - pixels.shape[1]), (0, 0)]
    return np.pad(pixels, pads, mode="edge").astype(np.float32)


def _luminance(picture: Picture) -> Array:
    """(H, W), Y of YIQ."""
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(picture.rgb.cpu().permute(1, 2, 0).numpy() @ weights, np.float32)


def _pixels(canvas: Array, size: tuple[int, int]) -> torch.Tensor:
    """(3, *size)."""
    return torch.from_numpy(canvas[: size[0], : size[1]].transpose(2, 0, 1).copy()).clamp(0, 1)
