"""Files appear whole or not at all, and never over what must be kept."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import types
from pathlib import Path

import hostile
import pytest

from wct.errors import OutputError, WctError
from wct.images import check_output, read, write

OPAQUE = read(hostile.TILES)


def line_of(path: str | Path, **options: object) -> str:
    """The line with which both the early check and the writing refuse `path`."""
    with pytest.raises(OutputError) as early:
        check_output(path, **options)  # type: ignore[arg-type]
    with pytest.raises(OutputError) as late:
        write(OPAQUE, path, **options)  # type: ignore[arg-type]
    assert str(early.value) == str(late.value) and "\n" not in str(early.value)
    return str(early.value)


def test_destinations_that_cannot_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    assert "does not exist" in line_of(tmp_path / "missing" / "out.png")
    assert "is not a folder" in line_of(tmp_path / "file" / "out.png")
    assert "is a folder" in line_of(tmp_path / "folder.png", overwrite=True)
    assert "not a regular file" in line_of(tmp_path / "pipe.png", overwrite=True)
    assert "cannot be written" in line_of("a\0b.png")
    assert "cannot be written" in line_of(tmp_path / ("x" * 300 + ".png"))
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot be written to" in line_of(tmp_path / "out.png")


def test_a_full_disk_is_found_before_computing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: types.SimpleNamespace(free=0))
    assert "is full" in line_of(tmp_path / "out.png")


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    path.chmod(0o640)
    assert "exists already" in line_of(path)
    assert path.read_bytes() == b"precious"
    write(OPAQUE, path, overwrite=True)
    assert read(path).size == (16, 24)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.png"

    def other_writer(*_: object, **__: object) -> bytes:
        path.write_bytes(b"theirs")
        return b"ours"

    monkeypatch.setattr("wct.images.output.encode", other_writer)
    with pytest.raises(OutputError, match="appeared meanwhile"):
        write(OPAQUE, path)
    assert path.read_bytes() == b"theirs" and os.listdir(tmp_path) == ["out.png"]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", unsupported)
    write(OPAQUE, tmp_path / "out.png")
    assert read(tmp_path / "out.png").size == (16, 24) and os.listdir(tmp_path) == ["out.png"]


def test_an_input_is_never_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "in.png"
    write(OPAQUE, source)
    before = source.read_bytes()
    os.link(source, tmp_path / "hard.png")
    os.symlink(source, tmp_path / "soft.png")
    os.symlink(tmp_path, tmp_path / "folder")
    for path in (source, "in.png", "./in.png", "hard.png", "soft.png", "folder/in.png"):
        for given in (source, "hard.png", "soft.png"):
            assert "never overwritten" in line_of(path, overwrite=True, inputs=["-", "missing.png", given])
    assert source.read_bytes() == before
    check_output("other.png", inputs=[source])


def test_writing_through_a_link_keeps_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real.png", tmp_path / "link.png"
    link.symlink_to(target)
    write(OPAQUE, link)
    assert link.is_symlink() and read(target).size == (16, 24)


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), MemoryError()])
@pytest.mark.parametrize("stage", ["os.fsync", "os.replace", "PIL.Image.Image.save"])
def test_a_failure_leaves_the_old_file_and_nothing_else(
    failure: BaseException, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")

    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(stage, fail)
    with pytest.raises((WctError, type(failure))) as caught:
        write(OPAQUE, path, overwrite=True)
    monkeypatch.undo()
    assert isinstance(caught.value, OutputError) or not isinstance(failure, OSError)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.png"]


def test_a_file_size_limit_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.png"
    path.write_bytes(b"old")
    script = """
import resource, sys, torch
from wct.errors import OutputError
from wct.images import Picture, write
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write(Picture(torch.rand(3, 64, 64)), sys.argv[1], overwrite=True)
except OutputError as error:
    print(error)
"""
    root = Path(__file__).parent.parent
    run = [sys.executable, "-c", script, str(path)]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(run, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path}: cannot be written (File too large)") and done.stdout.count("\n") == 1
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["out.png"]


def test_a_terminal_gets_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", types.SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: True))
    assert "is a terminal" in line_of("-")


def test_an_encoder_that_pillow_lacks_is_found_before_computing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.features.check", lambda _: False)
    assert "cannot write AVIF" in line_of(tmp_path / "out.avif")


@pytest.mark.parametrize("name", ["-leading.png", "ünïcödé 画.png", "two\nlines.png", "x" * 250 + ".png"])
def test_unusual_names(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(OPAQUE, name)
    assert os.listdir(tmp_path) == [name]
    assert "exists already" in line_of(name)
