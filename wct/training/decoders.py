"""`wct train decoders`: the decoder chain, blockwise on features, then end to end from every level to pixels."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call

from wct.devices import placed
from wct.gaussian import Gaussian
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS
from wct.training.closed_form import start_decoder
from wct.training.encoder import distillation
from wct.training.loop import Run, autocast, train
from wct.training.pictures import PictureSet
from wct.training.recipe import Phase, Recipe
from wct.training.teacher import Teacher
from wct.transforms import transform

__all__ = ["train_decoders"]

PIXEL_FLOOR = 1e-6
"""Squared error below which a picture counts as reconstructed (60 dB)."""


def blockwise(decoder: Decoder, features: Mapping[int, Tensor], pictures: Tensor) -> dict[str, Tensor]:
    """What every stage, given the encoder's own features, misses of the variance below (Chiu & Gurari 2022)."""
    parts = {}
    for level in LEVELS:
        below = pictures if level == 1 else features[level - 1]
        made = decoder.step(features[level], level, (pictures.shape[-2], pictures.shape[-1]))
        parts[f"stage{level}"] = missed(made, below.detach())
    return parts


def missed(made: Tensor, target: Tensor) -> Tensor:
    """Share of the variance of `target` (over the batch, per channel summed) that `made` misses."""
    made, target = made.float(), target.float()
    return (made - target).square().mean() / target.var((0, 2, 3)).mean().clamp_min(1e-6)


def stylised(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """The first `share` of the pictures coloured with the statistics of the next ones, at random strength."""
    result = list(features)
    for i in range(min(round(share * len(features)), len(features) - 1)):
        content, style = (Gaussian.of(features[j].float()) for j in (i, i + 1))
        alpha = float(torch.rand((), generator=generator)) ** 0.5
        result[i] = transform("wct")(content, style).toward_identity(alpha)(features[i].float()).to(features)
    return torch.stack(result)


class EndToEnd:
    """The loss of Li et al. 2017, eq. 1, from all levels in one pass through the chain.

    Each picture of a batch enters the chain at one level (`Phase.entries`): those of relu5_1 first, joined at each
    step down by those of the next level. Departures: the squared error of the picture enters by its logarithm, so
    that easy pictures and shallow levels, whose errors are thousands of times smaller, count as much as hard ones;
    the feature loss is taken at the level of entry.
    """

    def __init__(self, encoder: Encoder, decoder: Decoder, seed: int) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.seed = seed

    def __call__(self, phase: Phase, features: Mapping[int, Tensor], pictures: Tensor, step: int) -> dict[str, Tensor]:
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        size = (pictures.shape[-2], pictures.shape[-1])
        parts: dict[str, Tensor] = {}
        entered: dict[int, Tensor] = {}
        x, done = None, 0
        for level in reversed(LEVELS):
            count = phase.entries[level - 1]
            if count:
                own = features[level][done : done + count]
                if level not in phase.through:
                    own = own.detach()
                entered[level] = stylised(own.detach(), phase.stylised, generator) if phase.stylised else own
                # Only untouched features carry gradients to the encoder.
                new = torch.cat([entered[level][: self._touched(phase, count)], own[self._touched(phase, count) :]])
                x = new if x is None else torch.cat([x, new.to(x)])
                done += count
            if x is None:
                continue
            x = self.decoder.step(x, level, size)
            if level > 1 and phase.stages and (natural := self._natural(phase, level)):
                at = torch.tensor(natural, device=x.device)
                parts[f"stage{level}"] = phase.stages * missed(x[at], features[level - 1].detach()[at])
        assert x is not None
        return parts | self._pixels(phase, x, pictures) | self._cycle(phase, x, entered)

    @staticmethod
    def _touched(phase: Phase, count: int) -> int:
        return min(round(phase.stylised * count), count - 1)

    def _natural(self, phase: Phase, lowest: int) -> list[int]:
        """Indices of the pictures that entered at `lowest` or deeper with untouched features."""
        natural, done = [], 0
        for level in range(5, lowest - 1, -1):
            count = phase.entries[level - 1]
            natural += list(range(done + (self._touched(phase, count) if count else 0), done + count))
            done += count
        return natural

    def _pixels(self, phase: Phase, made: Tensor, pictures: Tensor) -> dict[str, Tensor]:
        parts, done = {}, 0
        for level in reversed(LEVELS):
            count = phase.entries[level - 1]
            if count and phase.pixels:
                group = slice(done + self._touched(phase, count), done + count)
                error = (made[group].float() - pictures[group]).square().mean((1, 2, 3))
                parts[f"pixels{level}"] = phase.pixels * (error + PIXEL_FLOOR).log().mean()
            done += count
        return parts

    def _cycle(self, phase: Phase, made: Tensor, entered: Mapping[int, Tensor]) -> dict[str, Tensor]:
        """Decoded pictures encoded again (by an encoder that does not learn from it) against what entered the chain."""
        if not phase.features:
            return {}
        fixed = {name: p.detach() for name, p in self.encoder.named_parameters()}
        again: dict[int, Tensor] = functional_call(self.encoder, fixed, (made, tuple(entered)))
        parts, done = {}, 0
        for level, features in entered.items():
            count = len(features)
            parts[f"features{level}"] = phase.features * missed(again[level][done : done + count], features.detach())
            done += count
        return parts


def train_decoders(
    recipe: Recipe, encoder: Encoder, teacher: Teacher | None, data: PictureSet, run: Run
) -> nn.ModuleDict:
    """Train the chain for `encoder` through the recipe's decoder phases; resumes the run's checkpoint if there is one.

    In phases with `distil` the encoder learns along: it keeps to its teacher and is moved by the pixels too. Returns
    {"encoder", "decoder"}.
    """
    torch.manual_seed(recipe.seed)
    decoder = placed(Decoder(recipe.spec), run.device)
    if run.load("decoder") is None:
        pictures = data.batch(0, recipe.start, recipe.start_size)[0].to(run.device)
        with autocast(run.device, recipe.precision):
            start_decoder(decoder, encoder, pictures, torch.Generator().manual_seed(recipe.seed))
    encoder.requires_grad_(any(phase.distil for phase in recipe.decoder))
    end_to_end = EndToEnd(encoder, decoder, recipe.seed)

    def loss(phase: Phase, pictures: Tensor, step: int) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        with autocast(run.device, recipe.precision):
            with torch.set_grad_enabled(bool(phase.distil)):
                features = encoder(pictures, LEVELS)
            if phase.distil and teacher is not None:
                with torch.no_grad():
                    targets = teacher(pictures)
                parts = {f"relu{k}_1": phase.distil * share for k, share in distillation(features, targets).items()}
            if phase.entries:
                return parts | end_to_end(phase, features, pictures, step)
            detached = {k: f.detach() for k, f in features.items()}
            return parts | {k: phase.stages * v for k, v in blockwise(decoder, detached, pictures).items()}

    both = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    train(run, "decoder", both, recipe.decoder, data, loss)
    return both
