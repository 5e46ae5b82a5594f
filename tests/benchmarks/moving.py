"""The README's moving comparison: photos under a wipe that turns them into one style after the other.

python tests/benchmarks/moving.py
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from math import cos, pi

from pictures import FOLDER
from PIL import Image, ImageDraw

from wct import Style, Stylizer
from wct.samples import PAINTINGS, paint, photo

SIZE, CORNER, PAPER = (300, 450), 84, (250, 249, 246)
WIPE, TURN, STAY = 16, 8, 8
"""Frames that the wipe takes, that one style takes to become the next, and that each style stays."""
MILLISECONDS = 70


def with_corner(image: Image.Image, paintings: list[tuple[float, Image.Image]]) -> Image.Image:
    """The picture with small paintings in its lower right corner, each as much as its weight."""
    shown = Image.new("RGB", (CORNER, CORNER))
    total = 0.0
    for weight, painting in paintings:
        total += weight
        shown = Image.blend(shown, painting, weight / total) if weight else shown
    framed = Image.new("RGB", (CORNER + 6, CORNER + 6), PAPER)
    framed.paste(shown, (3, 3))
    made = image.copy()
    made.paste(framed, (image.width - CORNER - 14, image.height - CORNER - 14))
    return made


def frames(stylizer: Stylizer) -> Iterator[Image.Image]:
    """The whole comparison; its last frame leads back to its first."""
    plain = photo("coffee").resized(SIZE)
    small = [paint(name).resized((CORNER, CORNER)).to_pil() for name in PAINTINGS]
    styles = [stylizer.style(paint(name), scale=0.6) for name in PAINTINGS]

    def made(style: Style) -> Image.Image:
        return stylizer(plain, style, alpha=0.9).to_pil()

    yield from wipe(plain.to_pil(), with_corner(made(styles[0]), [(1.0, small[0])]))
    for at in range(len(styles)):
        yield from [with_corner(made(styles[at]), [(1.0, small[at])])] * STAY
        if at + 1 == len(styles):
            break
        for step in range(1, TURN):
            share = step / TURN
            style = stylizer.style(*styles[at : at + 2], weights=[1 - share, share], blend="barycentre")
            yield with_corner(made(style), [(1 - share, small[at]), (share, small[at + 1])])
    yield from wipe(with_corner(made(styles[-1]), [(1.0, small[-1])]), plain.to_pil())


def wipe(before: Image.Image, after: Image.Image) -> Iterator[Image.Image]:
    """One picture, and a line that uncovers the other from the left."""
    for step in range(WIPE + 1):
        x = round(before.width * (1 - cos(pi * step / WIPE)) / 2)
        frame = before.copy()
        frame.paste(after.crop((0, 0, x, after.height)), (0, 0))
        if 0 < step < WIPE:
            ImageDraw.Draw(frame).line([(x, 0), (x, frame.height)], PAPER, 3)
        yield frame


if __name__ == "__main__":
    first, *others = frames(Stylizer("compact", device="cpu"))
    data = io.BytesIO()
    first.save(data, "WEBP", save_all=True, append_images=others, duration=MILLISECONDS, loop=0, quality=70, method=6)
    (FOLDER / "moving.webp").write_bytes(data.getvalue())
