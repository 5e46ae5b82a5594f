"""`wct video`: what comes out, how it goes on after an interruption, and what is refused before anything is written."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from films import Sound, cut, look, pan, sound_only, write_film
from PIL import Image
from shell import Call, environment, picture, run, start

from wct.cli import main
from wct.cli.video import default_output, parse_keyframes, parse_seconds
from wct.errors import UsageError

SIZE = (48, 64)


def film(path: Path, count: int = 30, **options: object) -> Path:
    return write_film(path, cut(count, SIZE, 15), **options)  # type: ignore[arg-type]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_process_makes_a_film_that_plays_like_the_input(tmp_path: Path, tiny_folder: Path) -> None:
    times = [512 * i + 100 * (i % 3) for i in range(30)]
    source = film(tmp_path / "in.mp4", pts=times, sound=Sound("aac", 1.2))
    picture(tmp_path / "wave.png", seed=1)
    found = run("video", "in.mp4", "wave.png", "-o", "out.mp4", "--model", tiny_folder, cwd=tmp_path)
    assert (found.status, found.out, found.err) == (0, b"", "out.mp4: written, frames: 30, shots: 2\n")
    before, after = look(source), look(tmp_path / "out.mp4")
    assert before.times == pytest.approx([t / 12800 for t in times])
    assert after.times == pytest.approx(before.times)
    assert (after.size, after.tags, after.audio) == (before.size, before.tags, before.audio)
    assert after.packets == before.packets
    assert names(tmp_path) == ["in.mp4", "out.mp4", "wave.png"]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"rotation": 90}, (64, 48)),
        ({"pix_fmt": "yuv420p10le"}, (48, 64)),
        ({"codec": "ffv1", "pix_fmt": "yuv444p"}, (47, 65)),
    ],
)
@pytest.mark.parametrize("name", ["out.mkv", "out.webm"])
def test_turned_deep_and_odd_films(
    call: Call, tmp_path: Path, tiny_folder: Path, options: dict[str, str], size: tuple[int, int], name: str
) -> None:
    stored = size if "rotation" not in options else size[::-1]
    write_film(tmp_path / "in.mkv", pan(3, stored), **options)  # type: ignore[arg-type]
    picture(tmp_path / "wave.png", seed=1)
    assert call("video", "in.mkv", "wave.png", "-o", name, "--model", tiny_folder).status == 0
    seen = look(tmp_path / name)
    assert (seen.size, seen.rotation, len(seen.frames)) == (size, 0, 3)
    assert ("10" in seen.pix_fmt) == ("10le" in options.get("pix_fmt", "") and name == "out.mkv")


def test_films_to_pictures_and_back(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    film(tmp_path / "in.mp4", 20)
    picture(tmp_path / "wave.png", seed=1)
    base = ["--model", tiny_folder, "wave.png"]
    assert call("video", "in.mp4", "-o", "frames", *base).status == 0
    assert names(tmp_path / "frames") == [f"{i:06}.png" for i in range(1, 21)]
    assert call("video", "frames", "-o", "again/100%_%03d.png", *base, "--steady", 0).status == 0
    assert names(tmp_path / "again") == [f"100%_{i:03}.png" for i in range(1, 21)]
    assert call("video", "again/100%_%03d.png", "-o", "out.mp4", *base, "--fps", "12.5", "--size", 24).status == 0
    seen = look(tmp_path / "out.mp4")
    assert seen.size == (24, 32) and seen.times == pytest.approx([i / 12.5 for i in range(20)])
    assert "exists already" in call("video", "in.mp4", "-o", "frames", *base).refused()
    film(tmp_path / "short.mp4", 5)
    picture(tmp_path / "frames" / "002019.png")
    assert call("video", "short.mp4", "-o", "frames", *base, "--overwrite").status == 0
    made = [f"{i:06}.png" for i in range(1, 6)]
    assert names(tmp_path / "frames") == [*made, "002019.png"], "longer by what the first run made, not by a photo"


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv", "out.webm"])
def test_neither_place_nor_author_is_kept_unless_it_shall_be(
    call: Call, tmp_path: Path, tiny_folder: Path, name: str
) -> None:
    said = {"artist": "Jane", "location": "+48.1000+011.5000/", "language": "deu"}
    film(tmp_path / "in.mkv", 3, sound=Sound("aac"), metadata=said)
    picture(tmp_path / "wave.png", seed=1)
    for options in ([], ["--keep-metadata"]):
        base = ["video", "in.mkv", "wave.png", "-o", name, "--model", tiny_folder, "--overwrite"]
        assert call(*base, *options).status == 0
        assert (b"Jane" in (tmp_path / name).read_bytes()) == bool(options)
        with av.open(str(tmp_path / name)) as made:
            found = {key.lower() for key in made.metadata}
            assert found & {"artist", "location"} == ({"artist", "location"} if options else set())
            assert made.streams.audio[0].language == "deu", "players choose by it"


def test_styles_over_time(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    write_film(tmp_path / "in.mp4", pan(1, SIZE) * 25)
    for seed in (1, 2):
        picture(tmp_path / f"{seed}.png", seed=seed)

    def frames(*styles: object) -> list[np.ndarray]:
        base = ["video", "in.mp4", "-o", "out.mkv", "--overwrite", "--crf", 1, "--steady", 0, "--model", tiny_folder]
        assert call(*base, *styles).status == 0
        return [frame.astype(float) for frame in look(tmp_path / "out.mkv").frames]

    one, two = (frames(f"{seed}.png")[0] for seed in (1, 2))
    both = frames("--keyframe", "0s=1.png", "0.96s=2.png")
    assert np.abs(both[0] - one).mean() < 0.2 * np.abs(one - two).mean()
    assert np.abs(both[-1] - two).mean() < 0.2 * np.abs(one - two).mean()
    away = [np.abs(frame - one).mean() for frame in both[::6]]
    assert away == sorted(away)


def test_live_takes_a_pipe(tmp_path: Path, tiny_folder: Path) -> None:
    data = film(tmp_path / "in.mkv").read_bytes()
    picture(tmp_path / "wave.png", seed=1)
    base = ["video", "-", "wave.png", "-o", "out.mp4", "--model", tiny_folder]
    assert "--live" in run(*base, cwd=tmp_path, stdin=data).refused()
    found = run(*base, "--live", cwd=tmp_path, stdin=data)
    assert (found.status, found.err) == (0, "out.mp4: written, frames: 30, shots: 2\n")
    assert len(look(tmp_path / "out.mp4").frames) == 30
    assert names(tmp_path) == ["in.mkv", "out.mp4", "wave.png"]


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(tmp_path: Path, tiny_folder: Path, name: str) -> None:
    """Pictures are the same to the bit; the encoder of films is free to differ a little from run to run."""
    write_film(tmp_path / "in.mp4", cut(100, SIZE, 70), sound=Sound("aac", 4))
    picture(tmp_path / "wave.png", seed=1)
    base = ["video", "in.mp4", "wave.png", "--model", tiny_folder, "--crf", 1, "-o"]
    process = start(*base, name, cwd=tmp_path)
    piece = tmp_path / f".{name}.wct" / "000000.piece"
    limit = time.monotonic() + 60
    while not piece.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL and not (tmp_path / name).exists()
    assert piece.exists()
    assert run(*base, name, cwd=tmp_path).err == f"{name}: written, frames: 100, shots: 2\n"
    assert run(*base, f"whole{name}", cwd=tmp_path).status == 0
    assert names(tmp_path) == ["in.mp4", name, "wave.png", f"whole{name}"]
    if name == "out":
        pairs = [
            ((tmp_path / folder / f"{i:06}.png").read_bytes() for folder in (name, "wholeout")) for i in (1, 49, 99)
        ]
        assert all(one == other for one, other in pairs)
    else:
        killed, whole = look(tmp_path / name), look(tmp_path / "wholeout.mp4")
        assert killed.times == whole.times and killed.packets == whole.packets
        assert max(np.abs(a.astype(float) - b).mean() for a, b in zip(killed.frames, whole.frames, strict=True)) < 3


@pytest.mark.parametrize("moment", [0, 7, 29, 30])
def test_pictures_are_whole_however_far_their_publishing_came(
    call: Call, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    film(tmp_path / "in.mp4")
    picture(tmp_path / "wave.png", seed=1)
    base = ["video", "in.mp4", "wave.png", "--model", tiny_folder, "-o"]
    assert call(*base, "whole").status == 0
    replace, moved = os.replace, 0

    def stopped(source: Path, target: Path) -> None:
        nonlocal moved
        if Path(target).parent.name == "out":
            if moved == moment:
                raise KeyboardInterrupt
            moved += 1
        replace(source, target)

    with monkeypatch.context() as stopping:
        stopping.setattr("os.replace", stopped)
        stopping.setattr("shutil.rmtree", lambda _: signal.raise_signal(signal.SIGINT))
        call(*base, "out").refused(130)
    assert call(*base, "out", "--overwrite").status == 0
    whole, made = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("whole", "out"))
    assert len(whole) == 30 and made.keys() == whole.keys() and all(made[name] == whole[name] for name in whole)
    assert names(tmp_path) == ["in.mp4", "out", "wave.png", "whole"]


def test_what_was_begun_with_other_settings_is_not_taken(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    film(tmp_path / "in.mp4")
    picture(tmp_path / "wave.png", seed=1)
    work = tmp_path / ".out.mkv.wct"
    work.mkdir()
    (work / "settings").write_text("of another run")
    (work / "000000.piece").write_bytes(b"no film")
    assert call("video", "in.mp4", "wave.png", "-o", "out.mkv", "--model", tiny_folder).status == 0
    assert len(look(tmp_path / "out.mkv").frames) == 30
    assert not work.exists()


@pytest.mark.parametrize("name", ["out.mp4", "out"])
def test_a_full_disk_is_one_line_and_the_old_output_stays(
    tmp_path: Path, tiny_folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files may grow to 4000 bytes, then to any size: the second run goes on."""
    noise = np.random.default_rng(0).integers(0, 256, (60, *SIZE, 3), np.uint8)
    write_film(tmp_path / "in.mp4", list(noise))
    picture(tmp_path / "wave.png", seed=1)
    if name == "out.mp4":
        (tmp_path / name).write_bytes(b"precious")
    base = ["video", "in.mp4", "wave.png", "-o", name, "--overwrite", "--model", str(tiny_folder), "--crf", "1"]
    found = subprocess.run(
        [sys.executable, "-m", "wct", *base],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000)),
        check=False,
    )
    assert (found.returncode, found.stdout) == (2, b""), found
    [line] = found.stderr.decode().splitlines()
    assert line.startswith("error: ") and "cannot be written" in line and "File too large" in line
    if name == "out.mp4":
        assert (tmp_path / name).read_bytes() == b"precious"
    assert [path for path in tmp_path.rglob("*") if path.suffix == ".part"] == []
    monkeypatch.chdir(tmp_path)
    assert main(base) == 0
    assert not (tmp_path / f".{name}.wct").exists()


