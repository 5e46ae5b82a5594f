"""`wct batch` as its users meet it: a folder at once, again after it was killed, and what is refused."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shell import LIMIT, Call, environment, picture, run, start

from wct.batch import WRITERS
from wct.images import read

COUNT = 8

MIDWAY = """
import os, signal, sys
from wct.cli import main
syncs = iter(range(1000))
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL) if next(syncs) == 3 else None
sys.exit(main(sys.argv[1:]))
"""
"""Killed while the fourth file is written, before it has its name."""

FULL = """
import resource, sys
from wct.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A tree of photos and a style."""
    picture(tmp_path / "wave.png", seed=50)
    for i in range(COUNT):
        folder = tmp_path / "photos" / ("" if i % 2 else "deep/er")
        folder.mkdir(parents=True, exist_ok=True)
        picture(folder / f"{i}.{'png' if i % 4 < 2 else 'jpg'}", seed=i)
    return tmp_path


def outputs(folder: Path) -> dict[str, bytes]:
    """What is in a folder, hidden files included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def python(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, timeout=LIMIT)


def counts(out: bytes) -> list[int]:
    """Done, skipped and failed, as the first row of the table on stdout says."""
    row = next(line for line in out.decode().splitlines() if line.startswith("│"))
    return [int(cell) for cell in row.split("│")[1:4]]


def test_a_killed_batch_goes_on_where_it_was(files: Path, tiny_folder: Path) -> None:
    base = ["batch", "photos", "wave.png", "-o", "out", "--recursive", "--model", tiny_folder]
    assert python(MIDWAY, *base, cwd=files).returncode == -signal.SIGKILL
    left = outputs(files / "out")
    whole = {name: data for name, data in left.items() if not name.endswith(".part")}
    assert len(left) > len(whole) >= 1  # killed in the middle of a file
    for name in whole:
        assert read(files / "out" / name).size == (37, 53)
    again = run(*base, cwd=files)
    assert (again.status, again.err) == (0, "")
    assert counts(again.out) == [COUNT - len(whole), len(whole), 0]
    made = outputs(files / "out")
    assert made | whole == made
    assert set(made) == {str(path.relative_to(files / "photos")) for path in (files / "photos").rglob("*.*")}
    assert run(*base[:3], "-o", "fresh", *base[5:], cwd=files).status == 0
    assert outputs(files / "fresh") == made


