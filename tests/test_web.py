"""The logic of the web page: a visitor's session, the studio that all share, and the shelf of saved styles."""

from __future__ import annotations

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hostile import bomb
from PIL import Image
from shell import picture

from wct.errors import InputError, OutputError, UsageError, WctError
from wct.images import Picture, read
from wct.look import Look
from wct.masks import resize_mask
from wct.models import Model
from wct.progress import Progress
from wct.regions import Region
from wct.style import Style
from wct.stylizer import Stylizer
from wct.web.incoming import bytes_of, settings_of
from wct.web.preview import SIDE, Preview
from wct.web.session import Session, jpeg
from wct.web.settings import Limits, Settings
from wct.web.shelf import Shelf
from wct.web.studio import Studio

SETTINGS = Settings((1.0, 0.5, 1.0, 1.0), Look(), 300)


@pytest.fixture
def studio(tiny_model: Model, tmp_path: Path) -> Studio:
    return Studio(lambda: Stylizer(tiny_model), lambda: Shelf(tmp_path / "shelf"), Limits())


@pytest.fixture
def session(studio: Studio, tmp_path: Path) -> Session:
    return filled(studio.session("a visitor"), tmp_path, 0)


def filled(session: Session, folder: Path, seed: int) -> Session:
    """With a photo and two styles."""
    session.take_photo(session.read(picture(folder / f"{seed}.png", (320, 400), seed=seed).read_bytes(), "photo.png"))
    for name in ("one", "two"):
        data = picture(folder / f"{name}.png", (90, 80), seed=seed + len(name)).read_bytes()
        session.add_style(name, session.read(data, name))
    return session


def sources(session: Session) -> list[Picture | Style]:
    return [style.source for style in session.styles if style is not None]


def full(session: Session, settings: Settings = SETTINGS) -> bytes:
    result = session.full(settings, lambda _: None)
    assert result is not None
    return result.png


@pytest.mark.parametrize(
    "look",
    [
        Look(alpha=0.6),
        Look(color="content"),
        Look(color="luminance", levels=(4, 3)),
        Look(levels=(1,)),
        Look(grain=9.0),
    ],
)
def test_previews_and_results_are_those_of_a_stylizer(session: Session, look: Look) -> None:
    stylizer, photo = session.studio.stylizer, session.photo
    assert photo is not None
    one, two = sources(session)
    mask = torch.zeros(photo.size)
    mask[:, :160] = 1
    for session.mask in (None, mask):
        colors = photo.resized(300) if look.color == "content" else None
        style = stylizer.style(one, two, weights=[1, 0.5], colors=colors)
        where = None if session.mask is None else resize_mask(mask, photo.resized(300).size)
        made = stylizer(photo.resized(300), [Region(style, where)], look=look)
        found = read(full(session, replace(SETTINGS, look=look)))
        assert float((found.rgb - made.rgb).abs().max()) <= 0.51 / 255

        small = stylizer.style(
            one, two, weights=[1, 0.5], scale=SIDE / 300, colors=photo.resized(SIDE) if colors else None
        )
        wanted = stylizer(photo, [Region(small, session.mask)], size=300, preview=SIDE, look=look)
        preview = Preview(stylizer, photo, 300)
        for alpha in (0.2, look.alpha):  # what was kept of the first move does not change the second
            shown = preview([one, two], [1, 0.5], replace(look, alpha=alpha), session.mask)
        assert shown.size == wanted.size
        assert float((shown.rgb - wanted.rgb).abs().max()) < 1e-5


def test_a_painted_mask_keeps_the_rest_and_a_black_one_means_everywhere(session: Session) -> None:
    everywhere = full(session)
    pixels = np.zeros((64, 80), np.uint8)
    session.take_mask(file_of(pixels))
    assert session.mask is None and full(session) == everywhere
    pixels[:, :40] = 255
    session.take_mask(file_of(pixels))
    made, photo = read(full(session)), session.photo
    assert photo is not None
    assert float((made.rgb - photo.resized(300).rgb)[..., 200:].abs().max()) < 0.01
    assert float((made.rgb - photo.resized(300).rgb)[..., :160].abs().mean()) > 0.01
    with pytest.raises(InputError, match="mask"):
        session.take_mask(b"no picture")
    session.take_photo(photo)
    assert session.mask is None


