"""Training that starts from a model: its weights in the recipe's architecture, which makes the same pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from torch import Tensor

from wct.devices import placed
from wct.errors import TrainingError
from wct.models import Model
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.weights import load_tensors
from wct.training.export import BASES, BASES_FILE
from wct.training.growth import grown, has_room
from wct.training.loop import Run
from wct.training.narrowing import can_narrow, narrowed, turned
from wct.training.pictures import PictureSet
from wct.training.recipe import Recipe

__all__ = ["started"]


def started(
    recipe: Recipe, pictures: PictureSet, run: Run, folder: Path, encoder: Path | None
) -> tuple[Encoder, Decoder]:
    """Encoder (or that in the file `encoder`) and decoders of the model in `folder`.

    Heads become narrower (`narrowed`) and decoders larger (`grown`), as the recipe has them. Where the encoder goes on
    learning, or its heads got narrower, the bases it was distilled to become the run's.

    Raises:
        TrainingError: the model cannot become the recipe's.
    """
    model = Model.load(folder, device=run.device, encoder=encoder)
    body, chain, own, wanted = model.encoder, model.decoder, model.card.spec, recipe.spec
    if not (can_narrow(own.encoder, wanted.encoder) and has_room(wanted.stages, own.stages)):
        raise TrainingError(
            f"{folder}: is of another architecture than the recipe; start from one with the same widths, or narrower "
            "or fewer convolutions in the decoders, or wider heads"
        )
    components: dict[int, Tensor] = {}
    if own.encoder != wanted.encoder:
        seen = pictures.batch(0, recipe.start, recipe.start_size)[0].to(run.device)
        body, chain, components = narrowed(body, chain, replace(own, encoder=wanted.encoder), seen)
    if (components or any(phase.distil for phase in recipe.decoder)) and not run.has(BASES):
        bases = load_tensors(folder / BASES_FILE)
        for level, kept in components.items():
            for part in ("weight", "bias"):
                name = f"{level - 1}.{part}"
                bases[name] = turned(kept, bases[name])
        run.folder.mkdir(parents=True, exist_ok=True)
        run.save(BASES, bases)
    return placed(body, run.device), placed(grown(chain, wanted, recipe.seed), run.device)
