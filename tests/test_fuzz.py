"""A sample of the fuzzing that `make fuzz` does: a result or one line, whatever is in a file."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import pytest
from fuzz.cases import Case, nth
from fuzz.ground import Ground
from fuzz.run import trials
from fuzz.trials import TRIALS, Outcome, tried

from wct.errors import InputError

CASES = 320
"""Of which two go through a process of their own."""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"))


@pytest.mark.filterwarnings("ignore")  # judged by the trials
def test_damaged_files_give_a_result_or_one_line(ground: Ground, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    cases = [nth(ground.whole, 0, number) for number in range(CASES)]
    opened, before = len(os.listdir("/proc/self/fd")), ground.listing()
    found = [(case, way, outcome) for case in cases for way, outcome in trials(ground, case)]
    bad = [f"{case}, by {way}: {outcome.words}" for case, way, outcome in found if outcome.kind == "other"]
    assert not bad, "\n".join(bad)
    assert {outcome.kind for _, _, outcome in found} == {"result", "line"}
    assert capfdbinary.readouterr() == (b"", b"")
    assert ground.listing() == before and len(os.listdir("/proc/self/fd")) <= opened


def test_a_case_follows_from_its_seed_and_number(ground: Ground) -> None:
    assert [nth(ground.whole, 3, i) for i in range(50)] == [nth(ground.whole, 3, i) for i in range(50)]
    assert {nth(ground.whole, 3, i).data for i in range(50)} != {nth(ground.whole, 4, i).data for i in range(50)}


@pytest.mark.filterwarnings("ignore")
def test_what_must_not_be_is_seen(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """The judge itself: a traceback, an unnamed file, a second line, a warning, a file left behind, a wait."""

    def caught(trial: object) -> Outcome:
        monkeypatch.setitem(TRIALS, "picture", trial)
        return tried(ground, Case(0, "picture", "a.png", b"", ""))

    def left(_: Ground, path: Path) -> None:
        path.with_name("left").touch()

    def slow(*_: object) -> None:
        time.sleep(60)

    monkeypatch.setattr("fuzz.trials.LIMIT", 0.2)
    errors = (ValueError("x"), InputError("no name"), InputError("two\nlines"))
    outcomes = [caught(raising(error)) for error in errors] + [caught(left), caught(slow), caught(warning)]
    assert [outcome.kind for outcome in outcomes] == ["other"] * 6
    for outcome, words in zip(
        outcomes, ("ValueError", "name", "printable", "left", "not done", "warning"), strict=True
    ):
        assert words in outcome.words


def raising(error: Exception) -> object:
    def trial(*_: object) -> None:
        raise error

    return trial


def warning(*_: object) -> None:
    warnings.warn("of no picture", UserWarning, stacklevel=1)
