"""Films and image sequences as they are read, coded and joined."""

from __future__ import annotations

import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path

import av
import numpy as np
import pytest
from films import Array, Sound, look, pan, sound_only, write_film
from PIL import Image

from wct.errors import InputError, MissingExtraError, UsageError
from wct.video.coding import Coding, Piece
from wct.video.film import Colours, Film
from wct.video.frame import pixels
from wct.video.mux import mux
from wct.video.sequence import Sequence
from wct.video.targets import container_of, is_pattern, matching, numbered_name, target_of

SIZE = (48, 64)
TAGS = Colours(1, 1, 1, 1)


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    monkeypatch.delitem(sys.modules, "wct.video.libraries")
    with pytest.raises(MissingExtraError, match=r"pip install 'wct\[video\]'"):
        import_module("wct.video.libraries")


def read_all(film: Film | Sequence) -> list[Array]:
    return [pixels(frame.picture) for frame in film.frames()]


def test_a_film_is_read_with_its_pictures_and_times(tmp_path: Path) -> None:
    arrays = pan(9, SIZE)
    times = [100 * i + 30 * (i % 2) for i in range(9)]
    path = write_film(tmp_path / "a.mp4", arrays, pts=times)
    film = Film(str(path))
    frames = list(film.frames())
    assert [float(frame.pts * film.time_base) for frame in frames] == pytest.approx([t / 12800 for t in times])
    assert not any(frame.broken for frame in frames)
    worst = max(np.abs(pixels(f.picture) * 255 - a).mean() for f, a in zip(frames, arrays, strict=True))
    assert worst < 4
    assert len(list(film.frames())) == 9, "read twice"


@pytest.mark.parametrize(("degrees", "turns"), [(0, 0), (90, 1), (180, 2), (-90, 3)])
def test_films_are_read_upright(tmp_path: Path, degrees: int, turns: int) -> None:
    """PyAV counts the degrees of a display matrix counter-clockwise, as numpy counts quarter turns."""
    arrays = pan(2, SIZE)
    film = Film(str(write_film(tmp_path / "a.mp4", arrays, rotation=degrees)))
    with av.open(film.path) as container:
        assert next(container.decode(video=0)).rotation % 360 == degrees % 360
    found = read_all(film)[0] * 255
    wanted = np.rot90(arrays[0], turns).astype(float)
    assert found.shape == wanted.shape and np.abs(found - wanted).mean() < 4


def test_ten_bits_are_read_as_ten(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(60, 68, 64)[None, :, None], (48, 1, 3))
    path = tmp_path / "ten.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv444p10le"
        deep = av.VideoFrame.from_ndarray(np.rint(ramp * 257).astype(np.uint16), "rgb48le")
        out.mux(stream.encode(deep.reformat(format="yuv444p10le")))
        out.mux(stream.encode(None))
    film = Film(str(path))
    assert film.deep
    assert len(np.unique(read_all(film)[0][..., 1])) > 20, "8 bits have 9 steps here"


@pytest.mark.parametrize("tags", [(1, 1, 1, 1), (1, 1, 1, 2), (9, 16, 9, 1), (5, 6, 5, 1), (2, 2, 2, 1)])
def test_colours_survive_reading_and_coding(tmp_path: Path, tags: tuple[int, int, int, int]) -> None:
    arrays = [np.full((*SIZE, 3), (200, 60, 90), np.uint8)] * 2
    film = Film(str(write_film(tmp_path / "a.mp4", arrays, tags=tags)))
    frames = [pixels(frame.picture) for frame in film.frames()]
    assert np.abs(frames[0] * 255 - arrays[0]).max() < 5
    joined(tmp_path, film.colours, frames, "out.mp4")
    seen = look(tmp_path / "out.mp4")
    assert seen.tags[:3] == tags[:3]
    assert seen.tags[3] == tags[3] or tags == (2, 2, 2, 1), "limited range needs no tag"
    assert np.abs(read_all(Film(str(tmp_path / "out.mp4")))[0] * 255 - arrays[0]).max() < 8


