"""`wct train encoder`: distil VGG-19 into a narrower student whose heads give VGG's principal components."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from wct.devices import placed
from wct.models.encoder import Encoder
from wct.training.closed_form import start_encoder
from wct.training.loop import Run, autocast, train
from wct.training.pictures import PictureSet
from wct.training.processes import mean
from wct.training.recipe import Phase, Recipe
from wct.training.teacher import Teacher

__all__ = ["distillation", "fresh_encoder", "load_teacher", "train_encoder"]


def load_teacher(recipe: Recipe, vgg: Encoder, run: Run, data: PictureSet) -> Teacher:
    """The teacher with its bases: those kept in the run's folder, else fitted on `recipe.start` pictures and kept."""
    teacher = placed(Teacher(vgg, recipe.spec.encoder.ranks), run.device)
    bases = run.load("bases")
    if bases is None:
        with autocast(run.device, recipe.precision):
            pictures = [data.batch(i, 8, recipe.start_size)[0].to(run.device) for i in range(-(-recipe.start // 8))]
            teacher.fit(pictures)
        run.save("bases", teacher.bases.state_dict())
    else:
        teacher.bases.load_state_dict(bases)
    return teacher


def distillation(features: Mapping[int, Tensor], targets: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Per level the share of the teacher's projected variance that the student misses."""
    return {k: mean((features[k].float() - t.float()).square()) for k, t in targets.items()}


def fresh_encoder(recipe: Recipe, teacher: Teacher, data: PictureSet, device: torch.device) -> Encoder:
    """An encoder at its closed-form start, from `recipe.start` pictures."""
    torch.manual_seed(recipe.seed)
    encoder = placed(Encoder(recipe.spec.encoder), device)
    pictures, _ = data.batch(0, recipe.start, recipe.start_size)
    with autocast(device, recipe.precision):
        start_encoder(encoder, teacher, pictures.to(device), torch.Generator().manual_seed(recipe.seed))
    return encoder


def train_encoder(recipe: Recipe, vgg: Encoder, data: PictureSet, run: Run) -> Encoder:
    """Start in closed form, then follow the recipe's phases; resumes the run's checkpoint where there is one."""
    teacher = load_teacher(recipe, vgg, run, data)
    if not run.has("encoder"):
        encoder = fresh_encoder(recipe, teacher, data, run.device)
    else:
        encoder = placed(Encoder(recipe.spec.encoder), run.device)

    def loss(phase: Phase, pictures: Tensor, _step: int) -> dict[str, Tensor]:
        with autocast(run.device, recipe.precision):
            with torch.no_grad():
                targets = teacher(pictures)
            missed = distillation(encoder(pictures, targets), targets)
        return {f"relu{k}_1": phase.distil * share for k, share in missed.items()}

    train(run, "encoder", encoder, recipe.encoder, data, loss)
    return encoder
