"""The table of promises names tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent


def test_every_promise_has_its_tests() -> None:
    rows = re.findall(
        r"^\| (\d+) \| (.+?) \| (.+?) \|$", (HERE / "PROMISES.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [int(number) for number, _, _ in rows] == list(range(1, 32))
    for number, _, tests in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", tests)
        assert named, number
        for file, test in named:
            assert re.search(rf"^ *def {test}\(", (HERE / file).read_text(encoding="utf-8"), re.MULTILINE), (
                number,
                file,
                test,
            )
