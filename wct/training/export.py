"""The model folder of a run."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from wct.errors import TrainingError
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.export import export
from wct.models.weights import fill, save_tensors
from wct.training.decoders import restored
from wct.training.loop import Run
from wct.training.recipe import Recipe

__all__ = ["BASES", "BASES_FILE", "export_run"]

BASES = "bases"
BASES_FILE = "bases.safetensors"
"""The principal components a model was distilled to: what training it further needs and nothing else does."""


def export_run(recipe: Recipe, run: Run, folder: Path) -> None:
    """Write the model of a run's decoder checkpoint as a model folder, with its encoder where that has heads.

    Raises:
        TrainingError: the run has no decoder checkpoint, or a damaged one.
        ModelError: it is of another recipe, or a weight has no finite float16.
        OutputError: the folder cannot be written.
    """
    state = run.load("decoder")
    if state is None:
        raise TrainingError(f"{run.folder}: holds no decoders to export; run wct train decoders first")
    encoder, decoder = Encoder(recipe.spec.encoder), Decoder(recipe.spec)
    fill(nn.ModuleDict({"encoder": encoder, "decoder": decoder}), state["module"], f"{run.folder} and the recipe")
    restored(run, encoder, decoder)
    training = {**recipe.table.get("train", {}), "steps_done": int(state["step"])}
    card = {key: value for key, value in recipe.table.items() if key != "train"}
    ours = encoder if recipe.spec.encoder.ranks else None  # VGG-19 has no heads
    export(folder, {"name": recipe.spec.name, **card, "training": training}, ours, decoder)
    bases = run.load(BASES)
    if bases is not None:
        save_tensors({name: tensor.half() for name, tensor in bases.items()}, folder / BASES_FILE)
