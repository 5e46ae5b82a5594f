"""Places that fail under a run: small and read-only disks, folders that vanish, and others who write there as well."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from films import cut, write_film
from narrow import published, write_keras
from PIL import Image
from shell import LIMIT, environment, picture, run, start
from tiny import TINY, write_tiny

from wct.images import read

OWN_DISK = ["unshare", "--user", "--map-root-user", "--mount"]
"""A process whose disks nobody else sees, and who may make them."""


def can_mount() -> bool:
    try:
        return not subprocess.run([*OWN_DISK, "mount", "-t", "tmpfs", "wct", "/mnt"], capture_output=True).returncode
    except OSError:
        return False


on_own_disk = pytest.mark.skipif(not can_mount(), reason="needs user namespaces, to make disks without being root")

STEPS = """
import json, os, subprocess, sys
disk, steps = sys.argv[1], json.loads(sys.argv[2])
for options, words in steps:
    new = [] if options.startswith("remount") else ["-t", "tmpfs", "wct"]
    subprocess.run(["mount", "-o", options, *new, disk], check=True)
    done = subprocess.run([sys.executable, "-m", "wct", *words], capture_output=True, text=True)
    files = {name: os.path.getsize(os.path.join(disk, name)) for name in os.listdir(disk)}
    print(json.dumps([done.returncode, done.stderr, files]))
"""


def on_disk(folder: Path, *steps: tuple[str, list[object]], **variables: str) -> list[tuple[int, str, dict[str, int]]]:
    """Status, stderr and then the files of `folder`, a disk of its own, of commands run one after the other.

    With each command come the options with which the disk is made ("size=…") or changed ("remount,…").
    """
    folder.mkdir()
    told = json.dumps([[options, [str(word) for word in words]] for options, words in steps])
    command = [*OWN_DISK, sys.executable, "-c", STEPS, str(folder), told]
    done = subprocess.run(
        command, cwd=folder.parent, env=environment() | variables, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def one_line(status: int, err: str) -> str:
    assert status in (1, 2) and err.startswith("error: ") and err.count("\n") == 1, (status, err)
    return err


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A photo, more of them in a folder, and a style."""
    for path, seed in ((tmp_path / "photo.png", 0), (tmp_path / "wave.png", 1)):
        picture(path, (120, 160), seed=seed)
    (tmp_path / "photos").mkdir()
    for seed in range(40):
        picture(tmp_path / "photos" / f"{seed}.png", (120, 160), seed=seed)
    return tmp_path


@on_own_disk
def test_a_disk_that_is_too_small(files: Path, tiny_folder: Path) -> None:
    command = ["stylize", "photo.png", "wave.png", "--model", tiny_folder, "-o", "disk/out.png"]
    (status, err, left), (again, said, made) = on_disk(
        files / "disk", ("size=8k", command), ("remount,size=1m", command)
    )
    assert "No space left" in one_line(status, err) and left == {}
    assert (again, list(made)) == (0, ["out.png"]), said


@on_own_disk
def test_a_batch_whose_disk_becomes_full_goes_on_with_more_room(files: Path, tiny_folder: Path) -> None:
    command: list[object] = ["batch", "photos", "wave.png", "--model", tiny_folder, "-o", "disk"]
    (status, err, left), (again, said, made) = on_disk(
        files / "disk", ("size=400k", command), ("remount,size=20m", command)
    )
    failed = [line for line in err.splitlines() if line.startswith("failed: ")]
    assert status == 1 and 0 < len(left) == 40 - len(failed), err
    assert all("No space left" in line or "is full" in line for line in failed)
    assert (again, len(made)) == (0, 40) and made | left == made, said


@on_own_disk
def test_a_disk_that_cannot_be_written_to(files: Path, tiny_folder: Path) -> None:
    (files / "home" / "vgg19").mkdir(parents=True)
    first = ["stylize", "photo.png", "wave.png", "--model", tiny_folder, "-o", "disk/out.png"]
    cases: list[list[object]] = [
        ["stylize", "photo.png", "wave.png", "--model", tiny_folder, "-o", "disk/other.png"],
        [*first, "--overwrite"],
        ["batch", "photos", "wave.png", "--model", tiny_folder, "-o", "disk/many"],
        ["models", "fetch", "vgg19"],
        ["models", "import", "vgg19", write_keras(files / "published.h5", published())],
    ]
    found = on_disk(
        files / "disk", ("size=1m", first), *(("remount,ro", case) for case in cases), WCT_HOME=str(files / "disk")
    )
    assert found[0][0] == 0
    for status, err, left in found[1:]:
        line = one_line(status, err)
        assert "cannot be written to" in line or "Read-only file system" in line
        assert left == found[0][2]


def waits_for(path: Path, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + LIMIT
    while not path.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.002)
    assert path.exists(), process.communicate()


def test_the_folder_of_a_picture_vanishes(files: Path, tiny_folder: Path) -> None:
    (files / "out").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)
    Image.fromarray(noise).save(files / "noise.png")
    data = (files / "noise.png").read_bytes()
    process = start("stylize", "-", "wave.png", "--model", tiny_folder, "-o", "out/new.png", cwd=files)
    assert process.stdin is not None
    process.stdin.write(data[: 2**17])  # more than a pipe holds: when it is written, the process is reading
    process.stdin.flush()
    (files / "out").rename(files / "gone")
    _, err = process.communicate(data[2**17 :], timeout=LIMIT)
    assert "does not exist" in one_line(process.returncode, err.decode())
    assert list((files / "gone").iterdir()) == [] and not (files / "out").exists()


