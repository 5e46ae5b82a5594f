"""Trials: a file goes through the library and through the command, and what comes of it is judged."""

from __future__ import annotations

import faulthandler
import shutil
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

import PIL
import torch

from fuzz.cases import Case
from fuzz.ground import Ground
from wct.cli.looks import parse_levels
from wct.cli.options import parse_factors, parse_tile, parse_weighted
from wct.cli.regions import parse_region
from wct.cli.video import parse_keyframes
from wct.errors import InputError, WctError
from wct.images import Picture, PictureWarning, read
from wct.images.label import label
from wct.models import Model
from wct.models.published import read_published
from wct.regions import Region
from wct.stylizer import Stylizer
from wct.training.recipe import Recipe
from wct.video import Schedule, Settings, stylize_clip
from wct.video.film import Film

__all__ = ["TRIALS", "Outcome", "argv", "tried"]

LIMIT = 30.0
"""Seconds after which a file counts as a trap."""

BUDGET = 10**6
"""Pixels: header lies below the real budget would only take time."""

LARGE = 20_000
"""Pixels above which a picture is reduced before it is stylised."""


@dataclass(frozen=True)
class Outcome:
    """What came of a case: a result, one line, or what must not be."""

    kind: Literal["result", "line", "other"]
    words: str
    seconds: float = 0.0


class TooLong(BaseException):
    """Not to be caught by anything that catches errors."""


def _picture(ground: Ground, path: Path) -> None:
    picture = read(path, max_pixels=BUDGET)
    size = 24 if picture.size[0] * picture.size[1] > LARGE else None
    if size is not None and max(picture.size) > 20 * min(picture.size):
        picture, size = picture.resized((30, 20)), None
    result = ground.stylizer(picture, ground.style, size=size)
    wanted = picture if size is None else picture.resized(size)
    assert result.size == wanted.size and bool(torch.isfinite(result.rgb).all())
    result.save(out := path.parent / "out.png")
    again = read(out)
    assert again.size == wanted.size
    if wanted.alpha is not None:
        assert again.alpha is not None and (again.alpha == wanted.alpha).all()
    out.unlink()


def _finite(result: Picture) -> None:
    assert result.size == (16, 24) and bool(torch.isfinite(result.rgb).all())


def _style(ground: Ground, path: Path) -> None:
    _finite(ground.stylizer(ground.content, path))


def _mask(ground: Ground, path: Path) -> None:
    _finite(ground.stylizer(ground.content, [Region(ground.style, path)]))


def _card(ground: Ground, path: Path) -> None:
    """The description that lies beside whole weights."""
    for part in ("encoder.safetensors", "decoder.safetensors"):
        (path.parent / part).symlink_to(ground.model / part)
    try:
        _finite(Stylizer(path.parent, device="cpu")(ground.content, ground.wave))
    finally:
        for part in ("encoder.safetensors", "decoder.safetensors"):
            (path.parent / part).unlink()


def _weights(ground: Ground, path: Path) -> None:
    read_published(path)
    with suppress(WctError):  # of the narrow model, for which the tiny one is another
        _finite(Stylizer(Model.load(ground.model, encoder=path))(ground.content, ground.wave))


def _film(ground: Ground, path: Path) -> None:
    schedule, settings = Schedule([(0.0, ground.style)]), Settings(size=16)
    report = stylize_clip(ground.stylizer, str(path), schedule, str(path.parent / "out.mp4"), settings)
    frames = list(Film(str(path.parent / "out.mp4")).frames())
    assert len(frames) == report.frames and not any(frame.broken for frame in frames)


def _recipe(_: Ground, path: Path) -> None:
    Recipe.read(path)


def _words(_: Ground, path: Path) -> None:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    parsers: tuple[Callable[[str], object], ...] = (parse_weighted, parse_levels, parse_tile, parse_region)
    keyed: tuple[Callable[[str], object], ...] = (lambda t: parse_factors(t, "x"), lambda t: parse_keyframes([t]))
    for parse in (*parsers, *keyed):
        with suppress(WctError):
            parse(text)


TRIALS = {
    "picture": _picture,
    "mask": _mask,
    "style": _style,
    "weights": _weights,
    "card": _card,
    "recipe": _recipe,
    "film": _film,
    "words": _words,
}


def argv(ground: Ground, kind: str, path: Path) -> list[str] | None:
    """The command that reads the file, into out.png or out.mp4 beside it; None where there is none."""
    model, out = ["--model", str(ground.model)], str(path.parent / "out.png")
    small = ["--max-pixels", str(BUDGET), "--size", "16"]
    photo, wave, name = str(ground.photo), str(ground.wave), str(path)
    match kind:
        case "picture":
            return ["stylize", "-o", out, *model, *small, "--", name, wave]
        case "style":
            return ["stylize", "-o", out, *model, "--", photo, name]
        case "mask":
            return ["stylize", "-o", out, *model, f"--mask={name}", "--", photo, wave]
        case "weights":
            return ["stylize", "-o", out, *model, f"--encoder={name}", "--", photo, wave]
        case "film":
            return ["video", "-o", str(path.parent / "out.mp4"), *model, "--size", "16", "--", name, wave]
    return None


def tried(ground: Ground, case: Case, run: Callable[[Path], Outcome] | None = None) -> Outcome:
    """The case in a folder of its own, through the library or through `run`, and whether it left anything there."""
    folder = ground.folder / "case"
    folder.mkdir()
    began = time.perf_counter()
    try:
        path = case.placed(folder)
        before = set(folder.iterdir())
        with _in_time():
            found = run(path) if run else _judged(TRIALS[case.kind], ground, path)
        left = {one.name for one in folder.iterdir()} - {one.name for one in before} - {"out.png", "out.mp4"}
        if left:
            found = Outcome("other", f"left {sorted(left)}")
    except TooLong:
        found = Outcome("other", f"not done after {LIMIT:g} s")
    finally:
        shutil.rmtree(folder)
    return Outcome(found.kind, found.words, time.perf_counter() - began)


def _judged(trial: Callable[[Ground, Path], None], ground: Ground, path: Path) -> Outcome:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            trial(ground, path)
            found = Outcome("result", "")
        except WctError as error:
            found = _line(str(error), path if isinstance(error, InputError) else None)
        except Exception:
            found = Outcome("other", traceback.format_exc(limit=-6))
    # Pillow's own are about the file, and for whoever asks Python to show them.
    strange = [one for one in seen if not (issubclass(one.category, PictureWarning) or _is_pillows(one.filename))]
    return Outcome("other", f"a warning: {strange[0]}") if strange else found


def _is_pillows(file: str) -> bool:
    return Path(file).is_relative_to(Path(PIL.__file__).parent)


def _line(text: str, path: Path | None) -> Outcome:
    if not text.isprintable():
        return Outcome("other", f"not one printable line: {text!r}")
    if path is not None and label(path) not in text:
        return Outcome("other", f"does not name the file: {text}")
    return Outcome("line", text.replace(label(path), "…") if path else text)


@contextmanager
def _in_time() -> Iterator[None]:
    """TooLong after LIMIT; where not even that gets through, the end of the process with all stacks."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooLong

    old = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    faulthandler.dump_traceback_later(2 * LIMIT, exit=True)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, old)
