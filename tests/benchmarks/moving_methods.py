"""How much less the methods of `wct.methods.moving` flicker than frame by frame, in warping error.

    python tests/benchmarks/moving_methods.py STYLE [--frames FOLDER] [--size 160] [--count 16] [--iterations 60]

The clips and the error are those of tests/benchmarks/video.py; STYLE is for the optimised frames, the networks'
styles are the shipped one's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from video import Clip, exact, filmed, warping_error

from wct import Picture, Stylizer
from wct.methods.gatys import gatys
from wct.methods.moving import gatys_frames, net_frames
from wct.methods.stylenet import StyleNet
from wct.video.frame import pixels


def pictures(clip: Clip) -> list[Picture]:
    return [Picture(torch.from_numpy(np.ascontiguousarray(one.transpose(2, 0, 1))).float()) for one in clip.frames]


def error(frames: list[Picture], clip: Clip) -> float:
    return warping_error([pixels(one) for one in frames], clip)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("style", type=Path)
    parser.add_argument("--frames", type=Path)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--count", type=int, default=16)
    parser.add_argument("--iterations", type=int, default=60)
    options = parser.parse_args()
    clips = {"exact flow": exact(options.size, options.count)}
    if options.frames:
        clips[options.frames.name] = filmed(options.frames, options.size, options.count)
    stylizer, net = Stylizer("compact", device="cpu"), StyleNet.load()
    style = stylizer.style(options.style)
    table = Table("clip", "method", "frame by frame", "share of it")
    for name, clip in clips.items():
        frames = pictures(clip)
        for known in net.spec.styles:
            alone = error([net.stylize(one, known) for one in frames], clip)
            table.add_row(
                name,
                f"cin, {known}",
                f"{alone:.3f}",
                f"{error(list(net_frames(net, frames, known)), clip) / alone:.2f}",
            )
        few = Clip(clip.frames[:6], clip.flows[:5], clip.seen[:5])
        alone = error([gatys(stylizer, one, style, iterations=options.iterations) for one in pictures(few)], few)
        made = list(gatys_frames(stylizer, pictures(few), style, iterations=options.iterations // 2))
        table.add_row(name, f"gatys, {options.style.stem}", f"{alone:.3f}", f"{error(made, few) / alone:.2f}")
    Console().print(table)