def joined(folder: Path, colours: Colours, frames: list[Array], name: str, deep: bool = False) -> Coding:
    """Frames at uneven times in three pieces, joined as the film `name`."""
    container, encoder = container_of(name)
    size = frames[0].shape[0], frames[0].shape[1]
    coding = Coding(encoder, 16, size, Fraction(1, 90000), Fraction(25), colours, deep, Fraction(4, 3))
    pieces = []
    for k in range(0, len(frames), 3):
        piece = Piece(coding)
        for i in range(k, min(k + 3, len(frames))):
            piece.add(frames[i], TIMES[i])
        pieces.append(folder / f"{name}{k}.nut")
        pieces[-1].write_bytes(piece.close())
    mux(pieces, str(folder / name), container, coding, audio=None, metadata={"title": "T"}, overwrite=False)
    return coding


TIMES = [4500 + 3600 * i + 700 * (i % 3) for i in range(8)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.webm"])
@pytest.mark.parametrize("size", [SIZE, (47, 65)])
def test_pieces_join_into_a_film(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frames = [array.astype(np.float32) / 255 for array in pan(8, size)]
    joined(tmp_path, TAGS, frames, name)
    seen = look(tmp_path / name)
    assert (seen.size, seen.tags, len(seen.frames)) == (size, (1, 1, 1, 1), 8)
    assert seen.times == pytest.approx([t / 90000 for t in TIMES], abs=0.0006)
    with av.open(str(tmp_path / name)) as film:
        assert name == "a.webm" or film.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert film.metadata.get("title", film.metadata.get("TITLE")) == "T"
    worst = max(np.abs(a - b * 255).mean() for a, b in zip(seen.frames, frames, strict=True))
    assert worst < 6
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


@pytest.mark.parametrize("name", ["a.mp4", "a.webm"])
@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3)])
def test_the_smallest_films(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    frames = [array.astype(np.float32) / 255 for array in pan(4, size)]
    joined(tmp_path, TAGS, frames, name)
    seen = look(tmp_path / name)
    assert (seen.size, len(seen.frames)) == (size, 4)


def test_ten_bits_are_written_as_ten(tmp_path: Path) -> None:
    frames = [np.tile(np.linspace(0.2, 0.24, 64, dtype=np.float32)[None, :, None], (48, 1, 3))]
    joined(tmp_path, TAGS, frames, "a.mp4", deep=True)
    assert look(tmp_path / "a.mp4").pix_fmt == "yuv420p10le"
    assert len(np.unique(read_all(Film(str(tmp_path / "a.mp4")))[0][..., 1])) > 15


def damaged(path: Path) -> Path:
    """A film of intra frames, with the middle one's data overwritten."""
    write_film(path, pan(9, SIZE), codec="mjpeg", pix_fmt="yuvj420p", tags=(1, 1, 1, 2))
    with av.open(str(path)) as film:
        packet = [packet for packet in film.demux(video=0) if packet.size][4]
        assert packet.pos is not None
        place, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[place : place + size] = bytes(size)
    path.write_bytes(data)
    return path


def test_a_broken_frame_repeats_the_last_good_one(tmp_path: Path) -> None:
    frames = list(Film(str(damaged(tmp_path / "a.mov"))).frames())
    assert [frame.number for frame in frames if frame.broken] == [5]
    assert len(frames) == 9
    assert frames[4].picture is frames[3].picture
    assert frames[3].pts < frames[4].pts < frames[5].pts


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.mp4", "no such file"),
        ("empty.mp4", r"empty \(0 bytes\)"),
        ("text.mp4", "is no film"),
        ("cut.mp4", "cut short"),
        ("sound.mp4", "no video stream"),
        ("folder", "holds no pictures"),
        ("frame_%03d.png", "holds no pictures"),
        ("bad", "none of 1 pictures can be read"),
    ],
)
def test_what_is_no_clip_says_why(tmp_path: Path, name: str, words: str) -> None:
    write_film(tmp_path / "good.mp4", pan(9, SIZE))
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "good.mp4").read_bytes()[:900])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("a letter, not a film\n" * 50)
    (tmp_path / "folder").mkdir()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "1.png").write_bytes(b"\x89PNG and no more")
    sound_only(tmp_path / "sound.mp4")
    path = tmp_path / name
    with pytest.raises(InputError, match=words) as caught:
        list((Sequence if path.is_dir() or is_pattern(name) else Film)(str(path)).frames())
    assert "\n" not in str(caught.value) and "Errno" not in str(caught.value)