def test_broken_frames_are_counted_and_no_reason_to_stop(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    (tmp_path / "frames").mkdir()
    for i, array in enumerate(pan(10, SIZE), 1):
        Image.fromarray(array).save(tmp_path / "frames" / f"{i}.png")
    for i in (4, 5):
        (tmp_path / "frames" / f"{i}.png").write_bytes(b"not a picture")
    picture(tmp_path / "wave.png", seed=1)
    found = call("video", "frames", "wave.png", "-o", "out", "--model", tiny_folder)
    assert found.status == 1
    wanted = ["out: written, frames: 10, shots: 1"]
    wanted += ["warning: frames: broken frames: 2, the first is 4; they repeat the result before them"]
    assert found.err.splitlines() == wanted
    third, fourth, fifth, sixth = ((tmp_path / "out" / f"{i:06}.png").read_bytes() for i in (3, 4, 5, 6))
    assert third == fourth == fifth != sixth


def test_a_film_cut_short_says_so(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    path = film(tmp_path / "in.mkv", 60, codec="mjpeg", pix_fmt="yuvj420p", tags=(1, 1, 1, 2))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    picture(tmp_path / "wave.png", seed=1)
    found = call("video", "in.mkv", "wave.png", "-o", "out.mp4", "--model", tiny_folder)
    assert found.status in (0, 1)
    assert "of about 60 frames; it is cut short or damaged" in found.err.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.mp4", "wave.png"], "none.mp4: no such file"),
        (["empty.mp4", "wave.png"], "empty.mp4: is empty"),
        (["cut.mp4", "wave.png"], "cut.mp4: is no film, or is cut short"),
        (["wave.txt", "wave.png"], "wave.txt: is a text file"),
        (["sound.mp4", "wave.png"], "no video stream"),
        (["folder", "wave.png"], "folder: holds no pictures"),
        (["in.mp4", "none.png"], "none.png: no such file"),
        (["in.mp4"], "needs either STYLE... or --keyframe"),
        (["in.mp4", "wave.png", "--keyframe", "1=wave.png"], "needs either STYLE... or --keyframe"),
        (["in.mp4", "--keyframe", "wave.png"], "'wave.png'"),
        (["in.mp4", "--keyframe", "1=wave.png,1s=wave.png"], "given twice"),
        (["in.mp4", "wave.png", "-o", "out.gif"], "out.gif: its extension"),
        (["in.mp4", "wave.png", "-o", "gone/out.mp4"], "gone does not exist"),
        (["in.mp4", "wave.png", "-o", "gone/out/%d.png"], "gone"),
        (["in.mp4", "wave.png", "-o", "out_%d.xyz"], "out_1.xyz"),
        (["in.mp4", "wave.png", "-o", "in.mp4", "--overwrite"], "never overwritten"),
        (["in.mp4", "wave.png", "-o", "wave.mp4"], "exists already"),
        (["in.mp4", "wave.mp4:2", "-o", "wave.mp4", "--overwrite"], "is the input wave.mp4, which is never"),
        (["in.mp4", "old/000009.png", "-o", "old", "--overwrite"], "old/000009.png: is the input old/000009.png"),
        (["in.mp4", "--keyframe", "1s=link.png", "-o", "old/%06d.png", "--overwrite"], "is the input link.png"),
        (["in.mp4", "wave.png", "-o", "-"], "-: a film cannot be written to standard output"),
        (["in.mp4", "wave.png", "-o", "out", "--keep-metadata"], "keep-metadata: found a sequence"),
        (["frames", "wave.png", "-o", "out.mp4", "--keep-metadata"], "keep-metadata: found a sequence"),
        (["frames", "wave.png", "-o", "frames", "--overwrite"], "never written to"),
        (["in.mp4", "wave.png", "--steady", 2], "steady is 2"),
        (["in.mp4", "wave.png", "--crf", -1], "crf is -1"),
        (["in.mp4", "wave.png", "--fps", 10], "leave it out"),
        (["frames", "wave.png", "--fps", 0], "fps is 0"),
        (["frames", "wave.png", "--fps", "fast"], "'fast'"),
        (["frames", "wave.png", "--fps", "1e400"], "'1e400'"),
        (["frames", "wave.png", "--fps", "9" * 400], "fps is 1.00000e+400"),
        (["in.mp4", "wave.png", "--transform", "wtc"], "'wtc'"),
        (["in.mp4", "wave.png", "--levels", "9"], "level 9"),
    ],
)
def test_what_cannot_work_is_one_line_and_leaves_nothing(
    call: Call, tmp_path: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    film(tmp_path / "in.mp4", 3)
    sound_only(tmp_path / "sound.mp4")
    picture(tmp_path / "wave.png", seed=1)
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "wave.mp4").write_bytes(b"precious")
    (tmp_path / "wave.txt").write_text("a letter, not a film\n" * 20)
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "in.mp4").read_bytes()[:500])
    (tmp_path / "folder").mkdir()
    (tmp_path / "frames").mkdir()
    picture(tmp_path / "frames" / "1.png")
    (tmp_path / "old").mkdir()
    picture(tmp_path / "old" / "000009.png")
    (tmp_path / "link.png").symlink_to("old/000009.png")
    before = sorted(tmp_path.rglob("*"))
    assert words in call("video", *arguments, "--model", tiny_folder).refused()
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "wave.mp4").read_bytes() == b"precious"