def test_the_folder_of_a_batch_vanishes(files: Path, tiny_folder: Path) -> None:
    process = start("batch", "photos", "wave.png", "--model", tiny_folder, "-o", "out", cwd=files)
    waits_for(files / "out" / "0.png", process)
    (files / "out").rename(files / "gone")
    _, err = process.communicate(timeout=LIMIT)
    # What was being written when the folder went has no name that it could be removed by.
    whole = [path for path in (files / "gone").glob("*.png") if read(path).size == (120, 160)]
    failed = [line for line in err.decode().splitlines() if line.startswith("failed: ")]
    assert process.returncode == 1 and len(whole) + len(failed) == 40 and "Traceback" not in err.decode()


@pytest.mark.parametrize("output", ["film.mp4", "frames"])
def test_the_pieces_of_a_film_vanish(files: Path, tiny_folder: Path, output: str) -> None:
    write_film(files / "in.mp4", cut(100, (48, 64), 70))
    process = start("video", "in.mp4", "wave.png", "--model", tiny_folder, "-o", output, cwd=files)
    waits_for(files / f".{output}.wct" / "000000.piece", process)
    (files / f".{output}.wct").rename(files / "gone")
    _, err = process.communicate(timeout=LIMIT)
    one_line(process.returncode, err.decode())
    assert not (files / output).exists()


def test_the_folder_of_a_training_is_its_own_and_vanishes(files: Path) -> None:
    write_tiny(files / "start")
    phase: dict[str, Any] = {"steps": 2000, "batch": 1, "size": 32, "rate": 1e-3, "stages": 1.0}
    train = {"start": 8, "start_size": 48, "encoder": [], "decoder": [phase]}
    (files / "recipe.toml").write_text(tomli_w.dumps(TINY | {"train": train}))
    process = start(
        "train", "decoders", "recipe.toml", "--data", "photos", "--run", "run", "--start", "start", cwd=files
    )
    waits_for(files / "run" / "log.jsonl", process)
    process.send_signal(signal.SIGSTOP)
    other = run("train", "decoders", "recipe.toml", "--data", "photos", "--run", "run", "--start", "start", cwd=files)
    assert "another training works in it" in other.refused()
    process.send_signal(signal.SIGCONT)
    (files / "run").rename(files / "gone")
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode in (1, 2)
    assert "--resume" in err.decode().splitlines()[-1] and "Traceback" not in err.decode()


def at_once(count: int, begin: Callable[[int], subprocess.Popen[bytes]]) -> list[tuple[int, str]]:
    """Status and stderr of processes that work at the same time."""
    processes = [begin(number) for number in range(count)]
    said = [process.communicate(timeout=LIMIT)[1].decode() for process in processes]
    return [(process.returncode, err) for process, err in zip(processes, said, strict=True)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_several_write_the_same_picture(files: Path, tiny_folder: Path, overwrite: bool) -> None:
    def begin(number: int) -> subprocess.Popen[bytes]:
        base = ["stylize", f"photos/{number}.png", "wave.png", "--model", tiny_folder, "-o", "out.png"]
        return start(*base, *["--overwrite"][:overwrite], cwd=files)

    found = at_once(3, begin)
    done = [number for number, (status, _) in enumerate(found) if status == 0]
    for number, (status, err) in enumerate(found):
        assert number in done or "exists already" in one_line(status, err) or "appeared meanwhile" in err
    assert len(done) == (3 if overwrite else 1)
    made = read(files / "out.png").rgb
    alone = []
    for number in done:
        base = ["stylize", f"photos/{number}.png", "wave.png", "--model", tiny_folder, "-o", f"{number}.png"]
        assert run(*base, cwd=files).status == 0
        alone.append(read(files / f"{number}.png").rgb)
    assert any(bool((made == one).all()) for one in alone)
    assert not list(files.glob("*.part"))


def test_of_two_runs_one_makes_the_film(files: Path, tiny_folder: Path) -> None:
    write_film(files / "in.mp4", cut(100, (48, 64), 70))
    base = ["video", "in.mp4", "wave.png", "--model", tiny_folder, "-o", "out"]
    process = start(*base, cwd=files)
    waits_for(files / ".out.wct" / "settings", process)
    process.send_signal(signal.SIGSTOP)
    assert "another run is making it" in run(*base, "--alpha", 0.5, cwd=files).refused()
    process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err.decode()) == (0, "out: written, frames: 100, shots: 2\n")
    assert len(list((files / "out").iterdir())) == 100 and not (files / ".out.wct").exists()


def test_two_runs_of_a_batch_share_its_folder(files: Path, tiny_folder: Path) -> None:
    found = at_once(2, lambda _: start("batch", "photos", "wave.png", "--model", tiny_folder, "-o", "out", cwd=files))
    assert found == [(0, ""), (0, "")]
    assert run("batch", "photos", "wave.png", "--model", tiny_folder, "-o", "alone", cwd=files).status == 0
    made, alone = ({path.name: path.read_bytes() for path in (files / name).iterdir()} for name in ("out", "alone"))
    assert made == alone and len(made) == 40
