"""The benchmark of steadiness: how much less a stylised film flickers than its frames stylised one by one.

    python tests/benchmarks/video.py STYLE... [--frames FOLDER] [--vgg FILE] [--size 256] [--count 20] [--save FOLDER]

Two clips: one with exact flow, a photo under a moving camera with a disc of another photo moving before it, and the
pictures of FOLDER, if given. Figures, as shares of those of frame-by-frame stylisation in the same run, mean over
the styles:

warping error   root mean square difference of a frame and the one before it, moved along the flow, where nothing is
                occluded. For FOLDER the flow is estimated, by another method (Farneback) than wct uses (DIS).
sharpness       of the last five frames: what is blended again and again may lose it.
style distance  of `wct evaluate stylization`, mean over five frames; needs --vgg.

The content's own warping error, in the same unit, is what no stylisation could go below with this flow.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from wct import Picture, Stylizer
from wct.evaluation.stylization import style_distance
from wct.images import list_pictures, read
from wct.models import Model
from wct.plan import Memory
from wct.samples.photos import photo
from wct.video.defaults import STEADY
from wct.video.flow import unreliable, warp
from wct.video.frame import pixels
from wct.video.plans import SAMPLES, spread
from wct.video.steady import Steady


@dataclass
class Clip:
    """Frames (H, W, 3) in 0..1; for each but the first the flow to the one before it, and where it is seen there."""

    frames: list[Any]
    flows: list[Any]
    seen: list[Any]


def exact(size: int, count: int) -> Clip:
    """A photo that pans, turns and grows, and before it a disc that moves by itself."""
    ground, disc = (pixels(photo(name).resized(size + size // 2)) for name in ("astronaut", "coffee"))
    y, x = np.mgrid[:size, :size].astype(np.float32)

    def camera(t: int) -> Any:
        """From places in frame t to places in the photo."""
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), 0.25 * t, 1 - 0.003 * t)
        turn[:, 2] += size / 4 + 1.3 * t, size / 4 - 0.6 * t
        return turn

    def inside(t: int) -> Any:
        return (x - centre(t)[0]) ** 2 + (y - centre(t)[1]) ** 2 < (size / 6) ** 2

    def centre(t: int) -> Any:
        return np.array([size * 0.25 + 2.7 * t, size * 0.6 - 1.1 * t])

    def places(matrix: Any) -> Any:
        return np.stack([x, y, np.ones_like(x)], -1) @ np.asarray(matrix, np.float32).T

    clip = Clip([], [], [])
    for t in range(count):
        behind = warp(ground, places(camera(t)) - np.stack([x, y], -1), cv2.INTER_CUBIC)
        shift = np.broadcast_to((size * 0.75 - centre(t)).astype(np.float32), (size, size, 2))
        before = warp(disc, shift, cv2.INTER_CUBIC)
        clip.frames.append(np.where(inside(t)[..., None], before, behind).clip(0, 1))
        if t:
            whole = np.vstack([camera(t - 1), [0, 0, 1]])
            back = (np.linalg.inv(whole) @ np.vstack([camera(t), [0, 0, 1]]))[:2]
            flow = places(back) - np.stack([x, y], -1)
            flow = np.where(inside(t)[..., None], centre(t - 1) - centre(t), flow).astype(np.float32)
            was = warp(inside(t - 1).astype(np.float32), flow)
            apart = np.where(inside(t), was, 1 - was) > 0.99
            there = np.stack([x, y], -1) + flow
            clip.flows.append(flow)
            clip.seen.append(apart & (there >= 0).all(-1) & (there <= size - 1).all(-1))
    return clip


def filmed(folder: Path, size: int, count: int) -> Clip:
    """The first pictures of a folder, with estimated flow."""
    frames = [pixels(read(path).resized(size)) for path in list_pictures(folder)[:count]]
    greys = [cv2.cvtColor(np.uint8(np.rint(frame * 255)), cv2.COLOR_RGB2GRAY) for frame in frames]

    def flow(one: Any, other: Any) -> Any:
        return cv2.calcOpticalFlowFarneback(one, other, None, 0.5, 5, 15, 5, 7, 1.5, 0)

    clip = Clip(frames, [], [])
    for before, now in pairwise(greys):
        clip.flows.append(flow(now, before))
        clip.seen.append(unreliable(clip.flows[-1], flow(before, now)) == 0)
    return clip


def warping_error(frames: list[Any], clip: Clip) -> float:
    """Root mean square over all frames but the first, in 0..1."""
    squares = [
        np.square(now - warp(before, flow))[seen].mean()
        for (before, now), flow, seen in zip(pairwise(frames), clip.flows, clip.seen, strict=True)
    ]
    return float(np.sqrt(np.mean(squares)))


def sharpness(frames: list[Any]) -> float:
    """Mean square of the Laplacian over the last five frames."""
    return fmean(float(np.square(cv2.Laplacian(frame, cv2.CV_32F)).mean()) for frame in frames[-5:])


def picture(frame: Any) -> Picture:
    return Picture(torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1), np.float32)))


def steadied(made: list[Any], contents: list[Any], strength: float) -> list[Any]:
    steady = Steady(strength)
    return [steady(content, one) for content, one in zip(contents, made, strict=True)]


def ways(stylizer: Stylizer, clip: Clip, style: Any, strengths: list[float]) -> Iterator[tuple[str, list[Any]]]:
    """The clip stylised in every way there is."""
    contents = [picture(frame) for frame in clip.frames]

    def each(make: Callable[[Picture], Picture]) -> list[Any]:
        return [pixels(make(content)) for content in contents]

    yield "frame by frame", each(lambda content: stylizer(content, style))
    plan = stylizer.plan([contents[i] for i in spread(len(contents), SAMPLES)], style)
    planned = each(lambda content: stylizer(content, plan))
    yield "one plan", planned
    for strength in strengths:
        yield f"one plan, steady {strength:g}", steadied(planned, clip.frames, strength)
    memory = Memory(0.9)
    live = each(lambda content: stylizer(content, style, memory=memory))
    yield "live", live
    yield f"live, steady {STEADY:g}", steadied(live, clip.frames, STEADY)


def measured(
    name: str, clip: Clip, stylizer: Stylizer, style: Path, args: argparse.Namespace, vgg: Model | None
) -> dict[str, Any]:
    """{way: (warping error, sharpness, style distance)} for one style; the frames go into `args.save`."""
    wanted = read(style)
    found = {}
    for way, frames in ways(stylizer, clip, stylizer.style(wanted), args.steady):
        some = [picture(frames[i]) for i in spread(len(frames), 5)]
        distance = fmean(style_distance(vgg, one, wanted) for one in some) if vgg else float("nan")
        found[way] = np.array([warping_error(frames, clip), sharpness(frames), distance])
        for i, frame in enumerate(frames if args.save else []):
            target = args.save / name / style.stem / way.replace(", ", "-").replace(" ", "-") / f"{i:03}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            picture(frame).save(target, overwrite=True)
    return found


def report(name: str, clip: Clip, stylizer: Stylizer, args: argparse.Namespace, vgg: Model | None) -> Table:
    """One row for every way, as shares of the first, mean over all styles."""
    table = Table("", "warping error", "sharpness", "style distance", title=f"{name}: {len(clip.frames)} frames")
    styles = [measured(name, clip, stylizer, style, args, vgg) for style in args.styles]
    base = next(iter(styles[0]))
    for way in styles[0]:
        shares = np.mean([style[way] / style[base] for style in styles], axis=0)
        table.add_row(way, *(f"{share:.3f}" for share in shares))
    absolute = ", ".join(f"{value:.4f}" for value in np.mean([style[base] for style in styles], axis=0))
    table.caption = f"{base}: {absolute}; the content's own error {warping_error(clip.frames, clip):.4f}"
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description="Steadiness of stylised films, against frame by frame.")
    parser.add_argument("styles", type=Path, nargs="+", help="style pictures")
    parser.add_argument("--frames", type=Path, help="a folder of successive frames")
    parser.add_argument("--vgg", type=Path, help="VGG-19's weights, for the style distance")
    parser.add_argument("--size", type=int, default=256, help="short side in pixels [256]")
    parser.add_argument("--count", type=int, default=20, help="frames of each clip [20]")
    parser.add_argument("--steady", type=float, nargs="*", default=[STEADY], help=f"strengths of fusion [{STEADY}]")
    parser.add_argument("--save", type=Path, help="keep all frames in this folder")
    args = parser.parse_args()
    stylizer = Stylizer(device="cpu")
    vgg = Model.load("vgg19", device="cpu", encoder=args.vgg) if args.vgg else None
    clips = {"exact": exact(args.size, args.count)}
    if args.frames:
        clips["film"] = filmed(args.frames, args.size, args.count)
    for name, clip in clips.items():
        Console().print(report(name, clip, stylizer, args, vgg))


if __name__ == "__main__":
    main()
