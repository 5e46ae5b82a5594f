"""Model: an encoder with its decoders, built from a folder that holds `model.toml` and safetensors."""

from __future__ import annotations

import difflib
import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from wct.devices import choose_precision, name_of, placed
from wct.errors import ModelError
from wct.images.label import label
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.published import read_published
from wct.models.shelf import home, names, shelf
from wct.models.spec import EncoderSpec, ModelSpec, as_table, parse_spec, read_toml
from wct.models.vgg import REMEDY, VGG19, recognise
from wct.models.weights import fill, load_tensors

__all__ = ["Card", "Model", "find", "load_encoder"]

ENCODER, DECODER = "encoder.safetensors", "decoder.safetensors"


@dataclass(frozen=True)
class Card:
    """`model.toml` as read: the architecture, the whole table, and the folder it lies in."""

    spec: ModelSpec
    table: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return self.spec.name

    def file(self, part: str) -> Path:
        """Where the weights `part` lie: in the model's folder, else under `home()`."""
        own = self.folder / part
        return own if own.is_file() else self.cached(part)

    def cached(self, part: str) -> Path:
        """Where the weights `part` are put that do not come with the model."""
        return home() / self.name / part

    def sha256(self, part: str) -> str | None:
        """The sha256 that the card promises for `part`; None where any weights of the right shape will do."""
        value = self.table.get("sha256", {}).get(part.removesuffix(".safetensors"))
        return str(value) if value is not None else None

    @property
    def parts(self) -> list[str]:
        """Names of the files of weights that the model consists of."""
        return [ENCODER, DECODER] if self.spec.stages else [ENCODER]

    def missing(self) -> list[str]:
        """Those of `parts` that are not in place."""
        return [part for part in self.parts if not self.file(part).is_file()]


def find(name: str | Path) -> Card:
    """The card of a shipped model by name, or of any model folder by path; ModelError where there is none."""
    folder = shelf() / name if str(name) in names() else Path(name)
    if not (folder / "model.toml").is_file():
        near = difflib.get_close_matches(str(name), names(), 1)
        hint = f"did you mean {near[0]!r}?" if near else f"shipped models are {', '.join(names()) or 'none'}"
        raise ModelError(f"model {str(name)!r}: no such model or model folder; {hint}")
    table = read_toml(folder / "model.toml")
    where = label(folder / "model.toml")
    as_table(table.get("sha256", {}), f"{where} [sha256]")
    spec = parse_spec(str(table.get("name", folder.name)), table.get("encoder", {}), table.get("stages", {}), where)
    return Card(spec, table, folder)


def load_encoder(spec: EncoderSpec, file: Path, expected: str | None = None) -> Encoder:
    """An encoder with the weights in `file`: ours, or the original VGG-19's as `read_published` knows them.

    Raises ModelError where they are missing, damaged, of another sha256 than `expected`, or of another encoder:
    weights of VGG-19 without a promised sha256 have to be the original ones (`recognise`).
    """
    original = spec == VGG19 and expected is None
    with torch.device("meta"):  # whatever the description asks for takes memory only once there are weights for it
        encoder = Encoder(spec)
    try:
        tensors = read_published(file, expected)
        fill(encoder, tensors, label(file))
        if original:
            recognise(tensors, label(file))
    except ModelError as error:
        if not original:
            raise
        raise ModelError(f"{error}; or {REMEDY}") from error
    return encoder


class Model:
    """An encoder and a decoder chain in evaluation mode on one device.

    `encoder(pictures, levels)` gives features, `decoder(features, level, size)` pictures. Raises ModelError
    where the folder, its description or its weights are missing, damaged or of another model.

    Attributes:
        card: what is known of it.
        device: where it is.
        precision: in which both compute; their weights stay float32 and float16, of which all others are made.
        encoder: as it is; `decoder` raises where there is none.
    """

    def __init__(
        self,
        card: Card,
        encoder: Encoder,
        decoder: Decoder | None,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self.card = card
        self.device = device
        self.precision = precision
        if precision != torch.float32:  # which pictures are; in training, which begins with a model's, autocast decides
            encoder.precision = precision
            for stage in decoder.stages if decoder else ():
                stage.precision = precision
        self.encoder = placed(encoder.eval().requires_grad_(False), device)
        self._decoder = decoder and placed(decoder.eval().requires_grad_(False), device)

    @classmethod
    def load(
        cls,
        name: str | Path = "compact",
        *,
        device: str | torch.device = "cpu",
        encoder: str | Path | None = None,
        precision: str = "float32",
    ) -> Model:
        """The model `name` (shipped, or a folder); `encoder` names a file to take the encoder's weights from.

        An encoder file may be ours or one that publishes the original VGG-19: see `load_encoder`. `precision` is one
        of `wct.devices.PRECISIONS`; UsageError for any other.
        """
        dtype = choose_precision(precision)
        card = find(name)
        file = Path(encoder) if encoder is not None else card.file(ENCODER)
        if not file.is_file():
            cure = REMEDY if card.spec.encoder == VGG19 else "put a safetensors file of them there"
            found = f"no encoder weights at {label(file)}"
            raise ModelError(f"model {card.name!r}: {found}; {cure}, or name a file with --encoder or --vgg")
        body = load_encoder(card.spec.encoder, file, None if encoder is not None else card.sha256(ENCODER))
        chain = None
        if card.spec.stages:
            with torch.device("meta"):
                chain = Decoder(card.spec)
            file = card.file(DECODER)
            fill(chain, load_tensors(file, card.sha256(DECODER), halves=True), label(file))
        return cls(card, body, chain, torch.device(device), dtype)

    @property
    def decoder(self) -> Decoder:
        """The decoder chain; ModelError for a model that has none."""
        if self._decoder is None:
            raise ModelError(f"model {self.card.name!r} has no decoders; choose one that has, such as 'compact'")
        return self._decoder

    def checked(self) -> Model:
        """This model, or ModelError where weights are not of the kind any more that they were loaded as."""
        other = {weight.dtype for weight in self.encoder.parameters()} - {torch.float32}
        if self._decoder is not None:
            other |= {weight.dtype for weight in self._decoder.parameters()} - {torch.float32, torch.float16}
        if other:
            found = ", ".join(map(str, other))
            needed = "torch.float32, as they are loaded; to compute in less load it with a precision"
            raise ModelError(f"{self.card.name}: its weights are of {found}; needed {needed}")
        return self

    @property
    def identity(self) -> list[str]:
        """All of a model that pictures depend on."""
        return [self.fingerprint, self.decoder_fingerprint, name_of(self.precision)]

    @cached_property
    def fingerprint(self) -> str:
        """sha256 of the encoder's weights: what features, and so saved styles, depend on."""
        return _sha256(self.encoder)

    @cached_property
    def decoder_fingerprint(self) -> str:
        """sha256 of the decoders' weights: what pictures depend on besides."""
        return _sha256(self.decoder)


def _sha256(part: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in part.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