def file_of(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_newest_move_wins_and_those_that_wait_are_never_drawn(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, begun, go = [], threading.Event(), threading.Event()

    def slow(_: Preview, _sources: object, weights: list[float], *_rest: object) -> Picture:
        drawn.append(weights[0])
        begun.set()
        assert go.wait(60)
        return Picture(torch.zeros(3, 4, 4))

    monkeypatch.setattr(Preview, "__call__", slow)
    with ThreadPoolExecutor(3) as pool:
        moves = [pool.submit(session.preview, replace(SETTINGS, weights=(0.1, 1, 1, 1)))]
        assert begun.wait(60)
        for weight, waiting in ((0.2, 2), (0.3, 3)):
            moves.append(pool.submit(session.preview, replace(SETTINGS, weights=(weight, 1, 1, 1))))
            while session._move < waiting + 3:  # a photo and two styles were moves too
                pass
        go.set()
        found = [move.result() for move in moves]
    assert drawn == [0.1, 0.3]
    assert [one is None for one in found] == [True, True, False]


def test_a_preview_of_what_the_result_shows_does_not_take_its_place(session: Session) -> None:
    other = replace(SETTINGS, size=64)
    assert session.preview(other) is not None
    full(session, other)
    assert session.preview(other) is None
    assert session.preview(SETTINGS) is not None
    assert session.preview(other) is not None
    full(session, other)
    session.drop_style(1)
    assert session.preview(other) is not None


def test_a_cancelled_result_is_gone_and_the_next_one_is_made(session: Session) -> None:
    steps: list[Progress] = []

    def step(done: Progress) -> None:
        steps.append(done)
        if len(steps) == 3:
            session.cancel()
            with pytest.raises(UsageError, match="already"):
                session.full(SETTINGS, lambda _: None)

    assert session.full(SETTINGS, step) is None
    assert len(steps) == 3 and session.result is None
    assert read(full(session)).size == (300, 375)


def test_two_visitors_at_once_get_what_each_alone_would_get(studio: Studio, tmp_path: Path) -> None:
    alone = []
    for seed in (1, 2):
        visitor = filled(Session(studio), tmp_path, seed)
        preview = visitor.preview(SETTINGS)
        alone.append((full(visitor), preview))
    together = [filled(studio.session(name), tmp_path, seed) for name, seed in (("a", 1), ("b", 2))]
    with ThreadPoolExecutor(4) as pool:
        results = [pool.submit(full, visitor) for visitor in together]
        previews = [pool.submit(visitor.preview, SETTINGS) for visitor in together]
        assert all(one.result() == png for one, (png, _) in zip(results, alone, strict=True))
        shown = [one.result() for one in previews]
    assert all(found in (None, wanted) for found, (_, wanted) in zip(shown, alone, strict=True))
    for visitor in together:
        visitor.preview(replace(SETTINGS, size=64))
    assert all(visitor.preview(SETTINGS) == wanted for visitor, (_, wanted) in zip(together, alone, strict=True))
    assert len(set(alone)) == 2


def test_what_is_no_picture_or_too_large_is_refused_and_changes_nothing(session: Session) -> None:
    photo, small = session.photo, Studio(session.studio._load, session.studio._shelf, Limits(1000, 10_000, 256))
    for data, words in (
        (b"hello", "notes.jpg: is a text file"),
        (b"", "is empty"),
        (bomb("PNG", 60000, 60000), "60000"),
    ):
        with pytest.raises(InputError, match=words):
            session.read(data, "C:\\me\\notes.jpg")
    with pytest.raises(InputError, match=r"notes.jpg: has 0.0 MB"):
        Session(small).read(bytes(1001), "/etc/notes.jpg")
    tight = Session(small)
    tight.take_photo(Picture(torch.rand(3, 50, 300)))
    tight.add_style("style", Picture(torch.rand(3, 20, 20)))
    for size in (100, 257):
        with pytest.raises(UsageError, match="choose a smaller size"):
            tight.full(replace(SETTINGS, size=size), lambda _: None)
    assert session.photo is photo


def test_four_styles_are_the_most_and_a_place_can_be_freed(session: Session) -> None:
    assert [session.add_style("more", Picture(torch.rand(3, 9, 9))) for _ in range(2)] == [2, 3]
    with pytest.raises(UsageError, match="remove one"):
        session.add_style("five", Picture(torch.rand(3, 9, 9)))
    session.drop_style(1)
    assert session.ready and session.add_style("again", Picture(torch.rand(3, 9, 9))) == 1
    for place in range(4):
        session.drop_style(place)
    assert not session.ready
    with pytest.raises(UsageError, match="no style"):
        session.preview(SETTINGS)
    with pytest.raises(UsageError, match="no photo"):
        _ = Session(session.studio).view


def test_a_visitor_is_remembered_until_too_many_came_after(studio: Studio, tmp_path: Path) -> None:
    def fill() -> str:
        full(filled(studio.session("a"), tmp_path, 0))
        result = studio.session("a").result
        assert result is not None and studio.result(result.token) is result
        return result.token

    token, session = fill(), studio.session("a")
    studio.leave("a")
    assert studio.result(token) is not None and studio.session("a") is session
    studio.leave("a")
    for other in range(4):
        studio.session(str(other))
        studio.leave(str(other))
    assert studio.result(token) is None and studio.session("a").photo is None
    token = fill()
    for other in range(31):
        studio.session(str(other))
    assert studio.result(token) is not None
    studio.session("one more")
    assert studio.result(token) is None and studio.result("another") is None
    studio.leave("nobody")


def test_a_kept_style_gives_the_blend_that_was_kept(session: Session, tmp_path: Path) -> None:
    shelf, blend = session.studio.shelf, session.blend(SETTINGS)
    assert shelf.pictures() == {} and not (tmp_path / "shelf").exists()
    assert shelf.save(blend, " Blue waves ") == "Blue waves"
    assert shelf.load("Blue waves").digest == blend.digest
    with pytest.raises(OutputError, match="another name"):
        shelf.save(blend, "Blue waves")
    for name in ("", "../out", "a/b", ".hidden", "x" * 41, "a\0b"):
        with pytest.raises(UsageError, match="name"):
            shelf.save(blend, name)
    (tmp_path / "shelf" / "broken.style").write_bytes(b"no style")
    (tmp_path / "outside.style").write_bytes((tmp_path / "shelf" / "Blue waves.style").read_bytes())
    assert list(session.studio.faces("saved")) == ["Blue waves"]
    for kind, name in (("saved", "../outside"), ("saved", str(tmp_path / "outside")), ("painting", "monet")):
        with pytest.raises(InputError, match="choose another"):
            session.studio.style(kind, name)
    made = full(session)
    session.drop_style(1)
    session.drop_style(0)
    session.add_style("kept", session.studio.style("saved", "Blue waves"))
    with pytest.raises(UsageError, match="only its own colours"):
        session.preview(replace(SETTINGS, look=Look(color="content")))
    assert float((read(full(session)).rgb - read(made).rgb).abs().max()) <= 1.01 / 255


def test_pictures_to_look_at_are_small_and_opaque(session: Session) -> None:
    clear = Picture(torch.rand(3, 40, 200), np.zeros((40, 200), np.uint8))
    shown = read(jpeg(clear, 100))
    assert shown.size == (20, 100) and float(shown.rgb.min()) > 0.95
    assert read(jpeg(clear, 1000)).size == (40, 200)
    assert read(session.view).size == (320, 400)


@pytest.mark.parametrize(
    "values",
    [
        (),
        (1, 1, 1, 1, None, 0, [1], "style", 300),
        (1, 1, 1, 1, 1, 0, "x", "style", 300),
        (1, 1, 1, 1, 1, 0, [1], "no", 300),
        (1, 1, 1, 1, float("nan"), 0, [1], "style", 300),
        (1, 1, 1, 1, 1, None, [1], "style", 300),
        (1, 1, 1, 1, 1, 300, [1], "style", 300),
        (1, 1, 1, 1, 1, 0, [9], "style", 300),
        (1, 1, 1, 1, 1, 0, [1], "style", float("inf")),
    ],
)
def test_settings_that_a_request_made_up_are_refused_in_words(values: tuple[object, ...]) -> None:
    with pytest.raises(WctError):
        settings_of(values)


def test_data_urls_are_read_and_nothing_else() -> None:
    assert bytes_of("data:image/png;base64,aGk=") == b"hi" and bytes_of("data:") == b""
    for url in (
        "",
        "file:///etc/passwd",
        "http://localhost/a.png",
        "/etc/passwd",
        "data:text/plain,hi",
        "data:;base64,a",
    ):
        with pytest.raises(UsageError, match="again"):
            bytes_of(url)