def test_a_pipe_is_refused_without_waiting_for_it(call: Call, tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "wave.png")
    os.mkfifo(tmp_path / "pipe.mp4")
    for source in ("pipe.mp4", "-", "http://127.0.0.1:9/film.mp4"):
        command = ["video", source, "wave.png", "-o", "out.mp4", "--model", tiny_folder]
        assert "add --live" in call(*command).refused()


def test_keyframes_as_they_are_written() -> None:
    assert parse_keyframes(["0s=a.jpg", "1:30=b,c=d.jpg"]) == [(0, "a.jpg"), (90, "b,c=d.jpg")]
    assert parse_keyframes(["0s=a.jpg,10s=b.jpg,20.5=c.jpg"]) == [(0, "a.jpg"), (10, "b.jpg"), (20.5, "c.jpg")]
    assert parse_seconds("1:02:03.5") == 3723.5
    with pytest.raises(UsageError, match=r"'soon=a\.jpg'"):
        parse_keyframes(["soon=a.jpg"])


def test_where_the_result_goes_when_nobody_says(tmp_path: Path) -> None:
    assert default_output("films/a.b.MOV") == "a.b-stylized.MOV"
    assert default_output("a.avi") == "a-stylized.mp4"
    assert default_output("shots/f_%03d.png") == "shots-stylized"
    assert default_output(str(tmp_path)) == f"{tmp_path.name}-stylized"
