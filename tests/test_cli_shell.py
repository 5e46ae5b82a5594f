"""Around every verb: help without torch, one line per error, signals, closed pipes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import weakref
from contextlib import suppress
from inspect import signature
from pathlib import Path

import pytest
import torch
from shell import LIMIT, Call, environment, picture, start

import wct
from wct.cli import main, stylize
from wct.errors import ModelError
from wct.look import Look

HEAVY = {"torch", "torchvision", "scipy", "numpy", "PIL", "safetensors"}
VERBS = ("stylize", "style", "grid", "texture", "models", "doctor", "demo", "evaluate", "train", "bench")


def test_help_and_version_load_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from wct.cli import main\n"
        "statuses = [main(line.split()) for line in ('--version', '--help', '', 'stylize --help', 'train --help',"
        " 'train decoders --help', 'evaluate stylization -h')]\n"
        f"assert statuses == [0] * 7 and not {HEAVY!r} & set(sys.modules), (statuses, sys.modules.keys())"
    )
    command = [sys.executable, "-c", script]
    found = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=LIMIT, check=False)
    assert (found.returncode, found.stderr) == (0, b"")
    assert found.stdout.startswith(f"wct {wct.__version__}\n".encode())


def test_every_verb_has_help(call: Call) -> None:
    found = call("--help")
    assert found.status == 0
    assert all(verb in found.out.decode() for verb in VERBS)
    for verb in VERBS:
        assert call(verb, "--help").status == 0


def test_defaults_are_those_of_look() -> None:
    defaults = {name: option.default for name, option in signature(stylize.stylize).parameters.items()}
    look = Look()
    for name in ("alpha", "transform", "rank", "passes", "color", "color_strength"):
        assert defaults[name] == getattr(look, name)
    # None: that of the look, which --photo changes.
    assert [defaults[name] for name in ("levels", "mode", "detail", "grain")] == [None] * 4


@pytest.mark.parametrize("arguments", [["frobnicate"], ["train"], ["--frobnicate"], ["evaluate", "beauty"]])
def test_bad_use_is_one_line(call: Call, arguments: list[str]) -> None:
    assert re.search(r"see wct.* --help$", call(*arguments).refused())


@pytest.mark.parametrize("place", ["before", "after"])
def test_debug_shows_the_traceback(call: Call, place: str) -> None:
    verb = ["stylize", "none.png", "none.png"]
    found = call("--debug", *verb) if place == "before" else call(*verb, "--debug")
    assert found.status == 2
    assert found.err.startswith("Traceback") and found.err.splitlines()[-1].startswith("error: none.png")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (RuntimeError("boom\nbang"), 1, "unexpected RuntimeError (boom bang)"),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), 1, "out of memory"),
        (OSError(28, "No space left on device", "there"), 1, "there: cannot be used (No space left on device)"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_surprises_are_one_line(
    call: Call, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("wct.images.output.check_output", fail)
    monkeypatch.setattr("wct.cli.shell._abandon_stdout", lambda: None)
    assert line in call("stylize", "a.png", "b.png").refused(status)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_a_process_cleanly(tmp_path: Path, tiny_folder: Path, number: signal.Signals, status: int) -> None:
    style = picture(tmp_path / "wave.png")
    process = start("stylize", "-", style, "-o", "out.png", "--model", tiny_folder, cwd=tmp_path)
    assert process.stdin is not None
    # More than a pipe holds: once it is written, the process is reading, with all of torch loaded.
    process.stdin.write(bytes(2**20))
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == status
    assert err.decode() == f"error: {'interrupted' if number == signal.SIGINT else 'terminated'}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["wave.png"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_while_writing_leave_nothing_or_the_old_file(
    call: Call, tmp_path: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    picture(tmp_path / "photo.png")
    (tmp_path / "old.png").write_bytes(b"precious")
    monkeypatch.setattr("os.fsync", lambda _: os.kill(os.getpid(), number))
    for name in ("new.png", "old.png"):
        found = call("stylize", "photo.png", "photo.png", "-o", name, "--overwrite", "--model", tiny_folder)
        found.refused(128 + number)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.png", "photo.png"]
    assert (tmp_path / "old.png").read_bytes() == b"precious"


def test_a_reader_that_left_is_no_error(tmp_path: Path, tiny_folder: Path) -> None:
    style = picture(tmp_path / "wave.png", (300, 300))
    process = start("stylize", style, style, "-o", "-", "--model", tiny_folder, cwd=tmp_path)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    with process:
        assert process.wait(LIMIT) == 141
        assert process.stderr.read() == b""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_a_terminal_shows_progress_and_brackets_in_names_are_no_markup(tmp_path: Path, tiny_folder: Path) -> None:
    picture(tmp_path / "[b] photo.png")
    ours, theirs = os.openpty()
    process = start("stylize", "[b] photo.png", "[b] photo.png", "--model", tiny_folder, cwd=tmp_path, stderr=theirs)
    os.close(theirs)
    shown = b""
    with process, suppress(OSError):  # which is how Linux says that the other side is closed
        while part := os.read(ours, 4096):
            shown += part
    os.close(ours)
    assert process.wait(LIMIT) == 0
    assert b"[b] photo.png relu1_1 decode" in shown
    assert shown.rstrip().endswith(b"[b] photo-stylized.png: written, 53x37")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_standard_output_is_one_line(tmp_path: Path, tiny_folder: Path) -> None:
    style = picture(tmp_path / "wave.png")
    with open("/dev/full", "wb") as full:
        process = start("stylize", style, style, "-o", "-", "--model", tiny_folder, cwd=tmp_path, stdout=full.fileno())
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 1
    assert len(err.splitlines()) == 1 and b"No space left" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_wait_while_a_library_is_loaded(
    call: Call, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    """Where its own code is interrupted, torch aborts the process."""
    done = []

    def load(*_: object, **__: object) -> None:
        with monkeypatch.context() as loading:
            loading.setattr(torch.__spec__, "_initializing", True, raising=False)
            os.kill(os.getpid(), number)
            done.append("loaded")
        signal.sigtimedwait([], LIMIT)

    monkeypatch.setattr("wct.images.output.check_output", load)
    call("stylize", "a.png", "b.png").refused(128 + number)
    assert done == ["loaded"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_told_whatever_a_library_makes_of_it(
    call: Call, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def lose(*_: object, **__: object) -> None:
        try:
            os.kill(os.getpid(), number)
        except KeyboardInterrupt:
            raise ModelError("not whole") from None

    monkeypatch.setattr("wct.images.output.check_output", lose)
    line = call("stylize", "a.png", "b.png").refused(128 + number)
    assert line == f"error: {'interrupted' if number == signal.SIGINT else 'terminated'}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_not_lost_where_exceptions_are(call: Call, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Resource:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)

    def lose(*_: object, **__: object) -> None:
        one = Resource()
        weakref.finalize(one, os.kill, os.getpid(), number)
        del one
        signal.sigtimedwait([], LIMIT)

    monkeypatch.setattr("wct.images.output.check_output", lose)
    call("stylize", "a.png", "b.png").refused(128 + number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_whose_exception_went_nowhere_comes_again(
    call: Call, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """As in the callbacks with which the interpreter drops the locks of modules that it has imported."""

    class Resource: ...

    kept = []

    def lose(*_: object, **__: object) -> None:
        one = Resource()
        kept.append(weakref.ref(one, lambda _: os.kill(os.getpid(), number)))
        del one
        signal.sigtimedwait([], LIMIT)

    monkeypatch.setattr("wct.images.output.check_output", lose)
    line = call("stylize", "a.png", "b.png").refused(128 + number)
    assert line == f"error: {'interrupted' if number == signal.SIGINT else 'terminated'}"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_the_very_end_are_too_late(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Last(io.StringIO):
        def flush(self) -> None:
            os.kill(os.getpid(), number)

    monkeypatch.setattr("sys.stdout", last := Last())
    assert main(["--version"]) == 0
    assert last.getvalue() == f"wct {wct.__version__}\n"


def test_nothing_is_left_changed_in_this_process() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers], sys.unraisablehook
    assert main(["--version"]) == 0
    assert ([signal.getsignal(number) for number in numbers], sys.unraisablehook) == before