@pytest.mark.parametrize(
    ("number", "status", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_stopped_batch_says_how_far_it_came(
    files: Path, tiny_folder: Path, number: int, status: int, word: str
) -> None:
    for i in range(60):
        picture(files / "photos" / f"more{i}.png", (240, 320), seed=i)
    process = start(
        "batch", "photos", "wave.png", "-o", "out", "--report", "r.jsonl", "--model", tiny_folder, cwd=files
    )
    while not list((files / "out").glob("[0-9m]*")):
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, out) == (status, b"")
    done = len(outputs(files / "out"))
    assert 0 < done < 64 and not list((files / "out").glob(".*"))
    told = re.fullmatch(rf"error: {word}: (\d+) of 64 pictures \(\1 done, 0 skipped, 0 failed\); .*\n", err.decode())
    assert told and done - 1 - WRITERS <= int(told[1]) <= done
    assert len((files / "r.jsonl").read_text().splitlines()) - int(told[1]) in (0, 1)


def test_a_full_disk_is_a_line_for_each_and_harms_no_file(call: Call, files: Path, tiny_folder: Path) -> None:
    base = ["batch", "photos", "wave.png", "-o", "out", "--recursive", "--overwrite", "--model", tiny_folder]
    assert call(*base).status == 0
    before = outputs(files / "out")
    full = python(FULL, *base, "--alpha", 0.5, cwd=files)
    lines = full.stderr.decode().splitlines()
    assert full.returncode == 1 and len(lines) == COUNT
    assert all(line.startswith("failed: out/") and "cannot be written" in line for line in lines)
    assert outputs(files / "out") == before


def test_a_bad_photo_is_told_and_reported(call: Call, files: Path, tiny_folder: Path) -> None:
    (files / "photos" / "bad[1].png").write_text("no picture")
    base = ["batch", "photos", "wave.png:2", "-o", "out", "--model", tiny_folder, "--report", "r.jsonl"]
    found = call(*base)
    assert found.status == 1 and counts(found.out) == [4, 0, 1]
    assert found.err.startswith("failed: photos/bad[1].png: is a text file") and found.err.count("\n") == 1
    assert "bad[1].png" in found.out.decode()
    rows = [json.loads(line) for line in (files / "r.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["done"] * 4 + ["failed"]
    assert [row["input"] for row in rows] == [
        str(Path("photos", f"{one}")) for one in ("1.png", "3.jpg", "5.png", "7.jpg", "bad[1].png")
    ]
    assert rows[0] | {"seconds": 0} == {
        "input": "photos/1.png",
        "output": "out/1.png",
        "status": "done",
        "error": None,
        "seconds": 0,
        "size": [53, 37],
    }
    assert "text file" in rows[-1]["error"] and rows[-1]["size"] is None
    assert call(*base).status == 1
    rows = [json.loads(line) for line in (files / "r.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["skipped"] * 4 + ["failed"]


def test_a_report_may_lie_with_the_results_and_is_whole_where_nobody_reads_the_table(
    files: Path, tiny_folder: Path
) -> None:
    base = ["photos", "wave.png", "--recursive", "--model", tiny_folder, "-o", "out", "--report", "out/r.jsonl"]
    for status in ("done", "skipped"):
        process = start("batch", *base, cwd=files)
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        with process:
            assert process.wait(LIMIT) == 141
            assert process.stderr.read() == b""
        rows = [json.loads(line) for line in (files / "out" / "r.jsonl").read_text().splitlines()]
        assert [row["status"] for row in rows] == [status] * COUNT
        assert len(outputs(files / "out")) == COUNT + 1


def test_sixteen_bits(call: Call, files: Path, tiny_folder: Path) -> None:
    base = ["batch", "photos", "wave.png", "-o", "out", "--format", "png", "--bits", 16, "--model", tiny_folder]
    assert call(*base).status == 0
    assert {data[24] for data in outputs(files / "out").values()} == {16}
    assert counts(call(*base).out) == [0, 4, 0]


@pytest.mark.parametrize(
    "options",
    [
        ["wave.png", "--alpha", 0.7, "--levels", "4,2", "--strength", "4=0.5", "--rank", 3, "--grain", 4],
        ["wave.png:2", "photos/1.png:1", "--blend", "barycentre", "--style-scale", 0.5],
        ["wave.png", "--color", "content", "--color-strength", 0.8, "--size", 24, "--style-scale", 2],
        ["wave.png", "--photo", "--detail", 0.5, "--passes", 2, "--transform", "wct"],
        ["wave.png", "--mode", "cascade", "--transform", "swap", "--levels", "4,3"],
    ],
)
@pytest.mark.usefixtures("files")
def test_every_look_is_that_of_stylize(call: Call, tiny_folder: Path, options: list[object]) -> None:
    base = [*options, "--model", tiny_folder]
    assert call("batch", "photos/5.png", *base, "-o", "out", "--format", "tif").status == 0
    assert call("stylize", "photos/5.png", *base, "-o", "one.tif").status == 0
    one, other = (np.asarray(Image.open(path)) for path in ("one.tif", "out/5.tif"))
    assert one.shape == other.shape and (one == other).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["empty", "wave.png"], "empty: holds no pictures"),
        (["none", "wave.png"], "none: no such file or folder"),
        (["photos", "none.png"], "none.png: no such file"),
        (["photos", "wave.png", "--format", "bmp"], "choose png, jpg, tif, webp, avif"),
        (["photos", "wave.png", "--transform", "wtc"], "did you mean 'wct'"),
        (["photos", "wave.png", "--photo", "--mode", "single"], "--photo and --mode"),
        (["photos", "wave.png", "--levels", "7"], "level 7 is unknown"),
        (["photos", "wave.png:x"], "the weight 'x' is not a number"),
        (["photos", "wave.png", "-o", "photos"], "is the folder of the photos"),
        (["photos", "wave.png", "-o", "wave.png"], "wave.png: cannot be made"),
        (["photos", "wave.png", "-o", "/proc/out"], "/proc/out: cannot be made"),
        (["photos", "wave.png", "--bits", 16], "found 16 for JPEG; needed 8, or 16 with .png"),
        (["photos", "wave.png", "--report", "wave.png"], "never overwritten"),
        (["photos", "wave.png", "--report", "out/../out/1.png"], "where the result of a photo goes"),
        (["photos", "wave.png", "--report", "no/r.jsonl"], "does not exist"),
        (["photos", "wave.png", "--report", "-"], "needs the name of a file"),
        (["twins", "wave.png", "--format", "png"], "twins/a.jpg and twins/a.png to out/a.png"),
        (["photos"], "Missing argument 'STYLE...'"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(
    call: Call, files: Path, tiny_folder: Path, arguments: list[object], words: str
) -> None:
    (files / "empty").mkdir()
    (files / "twins").mkdir()
    for name in ("a.jpg", "a.png", "b.png"):
        picture(files / "twins" / name)
    before = outputs(files)
    place = [] if "-o" in arguments else ["-o", "out"]
    assert words in call("batch", *arguments, *place, "--model", tiny_folder).refused()
    assert outputs(files) == before
