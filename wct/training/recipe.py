"""Recipes: the toml that fixes a model's architecture and how its encoder and decoders are trained."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

from wct.models.spec import ModelSpec, parse, parse_spec, read_toml

__all__ = ["Phase", "Recipe"]


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
        spec = parse_spec(
            str(table.get("name", path.stem)), table.get("encoder", {}), table.get("stages", {}), str(path)
        )
        train = table.get("train", {})
        phases = {
            kind: [parse(Phase, phase, f"{path} [[train.{kind}]]") for phase in train.get(kind, [])]
            for kind in ("encoder", "decoder")
        }
        return cls(
            spec,
            seed=int(train.get("seed", 0)),
            precision=str(train.get("precision", "float32")),
            start=int(train.get("start", 96)),
            start_size=int(train.get("start_size", 192)),
            table=table,
            **phases,
        )
