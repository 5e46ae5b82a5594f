"""Methods on moving pictures: steadier than frame by frame, the same where nothing moves, and whole when stopped."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

pytest.importorskip("cv2", reason="the video extra is not installed")

from test_stylenet import random_net

from wct.images import Picture
from wct.methods.gatys import gatys
from wct.methods.moving import gatys_frames, net_frames
from wct.methods.stopped import Stopped
from wct.progress import Progress
from wct.samples import paint, photo
from wct.stylizer import Stylizer

STEP = 2
"""Pixels to the right, from frame to frame."""


def panning(count: int) -> list[Picture]:
    wide = photo("coffee").resized(64).rgb
    return [Picture(wide[:, :, 20 - STEP * t : 84 - STEP * t].contiguous()) for t in range(count)]


def unsteadiness(frames: list[Picture]) -> float:
    """Root mean square difference of each frame and the one before it, moved along."""
    squares = [(b.rgb[:, :, STEP:] - a.rgb[:, :, :-STEP])[:, 6:-6, 6:-6].square().mean() for a, b in pairwise(frames)]
    return float(torch.stack(squares).mean().sqrt())


def test_optimised_frames_move_with_the_content() -> None:
    stylizer = Stylizer("compact", device="cpu")
    style, frames = stylizer.style(paint("mosaic").resized(96), scale=None), panning(4)
    alone = [gatys(stylizer, frame, style, iterations=30) for frame in frames]
    together = list(gatys_frames(stylizer, frames, style, iterations=15))
    assert unsteadiness(together) < 0.6 * unsteadiness(alone)
    assert [one.size for one in together] == [one.size for one in frames]


def test_fused_features_move_with_the_content() -> None:
    net, frames = random_net(), panning(5)
    alone = [net.stylize(frame, "a") for frame in frames]
    unfused, fused = (list(net_frames(net, frames, "a", strength=strength)) for strength in (0.0, 0.8))
    assert all(torch.allclose(a.rgb, b.rgb, atol=1e-6) for a, b in zip(alone, unfused, strict=True))
    assert unsteadiness(fused) < 0.7 * unsteadiness(alone)


def test_where_nothing_moves_nothing_changes() -> None:
    net, frames = random_net(), panning(1) * 4
    first, *others = net_frames(net, frames, {"a": 1.0, "b": 2.0})
    assert all(float((one.rgb - first.rgb).abs().max()) < 1 / 255 for one in others)


def test_odd_sizes_and_cuts_pass() -> None:
    net = random_net()
    frames = [Picture(torch.from_numpy(np.random.default_rng(t).random((3, 21, 35), np.float32))) for t in range(3)]
    assert [one.size for one in net_frames(net, frames, "b")] == [(21, 35)] * 3


def test_a_run_that_is_stopped_leaves_the_frame_it_was_at() -> None:
    stylizer = Stylizer("compact", device="cpu")
    style, calls = stylizer.style(paint("mosaic").resized(48), scale=None), 0

    def stop(_: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls == 10:
            raise KeyboardInterrupt

    frames = gatys_frames(stylizer, panning(3), style, iterations=2, progress=stop)
    assert next(frames).size == next(frames).size == (64, 64)
    with pytest.raises(Stopped) as stopped:
        next(frames)
    assert stopped.value.picture.size == (64, 64)
