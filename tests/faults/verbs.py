"""The verbs that write, each with small inputs, and what counts as its result."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import narrow
import tomli_w
import torch
from films import cut, look, write_film
from shell import picture
from tiny import TINY, write_tiny

from wct.training import loop

__all__ = ["VERBS", "Verb", "files_of"]

OLD = b"what was there before"


def files_of(folder: Path) -> dict[str, str]:
    """{name: digest} of all files below a folder."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@dataclass(frozen=True)
class Verb:
    """A command and what it works on.

    Attributes:
        inputs: puts its inputs into a folder, once.
        words: the command, in a copy of that folder.
        again: the same after a fault, where it is another.
        old: results that are there before, and are replaced.
        kept: whether a file, by its name, is what the next run goes on from.
        seen: what of the results must be equal after any course of events; all bytes, where a verb can promise that.
    """

    inputs: Callable[[Path], None]
    words: tuple[str, ...]
    again: Callable[[Path], tuple[str, ...]] = lambda _: ()
    old: tuple[str, ...] = ()
    kept: Callable[[str], bool] = lambda _: False
    seen: Callable[[Path], object] = files_of
    ready: Callable[[Path], None] = lambda _: None


def _pictures(folder: Path) -> None:
    write_tiny(folder / "tiny")
    picture(folder / "photo.png", (240, 320))
    picture(folder / "wave.png", (96, 128), seed=1)


def _many(folder: Path) -> None:
    _pictures(folder)
    (folder / "photos").mkdir()
    for seed in range(12):
        picture(folder / "photos" / f"{seed}.png", (120, 160), seed=seed)


def _film(folder: Path) -> None:
    _pictures(folder)
    write_film(folder / "in.mp4", cut(60, (48, 64), 40))


def _training(folder: Path) -> None:
    (folder / "photos").mkdir()
    for seed in range(8):
        picture(folder / "photos" / f"{seed}.png", (64, 64), seed=seed)
    write_tiny(
        folder / "eye", encoder={"widths": [[16] * 2, [16] * 2, [24] * 4, [24] * 4, [24]], "ranks": []}, stages={}
    )
    write_tiny(folder / "start")
    phase = {
        "steps": 12,
        "batch": 5,
        "size": 32,
        "rate": 1e-3,
        "stages": 1.0,
        "entries": [1, 1, 1, 1, 1],
        "pixels": 1.0,
    }
    train = {"start": 8, "start_size": 48, "encoder": [], "decoder": [phase]}
    (folder / "recipe.toml").write_text(tomli_w.dumps(TINY | {"train": train}))


def _seen_film(folder: Path) -> object:
    """Its frames' sizes and times: the coder of films is free to differ a little from run to run."""
    film = look(folder / "out.mp4")
    return film.size, film.times, files_of(folder).keys()


def _saving(_: Path) -> None:
    """Checkpoints after every step."""
    loop.SAVE_EVERY = 0.0


def _resumed(folder: Path) -> tuple[str, ...]:
    return (*_TRAIN, *(("--resume",) if (folder / "run" / "decoder.pt").exists() else ()))


def _seen_model(folder: Path) -> object:
    """All files and the numbers in the checkpoint, whose file has a name of chance in it."""
    files = files_of(folder)
    state = torch.load(folder / "run" / "decoder.pt", weights_only=True)
    return {name: digest for name, digest in files.items() if not name.startswith("run/")}, str(state)


def _published(folder: Path) -> None:
    """The file that a server, whose address is in PUBLISHED, has as well."""
    narrow.write_keras(folder / "published.h5", narrow.published())


def _shelf(folder: Path) -> None:
    data = (folder / "published.h5").read_bytes()
    source = narrow.source_at(os.environ["PUBLISHED"], hashlib.md5(data).hexdigest(), len(data))
    narrow.replace(setattr, folder.parent / "shelf", source)


_LOOK = ("photo.png", "wave.png", "--model", "tiny", "--overwrite", "-o")
_FRAMES = ("video", "in.mp4", "wave.png", "--model", "tiny", "-o", "out")
_TRAIN = ("train", "decoders", "recipe.toml", "--data", "photos", "--run", "run", "--vgg", "eye", "--start", "start")
_TRAIN += ("--device", "cpu", "--export", "mine", "--overwrite")

VERBS = {
    "stylize": Verb(_pictures, ("stylize", *_LOOK, "out.png"), old=("out.png",)),
    "tiles": Verb(_pictures, ("stylize", *_LOOK, "out.tif", "--tile", "64"), old=("out.tif",)),
    "batch": Verb(
        _many,
        ("batch", "photos", "wave.png", "--model", "tiny", "--overwrite", "-o", "out"),
        old=("out/3.png",),
    ),
    "frames": Verb(
        _film,
        _FRAMES,
        lambda case: (*_FRAMES, *(("--overwrite",) if (case / "out").exists() else ())),
        kept=lambda name: ".wct/" in name,
    ),
    "film": Verb(
        _film,
        ("video", "in.mp4", "wave.png", "--model", "tiny", "--overwrite", "-o", "out.mp4"),
        old=("out.mp4",),
        kept=lambda name: ".wct/" in name,
        seen=_seen_film,
    ),
    "train": Verb(
        _training, _TRAIN, _resumed, kept=lambda name: name.startswith("run/"), seen=_seen_model, ready=_saving
    ),
    "fetch": Verb(_published, ("models", "fetch", "vgg19"), kept=lambda name: name.startswith("home/"), ready=_shelf),
}
