"""The engine as verbs use it. Importing this loads torch: import it inside the verbs."""

from __future__ import annotations

from pathlib import Path

import torch

from wct import __version__
from wct.devices import choose_device, name_of
from wct.engine import Engine, Local
from wct.errors import UsageError
from wct.look import LOOK, Look
from wct.models import Model, find
from wct.stylizer import Stylizer

__all__ = ["engine_of", "files_of", "load", "load_vgg", "stamp"]


def load(
    model: str | Path,
    device: str,
    encoder: str | None = None,
    engine: Engine | None = None,
    precision: str = "float32",
) -> Stylizer:
    """The Stylizer for the options --model, --device, --encoder and --precision."""
    found = Model.load(model, device=choose_device(device), encoder=encoder, precision=precision)
    return Stylizer(found, engine=engine)


def engine_of(name: str, address: str | None, gpus: float | None) -> Engine:
    """The engine for the options --engine, --address and --gpus; UsageError where they do not fit together.

    Where it is a cluster of this machine, it ends with the process.
    """
    if name == "ray":
        from wct.distributed import Cluster

        return Cluster(address, gpus=gpus)
    if name != "local":
        raise UsageError(f"engine: found {name!r}; choose local or ray")
    if address is not None or gpus is not None:
        raise UsageError("address and gpus are of a Ray cluster; add --engine ray")
    return Local()


def files_of(model: str, encoder: str | None) -> list[str]:
    """The files that --model and --encoder name, which are inputs as pictures are: no result replaces them."""
    card = find(model)
    own = [card.folder / "model.toml", *(card.file(part) for part in card.parts)]
    return [*map(str, own), *([] if encoder is None else [encoder])]


def load_vgg(vgg: Path | None, device: str) -> Model:
    """The model that looks or teaches: VGG-19, its weights in place or in the file `vgg`, or the model folder `vgg`."""
    if vgg is not None and vgg.is_dir():
        return Model.load(vgg, device=choose_device(device))
    return Model.load("vgg19", device=choose_device(device), encoder=vgg)


def stamp(stylizer: Stylizer, look: Look) -> str:
    """One line for the output file that says what made it: the main settings, and others where they were changed."""
    levels = ",".join(map(str, look.levels))
    strength = "".join(f" strength {level}={factor:g}" for level, factor in look.strength.items())
    settings = f"alpha {look.alpha:g} levels {levels}{strength} mode {look.mode} transform {look.transform}"
    for name in ("rank", "passes", "color", "color_strength", "detail", "grain"):
        value = getattr(look, name)
        if value != getattr(LOOK, name):
            settings += f" {name} {value}"
    model = stylizer.model.card.name
    if stylizer.model.precision != torch.float32:
        model += f" in {name_of(stylizer.model.precision)}"
    return f"wct {__version__}, model {model}, {settings}"
