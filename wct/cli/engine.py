"""The engine as verbs use it. Importing this loads torch: import it inside the verbs."""

from __future__ import annotations

from wct import __version__
from wct.devices import choose_device
from wct.look import Look
from wct.models import Model
from wct.stylizer import Stylizer

__all__ = ["load", "stamp"]


def load(model: str, device: str, encoder: str | None = None) -> Stylizer:
    """The Stylizer for the options --model, --device and --encoder."""
    return Stylizer(Model.load(model, device=choose_device(device), encoder=encoder))


def stamp(stylizer: Stylizer, look: Look) -> str:
    """One line for the output file that says what made it."""
    levels = ",".join(map(str, look.levels))
    strength = "".join(f" strength {level}={factor:g}" for level, factor in look.strength.items())
    settings = f"alpha {look.alpha:g} levels {levels}{strength} mode {look.mode} transform {look.transform}"
    return f"wct {__version__}, model {stylizer.model.card.name}, {settings}"