def test_times_that_are_damaged_are_refused(tmp_path: Path) -> None:
    for name, seconds in (("slow.avi", 60), ("damaged.avi", 61)):
        with av.open(str(tmp_path / name), "w") as out:
            stream = out.add_stream("mpeg4", rate=Fraction(1, seconds))
            out.mux([*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)])
    assert len(list(Film(str(tmp_path / "slow.avi")).frames())) == 1
    with pytest.raises(InputError, match="61 s between two frames"):
        Film(str(tmp_path / "damaged.avi"))


def test_a_film_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    path = write_film(tmp_path / "a.mkv", pan(30, SIZE), codec="mjpeg", pix_fmt="yuvj420p", tags=(1, 1, 1, 2))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    film = Film(str(path))
    assert film.count == 30
    assert 8 < len(list(film.frames())) < 22


def test_sequences_are_sorted_by_number(tmp_path: Path) -> None:
    for i in (1, 2, 10):
        Image.new("RGB", (8, 6), (i * 20, 0, 0)).save(tmp_path / f"f{i}.png")
    for path in (str(tmp_path), str(tmp_path / "f%d.png")):
        clip = Sequence(path, Fraction(10))
        assert [round(float(array[0, 0, 0]) * 255) for array in read_all(clip)] == [20, 40, 200]
        assert [frame.pts * clip.time_base for frame in clip.frames()] == [0, Fraction(1, 10), Fraction(2, 10)]
    assert [frame.number for frame in Sequence(str(tmp_path / "f%d.png")).frames()] == [1, 2, 10]


def test_pictures_that_do_not_fit_count_as_broken(tmp_path: Path) -> None:
    for i, size in enumerate([(8, 6), (8, 6), (9, 6), (8, 6)], 1):
        Image.new("RGB", size, (i * 20, 0, 0)).save(tmp_path / f"{i}.png")
    (tmp_path / "1.png").write_bytes(b"")
    frames = list(Sequence(str(tmp_path)).frames())
    assert [frame.broken for frame in frames] == [True, False, True, False]
    assert [round(float(frame.picture.rgb[0, 0, 0]) * 255) for frame in frames] == [40, 40, 40, 80]


def test_names_of_targets() -> None:
    assert is_pattern("a/frame_%04d.png") and not is_pattern("a/100%.png") and not is_pattern("%d%d.png")
    form = matching("a.b_%03d.png")
    assert form.fullmatch("a.b_012.png") and not form.fullmatch("axb_012.png")
    assert numbered_name("100%_%04d.png", 7) == "100%_0007.png" and numbered_name("%d.png", 12345) == "12345.png"
    assert target_of("out.mp4") == Path("out.mp4")
    assert target_of("out/") == target_of("out") == Path("out/%06d.png")
    with pytest.raises(UsageError, match=r"x\.gif: its extension"):
        container_of("x.gif")


@pytest.mark.parametrize(("name", "kept"), [("a.mp4", True), ("a.mkv", True), ("a.mov", True), ("a.webm", False)])
def test_sound_is_copied_or_coded_anew(tmp_path: Path, name: str, kept: bool) -> None:
    source = write_film(tmp_path / "in.mp4", pan(25, SIZE), sound=Sound("aac"))
    frame = pan(1, SIZE)[0].astype(np.float32) / 255
    container, encoder = container_of(name)
    coding = Coding(encoder, 30, SIZE, Fraction(1, 25), Fraction(25), TAGS, False, Fraction(1))
    piece = Piece(coding)
    for i in range(25):
        piece.add(frame, i)
    (tmp_path / "p").write_bytes(piece.close())
    target = tmp_path / name
    mux([tmp_path / "p"], str(target), container, coding, audio=str(source), metadata={}, overwrite=True)
    before, after = look(source), look(target)
    assert after.audio == (["aac"] if kept else ["opus"])
    if kept:
        assert after.packets == before.packets
    with av.open(str(target)) as film:
        sound = np.concatenate([one.to_ndarray()[0] for one in film.decode(audio=0)])
    assert len(sound) / 48000 == pytest.approx(1, abs=0.06)
    assert np.argmax(np.abs(np.fft.rfft(sound[:48000]))) == pytest.approx(440, abs=12)
