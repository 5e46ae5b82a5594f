"""What a model is, as data: the part of `model.toml` that fixes its architecture."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

from wct.errors import ModelError
from wct.images.label import label, one_line

__all__ = ["LEVELS", "EncoderSpec", "ModelSpec", "StageSpec", "as_table", "parse", "parse_spec", "read_toml"]

LEVELS = (1, 2, 3, 4, 5)
"""Level k stands for the layer relu{k}_1; its features have 1/2**(k-1) of the picture's height and width."""

T = TypeVar("T")


@dataclass(frozen=True)
class EncoderSpec:
    """VGG-19's topology cut after relu5_1: `widths[b]` lists the output channels of the convolutions of block b+1.

    `ranks[k-1]` is the number of channels of the linear head of level k; without ranks the features
    are the activations of relu{k}_1 themselves, as in VGG-19.
    """

    widths: list[list[int]]
    ranks: list[int]

    def channels(self, level: int) -> int:
        """Number of feature channels of `level`."""
        return self.ranks[level - 1] if self.ranks else self.widths[level - 1][0]


@dataclass(frozen=True)
class StageSpec:
    """Stage k of the decoder chain, from the features of level k to those of level k-1 (stage 1: to RGB).

    `low` and `high` list the output channels of its hidden convolutions before and after the
    upsampling; a last, linear convolution gives the features below. `refine` lists the hidden channels
    of the refinements of what stage 1 has made; with `picture` stage 2 makes a picture and gives the features of that.
    Refinements need such features: they are exact, and would blow up what no picture has.
    """

    low: list[int]
    high: list[int]
    refine: list[int] = field(default_factory=list)
    picture: bool = False


@dataclass(frozen=True)
class ModelSpec:
    """The architecture of one model: an encoder and, where it has decoders, the five stages of their chain."""

    name: str
    encoder: EncoderSpec
    stages: list[StageSpec]


def read_toml(path: Path) -> dict[str, Any]:
    """The table in the toml file `path`; raises ModelError where there is none."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{label(path)}: cannot be read ({one_line(error)}); give a model folder or recipe") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ModelError(
            f"{label(path)}: is not valid toml ({one_line(error)}); restore or correct the file"
        ) from error


def as_table(value: Any, where: str) -> Mapping[str, Any]:
    """The value where it is a table; ModelError otherwise."""
    if not isinstance(value, Mapping):
        raise ModelError(f"{where}: found {value!r}, needs a table; correct the file")
    return value


def parse(kind: type[T], table: Mapping[str, Any], where: str) -> T:
    """A dataclass from a toml table: all keys known, all required keys there, no ValueError; ModelError otherwise."""
    table = as_table(table, where)
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ModelError(f"{where}: unknown key {unknown[0]!r}; known keys are {', '.join(known)}")
    try:
        return kind(**table)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{where}: {one_line(error)}; needs the keys {', '.join(known)}") from error


def _sizes(value: Any, where: str) -> list[int]:
    if not isinstance(value, list) or not all(type(v) is int and 0 < v <= 4096 for v in value):
        raise ModelError(f"{where}: found {value!r}, needs a list of whole numbers from 1 to 4096; correct the file")
    return value


def parse_spec(name: str, encoder: Mapping[str, Any], stages: Mapping[str, Any], where: str) -> ModelSpec:
    """The architecture from the tables `[encoder]` (widths, ranks) and `[stages]` (1 to 5: those of StageSpec)."""
    enc = parse(EncoderSpec, encoder, f"{where} [encoder]")
    if not isinstance(enc.widths, list) or [len(_sizes(w, f"{where} widths")) for w in enc.widths] != [2, 2, 4, 4, 1]:
        raise ModelError(f"{where} [encoder]: widths need 2, 2, 4, 4 and 1 numbers, as VGG-19 has convolutions")
    if len(_sizes(enc.ranks, f"{where} ranks")) not in (0, 5):
        raise ModelError(f"{where} [encoder]: found {len(enc.ranks)} ranks, needs none or five")
    stages = as_table(stages, f"{where} [stages]")
    chain = [parse(StageSpec, stages[str(k)], f"{where} [stages.{k}]") for k in LEVELS if str(k) in stages]
    if len(chain) not in (0, 5) or len(chain) != len(stages):
        raise ModelError(f"{where} [stages]: found {sorted(stages)}, needs 1 to 5 or none")
    for k, stage in enumerate(chain, 1):
        _check_stage(k, stage, chain, enc, f"{where} [stages.{k}]")
    return ModelSpec(name, enc, chain)


def _check_stage(k: int, stage: StageSpec, chain: list[StageSpec], encoder: EncoderSpec, where: str) -> None:
    for key in ("low", "high", "refine"):
        _sizes(getattr(stage, key), f"{where} {key}")
    if type(stage.picture) is not bool:
        raise ModelError(f"{where} picture: found {stage.picture!r}, needs true or false")
    if stage.low and k == 1:
        raise ModelError(f"{where}: found low convolutions in stage 1, needs none: it has no upsampling")
    if stage.refine and k != 1:
        raise ModelError(f"{where}: found refinements, needs none: only stage 1 has them")
    if stage.refine and not chain[1].picture:
        raise ModelError(f"{where}: found refinements, needs picture = true in stage 2 for them")
    if stage.picture and (k != 2 or encoder.ranks):
        raise ModelError(f"{where}: found picture, needs stage 2 and an encoder without ranks for it")
