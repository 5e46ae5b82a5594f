"""The shipped model on the project's own sample pictures, against pictures kept in tests/golden.

After a change that is meant to alter the look: `python tests/test_golden.py` writes them anew; look at them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wct.images import Picture, read
from wct.samples import paint
from wct.stylizer import Stylizer

GOLDEN = Path(__file__).parent / "golden"
LOOKS: dict[str, dict[str, Any]] = {
    "single": {},
    "cascade": {"mode": "cascade", "grain": 0.0},
    "alpha": {"alpha": 0.6},
    "levels": {"levels": (3, 1), "strength": {1: 0.5}},
}


def part(name: str, top: int, height: int, width: int) -> Picture:
    """A part of a sample painting, small and of an awkward size."""
    painting = paint(name)
    return Picture(painting.rgb[:, top : top + height, 100 : 100 + width].contiguous(), name=name)


def made(stylizer: Stylizer, look: str) -> Picture:
    content = part("mosaic", 60, 131, 97)
    style = stylizer.style(part("waves", 200, 150, 160), part("strokes", 100, 120, 200), weights=[3, 1])
    return stylizer(content, style, **LOOKS[look])


@pytest.fixture(scope="module")
def stylizer() -> Stylizer:
    return Stylizer("compact", device="cpu")


@pytest.mark.parametrize("look", LOOKS)
def test_the_look_has_not_changed(stylizer: Stylizer, look: str) -> None:
    found, needed = (np.asarray(p.to_pil(), np.int16) for p in (made(stylizer, look), read(GOLDEN / f"{look}.png")))
    histogram = np.bincount(np.abs(found - needed).ravel())
    # Processors round convolutions differently: a grey level here and there.
    assert len(histogram) <= 3 and histogram[2:].sum() < 1e-3 * histogram.sum(), f"differences by level: {histogram}"


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    engine = Stylizer("compact", device="cpu")
    for each in LOOKS:
        made(engine, each).save(GOLDEN / f"{each}.png", overwrite=True)
