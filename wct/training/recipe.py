"""Recipes: the toml that fixes a model's architecture and how its encoder and decoders are trained."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, pi
from pathlib import Path
from typing import Any

from wct.errors import ModelError
from wct.images.label import label
from wct.models.spec import LEVELS, ModelSpec, as_table, parse, parse_spec, read_toml

__all__ = ["Phase", "Recipe"]

WEIGHTS = ("distil", "stages", "pixels", "features", "stylised", "style", "content")
"""The numbers of a phase that say how much something counts."""


@dataclass(frozen=True)
class Phase:
    """One stretch of training with Adam: warm-up, then a cosine from `rate` down to `final * rate`.

    `entries[k-1]` of the pictures of a batch enter the decoder chain at level k (decoders only);
    from the levels in `through` their errors reach the encoder too. The shallow levels' small errors give steep
    gradients, which unsettle the first convolutions and with them all features above.
    The weights of the loss: `distil` for the share of VGG's projected variance that the student misses, `stages` for
    the share of the encoder's variance that a stage misses, `pixels` for the logarithm of the squared error of the
    picture, `features` for the share missed after encoding the decoded picture again. The part `stylised` of the
    pictures enters the chain with stylised features.

    Beside the `entries` further pictures of a batch, `looks` in number, are stylised on all levels, each in the style
    of the next one. `style` and `content` weigh their distances from style and content, as VGG-19 sees them.

    Raises ValueError where a number is of another kind or out of range.
    """

    steps: int
    batch: int
    size: int
    rate: float
    final: float = 0.01
    warmup: int = 100
    clip: float = 1.0
    entries: tuple[int, ...] = ()
    through: tuple[int, ...] = ()
    distil: float = 0.0
    stages: float = 0.0
    pixels: float = 0.0
    features: float = 0.0
    stylised: float = 0.0
    looks: int = 0
    style: float = 0.0
    content: float = 0.0

    def __post_init__(self) -> None:
        for name, least in (("steps", 0), ("batch", 1), ("size", 1), ("warmup", 0), ("looks", 0)):
            if not _is_whole(value := getattr(self, name), least):
                raise ValueError(f"{name} is {value!r}, needs a whole number from {least}")
        for name, lengths in (("entries", (0, len(LEVELS))), ("through", range(len(LEVELS) + 1))):
            value = getattr(self, name)
            if not isinstance(value, list | tuple) or not all(_is_whole(one, 0) for one in value):
                raise ValueError(f"{name} is {value!r}, needs a list of whole numbers")
            if len(value) not in lengths:
                raise ValueError(f"{name} has {len(value)} numbers, needs one for each level or none")
        if self.entries and not 1 <= sum(self.entries) <= self.batch:
            raise ValueError(f"entries are {sum(self.entries)} pictures, needs 1 to {self.batch}, the batch")
        if self.looks == 1 or (self.looks and not self.entries) or sum(self.entries) + self.looks > self.batch:
            raise ValueError(f"looks is {self.looks}, needs 0, or from 2 to what entries leave of the batch")
        for name in ("rate", "final", "clip", *WEIGHTS):
            value = getattr(self, name)
            if type(value) not in (int, float) or not isfinite(value) or value < 0:
                raise ValueError(f"{name} is {value!r}, needs a number from 0")

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, 0 <= step < steps."""
        ramp = min(1.0, (step + 1) / max(1, self.warmup))
        return self.rate * ramp * (self.final + (1 - self.final) * (1 + cos(pi * step / max(1, self.steps))) / 2)


@dataclass(frozen=True)
class Recipe:
    """A model's architecture, `start` pictures of `start_size` for the closed-form start, and the training phases."""

    spec: ModelSpec
    seed: int
    precision: str
    start: int
    start_size: int
    encoder: list[Phase]
    decoder: list[Phase]
    table: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a toml file; ModelError for one that does not parse."""
        table = read_toml(path)
        where = label(path)
        spec = parse_spec(str(table.get("name", path.stem)), table.get("encoder", {}), table.get("stages", {}), where)
        train = as_table(table.get("train", {}), f"{where} [train]")

        def number(key: str, default: int, least: int) -> int:
            value = train.get(key, default)
            if not _is_whole(value, least):
                raise ModelError(f"{where} [train]: {key} is {value!r}, needs a whole number from {least}")
            return int(value)

        def phases(kind: str) -> list[Phase]:
            found = train.get(kind, [])
            if not isinstance(found, list):
                raise ModelError(f"{where}: train.{kind} is {found!r}, needs tables [[train.{kind}]]")
            return [parse(Phase, phase, f"{where} [[train.{kind}]]") for phase in found]

        return cls(
            spec,
            seed=number("seed", 0, 0),
            precision=str(train.get("precision", "float32")),
            start=number("start", 96, 1),
            start_size=number("start_size", 192, 1),
            encoder=phases("encoder"),
            decoder=phases("decoder"),
            table=table,
        )


def _is_whole(value: object, least: int) -> bool:
    return type(value) is int and value >= least
