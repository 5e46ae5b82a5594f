"""What workers do, and by which names they know what they have."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from wct.devices import choose_device
from wct.distributed.parcel import Parcel, opened, packed
from wct.distributed.shared import Corner, Shared
from wct.models import Model
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder

__all__ = ["Block", "Names", "task"]

Block = tuple[int, Corner]
"""The number of a field, and the corner of a block of it."""


class Names:
    """Names for the model, its layers, and fields that lie in blocks.

    Attributes:
        model: the model that was met or given.
        fields: those that were met, by their number.

    Args:
        model: to know its layers by.
        shared: gives the blocks of a field that lies ready, or None for one that is computed.
    """

    def __init__(self, model: Model | None = None, shared: Callable[[object], Shared | None] = lambda _: None) -> None:
        self.model = model
        self.fields: list[Shared] = []
        self._shared = shared
        self._layers = {} if model is None else {id(layer): name for name, layer in _layers(model).items()}

    def __call__(self, one: object) -> object | None:
        if isinstance(one, Model):
            self.model = one
            return "model", ""
        if isinstance(one, nn.Module) and id(one) in self._layers:
            return "layer", self._layers[id(one)]
        if (field := self._shared(one)) is not None:
            return "field", (self.number(field), field.level, field.size, field.block)
        return None

    def number(self, field: Shared) -> int:
        """The number of a field."""
        if field not in self.fields:
            self.fields.append(field)
        return self.fields.index(field)


def _layers(model: Model) -> dict[str, nn.Module]:
    halves = (("encoder", model.encoder), ("decoder", model.decoder))
    return {f"{half}.{name}": layer for half, whole in halves for name, layer in whole.named_modules()}


def task(reference: Sequence[Any], work: Parcel, item: Parcel, names: Sequence[Block], *blocks: Any) -> tuple[Any, Any]:
    """Do work on an item, with some blocks of fields at hand: what it leaves in the store, and packed what it tells."""
    model = _model(reference[0]) if reference else None
    device = torch.device("cpu") if model is None else model.device
    layers = {} if model is None else _layers(model)
    there = dict(zip(names, blocks, strict=True))

    def found(name: tuple[str, Any]) -> object:
        kind, value = name
        if kind != "field":
            return model if kind == "model" else layers[value]
        number, level, size, block = value
        mine = {corner: array for (other, corner), array in there.items() if other == number}
        return Shared(level, size, block, mine, device)

    with warnings.catch_warnings(record=True) as caught:
        left, told = opened(work, device, found)(opened(item, device))
    return left, packed((told, [one.message for one in caught]))


_at_hand: dict[Any, Model] = {}
"""The model of this process: one at a time."""


def _model(reference: Any) -> Model:
    if reference not in _at_hand:
        import ray

        _at_hand.clear()
        card, precision, *states = opened(ray.get(reference))
        encoder, decoder = Encoder(card.spec.encoder), Decoder(card.spec)
        for half, state in zip((encoder, decoder), states, strict=True):
            half.load_state_dict(state)
        device = choose_device("cuda" if ray.get_gpu_ids() else "cpu")
        _at_hand[reference] = Model(card, encoder, decoder, device, precision)
    return _at_hand[reference]
