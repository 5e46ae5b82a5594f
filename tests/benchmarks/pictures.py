"""The README's pictures of what the knobs do, from the sample photos and painted styles, into decoders/compact.

python tests/benchmarks/pictures.py [NAME...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from wct import Picture, Region, Stylizer
from wct.images import read
from wct.look import PHOTO
from wct.methods.family import METHODS, Studio, stylized
from wct.methods.stylenet import StyleNet
from wct.samples import PAINTINGS, paint, photo

FOLDER = Path(__file__).resolve().parents[2] / "decoders" / "compact"
HEIGHT, GAP, PAPER, INK = 180, 10, (250, 249, 246), (40, 38, 36)

Cell = tuple[str, Picture]


def lay_out(rows: Sequence[Sequence[Cell]]) -> Picture:
    """Rows of pictures of one height, each with its words below."""
    font = ImageFont.load_default(14)
    step = HEIGHT + 30
    images = [
        [(words, one.resized((HEIGHT, round(one.size[1] * HEIGHT / one.size[0]))).to_pil()) for words, one in row]
        for row in rows
    ]
    width = max(sum(image.width + GAP for _, image in row) for row in images) + GAP
    canvas = Image.new("RGB", (width, GAP + step * len(rows)), PAPER)
    draw = ImageDraw.Draw(canvas)
    for y, row in enumerate(images):
        x = GAP
        for words, image in row:
            canvas.paste(image, (x, GAP + y * step))
            draw.text((x + image.width / 2, GAP + y * step + HEIGHT + 13), words, INK, font, anchor="mm")
            x += image.width + GAP
    return read(np.asarray(canvas), name="sheet")


def strength(stylizer: Stylizer) -> list[list[Cell]]:
    cat, painting = photo("chelsea"), paint("waves")
    style = stylizer.style(painting)
    scaled = {scale: stylizer.style(painting, scale=scale) for scale in (0.25, 0.5, 2.0)}
    return [
        [("photo", cat), *((f"--alpha {a:g}", stylizer(cat, style, alpha=a)) for a in (0.3, 0.6, 1.0, 1.3))],
        [
            ("style", painting),
            *(("--levels " + ",".join(map(str, k)), stylizer(cat, style, levels=k)) for k in ((5,), (4, 3), (2, 1))),
            ("--rank 8", stylizer(cat, style, rank=8)),
            ("--passes 3", stylizer(cat, style, passes=3)),
        ],
        [(f"--style-scale {k:g}", stylizer(cat, one)) for k, one in scaled.items()]
        + [
            ("--mode cascade", stylizer(cat, style, mode="cascade")),
            ("--preview 100", stylizer(cat, style, preview=100)),
        ],
    ]


def blending(stylizer: Stylizer) -> list[list[Cell]]:
    cup = photo("coffee").resized(216)
    corners = [stylizer.style(paint(name)) for name in PAINTINGS]
    rows: list[list[Cell]] = []
    for y in (0.0, 0.5, 1.0):
        row: list[Cell] = []
        for x in (0.0, 0.25, 0.5, 0.75, 1.0):
            weights = [(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y]
            words = " + ".join(f"{w:.3g} {name}" for w, name in zip(weights, PAINTINGS, strict=True) if w)
            row.append((words if max(weights) == 1 else "", stylizer(cup, stylizer.style(*corners, weights=weights))))
        rows.append(row)
    return rows


def regions(stylizer: Stylizer) -> list[list[Cell]]:
    woman = photo("astronaut")
    height, width = woman.size
    y, x = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    face = torch.sigmoid(60 * (0.16 - ((x - 0.44) ** 2 / 0.8 + (y - 0.22) ** 2).sqrt()))
    left, soft = (x < 0.5).float(), 1 - x
    one, other = stylizer.style(paint("waves")), stylizer.style(paint("mosaic"))
    grey = Picture(face.expand(3, -1, -1).contiguous())
    return [
        [
            ("photo", woman),
            ("left half=waves, mosaic", stylizer(woman, [Region(one, left), Region(other)])),
            ("grey ramp=waves, mosaic", stylizer(woman, [Region(one, soft), Region(other)])),
            ("face.png", grey),
            ("face.png=keep, waves", stylizer(woman, [Region(None, face), Region(one)])),
            ("--mask face.png waves", stylizer(woman, [Region(one, face)])),
        ]
    ]


def colour(stylizer: Stylizer) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for content, name in ((photo("coffee"), "waves"), (photo("chelsea"), "mosaic")):
        painting = paint(name)
        made = [(f"--color {c}", stylizer(content, painting, color=c)) for c in ("style", "content", "luminance")]
        rows.append([("photo", content), ("style", painting), *made])
    return rows


def transforms(stylizer: Stylizer) -> list[list[Cell]]:
    woman, painting = photo("astronaut"), paint("mosaic")
    style = stylizer.style(painting, patches=True)
    made = [(f"--transform {k}", stylizer(woman, style, transform=k)) for k in ("ot", "wct", "adain", "mean", "swap")]
    halves = [(f"{k} --levels 3", stylizer(woman, style, transform=k, levels=(3,))) for k in ("whiten", "color")]
    return [[("photo", woman), ("style", painting), *made[:3]], [*made[3:], *halves]]


def photographs(stylizer: Stylizer) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for content, other in ((photo("coffee"), paint("waves")), (photo("chelsea"), photo("coffee"))):
        style = stylizer.style(other)
        rows.append(
            [
                ("photo", content),
                ("style", other),
                ("plain", stylizer(content, style)),
                ("--detail 0.6", stylizer(content, style, detail=0.6)),
                ("--photo", stylizer(content, style, look=PHOTO)),
            ]
        )
    return rows


def evening() -> Picture:
    """A clear sky with a low sun over hills and a lake: what photos of evenings are, and sample photos are not."""
    y, x = torch.meshgrid(torch.linspace(0, 1, 400), torch.linspace(0, 1.5, 600), indexing="ij")

    def color(*rgb: float) -> torch.Tensor:
        return torch.tensor(rgb)[:, None, None]

    def inside(distance: torch.Tensor) -> torch.Tensor:
        return (distance * 400 + 0.5).clamp(0, 1)

    found = torch.lerp(color(0.42, 0.52, 0.68), color(0.93, 0.72, 0.58), y / 0.7)
    found = torch.lerp(found, color(1.0, 0.93, 0.8), inside(0.05 - torch.hypot(x - 0.55, y - 0.38)))
    for height, base, words in ((0.1, 0.66, (0.55, 0.42, 0.47)), (0.07, 0.74, (0.34, 0.26, 0.33))):
        ridge = base - height * (
            0.6 * torch.sin(3.1 * x + 9 * base) + 0.3 * torch.sin(11 * x) + 0.1 * torch.sin(31 * x)
        )
        found = torch.lerp(found, color(*words), inside(y - ridge))
    lake = torch.lerp(color(0.8, 0.62, 0.55), color(0.25, 0.3, 0.42), (y - 0.8) / 0.2)
    return Picture(torch.lerp(found, lake, inside(y - 0.8)).clamp(0, 1))


def grains(stylizer: Stylizer) -> list[list[Cell]]:
    content = evening()
    rows: list[list[Cell]] = []
    for name in ("strokes", "mosaic"):
        style = stylizer.style(paint(name))
        made = [("--grain 0", stylizer(content, style, grain=0.0)), ("plain", stylizer(content, style))]
        rows.append([("a drawing", content), ("style", paint(name)), *made])
    return rows


def textures(stylizer: Stylizer) -> list[list[Cell]]:
    waves, mosaic, linocut = (stylizer.style(paint(name)) for name in ("waves", "mosaic", "linocut"))
    tile = stylizer.texture(waves, 128, tileable=True)
    repeated = Picture(tile.rgb.repeat(1, 2, 2))
    half = stylizer.style(mosaic, linocut)
    return [
        [
            ("mosaic", stylizer.texture(mosaic, 256)),
            ("mosaic --seed 1", stylizer.texture(mosaic, 256, seed=1)),
            ("mosaic linocut", stylizer.texture(half, 256)),
            ("linocut", stylizer.texture(linocut, 256)),
            ("waves --tileable, 2 x 2", repeated),
        ]
    ]


def family(stylizer: Stylizer) -> list[list[Cell]]:
    studio = Studio(stylizer, [StyleNet.load()])
    names = [name for name in METHODS if name != "feedforward"]  # the shipped network is for several styles
    rows: list[list[Cell]] = []
    for content, name in ((photo("coffee").resized(256), "waves"), (photo("chelsea").resized(256), "mosaic")):
        painting = paint(name).resized(256)
        made = [(method, stylized(method, content, painting, studio)) for method in names]
        rows += [[("photo", content), ("style", painting), *made[:1]], [*made[1:]]]
    return rows


SHEETS: dict[str, Callable[[Stylizer], list[list[Cell]]]] = {
    "strength": strength,
    "blending": blending,
    "regions": regions,
    "colour": colour,
    "transforms": transforms,
    "photo": photographs,
    "grain": grains,
    "texture": textures,
    "family": family,
}

if __name__ == "__main__":
    engine = Stylizer("compact", device="cpu")
    for title in sys.argv[1:] or SHEETS:
        lay_out(SHEETS[title](engine)).save(FOLDER / f"{title}.jpg", overwrite=True, quality=78)
