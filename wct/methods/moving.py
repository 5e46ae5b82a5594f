"""Moving pictures: optimised frames (Ruder et al. 2016), and fused features of networks (Chen et al. 2017)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wct.images import Picture
from wct.linalg import finite
from wct.methods.gatys import Target
from wct.methods.stopped import Stopped
from wct.methods.stylenet import StyleNet
from wct.progress import Progress, Steps
from wct.style import Style
from wct.stylizer import Stylizer
from wct.video.flow import flow, unreliable, warp
from wct.video.frame import Array, pixels
from wct.video.steady import Steady

__all__ = ["gatys_frames", "net_frames"]

TEMPORAL = 50.0
"""Weight of the mean squared difference from the warped frames before, of pixels in 0..1."""

LONG_TERM = (1, 2, 4)
"""How many frames back a frame looks (Ruder et al. 2016, section 4.3)."""

FIRST = 3
"""How many times the iterations of the others the first frame takes, which has no frame before it to start from."""


def gatys_frames(
    stylizer: Stylizer,
    frames: Iterable[Picture],
    style: Style,
    *,
    iterations: int = 60,
    temporal: float = TEMPORAL,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Iterator[Picture]:
    """Frames of a shot with optimised pixels that move along with the content (Ruder et al. 2016).

    Each frame starts from the result before it, moved along the optical flow, and stays near to earlier results where
    they can still be seen (eq. 6 to 9).

    Args:
        stylizer: whose model looks.
        frames: of one size.
        style: of that model.
        iterations: of each frame; the first takes three times as many.
        temporal: weight of the temporal loss; 0 leaves only the start.
        progress: called after every iteration, of the frame that is worked on.

    Raises:
        ModelError: the style was made by another model.
        NumericsError: the loss is not finite.
        Stopped: by Ctrl-C; holds the frame that was worked on.
    """
    style.check(stylizer.model, "style")
    device = stylizer.model.device
    known: deque[tuple[Array, Array]] = deque(maxlen=max(LONG_TERM))
    for frame in frames:
        content, now = frame.rgb[None].to(device), pixels(frame)
        anchors = [(moved.to(device), (temporal * weights).to(device)) for moved, weights in _anchors(now, known)]
        target = replace(Target.of(stylizer, content, style), anchors=anchors)
        start = anchors[0][0] if anchors else content
        count = iterations if anchors else FIRST * iterations
        made, stopped = target.optimised(start, count, Steps(progress, count))
        result = replace(frame, rgb=made[0].cpu())
        if stopped:
            raise Stopped(result)
        known.append((now, pixels(result)))
        yield result


def _anchors(now: Array, known: deque[tuple[Array, Array]]) -> Iterator[tuple[Tensor, Tensor]]:
    """The results before a frame, moved to it, with weights c_long (eq. 9): each place by the nearest that shows it."""
    taken = np.zeros(now.shape[:2], np.float32)
    for back in LONG_TERM:
        if back > len(known):
            return
        content, result = known[-back]
        backward, forward = flow(now, content), flow(content, now)
        seen = 1 - unreliable(backward, forward)
        moved = warp(result, backward)
        weights = np.maximum(seen - taken, 0)
        taken = np.maximum(taken, seen)
        yield torch.from_numpy(moved.transpose(2, 0, 1).copy())[None], torch.from_numpy(weights)


@torch.inference_mode()
def net_frames(
    net: StyleNet, frames: Iterable[Picture], styles: str | Mapping[str, float], *, strength: float = 0.8
) -> Iterator[Picture]:
    """Frames of a shot by a network whose features are fused over time (Chen et al. 2017, section 4.2).

    F_t becomes (1 - M) F_t + M W(F_{t-1}): the features before, moved along the flow, where M says that they can be
    seen. Departures: the paper learns M with a network of its own; here it is forward-backward consistency of the flow,
    as for `wct video`. And the pixels are fused as there too, for features at a quarter of the size know no smaller
    motion: at 128 pixels features alone leave 0.73 to 0.90 of the warping error, both together 0.38 to 0.57.

    Args:
        net: trained.
        frames: of one size.
        styles: a name that the network has learnt, or {name: weight}.
        strength: of the fusion, 0 (frame by frame) to 1.

    Raises:
        UsageError: a style that the network has not learnt, or weights that do not fit.
        NumericsError: a result is not finite.
    """
    weights, steady = net.weights(styles), Steady(strength)
    before: tuple[Array, Tensor] | None = None
    for frame in frames:
        now, features = pixels(frame), net.encoded(frame.rgb[None].to(weights), weights)
        if before is not None and strength > 0:
            features = _fused(now, features, *before, strength)
        before = now, features
        rgb = net.decoded(features, weights, frame.size)
        made = replace(frame, rgb=finite(rgb, "the picture")[0].float().cpu())
        yield replace(made, rgb=torch.from_numpy(steady(now, pixels(made)).transpose(2, 0, 1).copy()))


def _fused(now: Array, features: Tensor, content: Array, old: Tensor, strength: float) -> Tensor:
    backward = flow(now, content)
    seen = torch.from_numpy(1 - unreliable(backward, flow(content, now)))[None, None]
    size = (features.shape[-2], features.shape[-1])
    shift = torch.from_numpy(backward.transpose(2, 0, 1).copy())[None]
    # A place of the features stands for 4x4 pixels: it moves by their mean, and is seen where all of them are.
    shift, seen = (F.interpolate(_whole(one, size), size, mode="area") for one in (shift, seen))
    mask = strength * (seen == 1).to(features)
    return features + mask * (_moved(old, shift.to(features) / 4) - features)


def _whole(x: Tensor, size: tuple[int, int]) -> Tensor:
    """(1, C, H, W) filled up by repetition to four times `size`."""
    return F.pad(x, (0, 4 * size[1] - x.shape[-1], 0, 4 * size[0] - x.shape[-2]), mode="replicate")


def _moved(x: Tensor, shift: Tensor) -> Tensor:
    """x(p + shift(p)) for every place p of (1, C, h, w), with shift (1, 2, h, w) in places (x, y)."""
    h, w = x.shape[-2:]
    rows, columns = torch.arange(h).to(x), torch.arange(w).to(x)
    places = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))[None] + shift
    scale = torch.tensor([max(w - 1, 1), max(h - 1, 1)]).to(x)[None, :, None, None]
    grid = (2 * places / scale - 1).movedim(1, -1)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=True)
