"""`wct train decoders`: the decoder chain, blockwise on features, then end to end from every level to pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from wct.devices import placed
from wct.errors import TrainingError
from wct.gaussian import Gaussian
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder, halved
from wct.models.spec import LEVELS
from wct.training.closed_form import PIXEL_FLOOR, finish_decoder, start_decoder
from wct.training.encoder import distillation
from wct.training.looks import Looks
from wct.training.loop import Run, autocast, train
from wct.training.pictures import PictureSet
from wct.training.processes import gathered, mean, share, variance
from wct.training.recipe import Phase, Recipe
from wct.training.scale import rescale, sizes
from wct.training.teacher import Teacher
from wct.transforms import transform

__all__ = ["restored", "train_decoders"]

SCALE = "scale"
"""The checkpoint of what features were divided by to train on them."""


def blockwise(decoder: Decoder, features: Mapping[int, Tensor], pictures: Tensor) -> dict[str, Tensor]:
    """What every stage, given the encoder's own features, misses of the variance below (Chiu & Gurari 2022)."""
    parts = {}
    for level in LEVELS:
        made, is_picture = stepped(decoder, features[level], level, pictures)
        below = pictures if is_picture else features[level - 1]
        parts[f"stage{level}"] = missed(made, below.detach())
    return parts


def stepped(decoder: Decoder, x: Tensor, level: int, pictures: Tensor) -> tuple[Tensor, bool]:
    """Features of `level` to those below or to pictures, and whether to pictures.

    Where stage 2 makes pictures they are not taken further: stage 1 gives them back. It computes in full precision, as
    bfloat16 would blur them beyond 45 dB.
    """
    size, stage = (pictures.shape[-2], pictures.shape[-1]), decoder.stages[level - 1]
    if level == 1:
        with autocast(x.device, "float32"):
            return decoder.step(x.to(stage.high[0].weight.dtype), level, size), True
    if stage.again is not None:
        return stage.made(x, halved(size, level - 1)), True
    return decoder.step(x, level, size), False


def missed(made: Tensor, target: Tensor) -> Tensor:
    """Share of the variance of `target` (over the batch, per channel summed) that `made` misses."""
    made, target = made.float(), target.float()
    return mean((made - target).square()) / variance(target).mean().clamp_min(1e-6)


@dataclass(frozen=True)
class Group:
    """Pictures start … stop - 1 of a batch, which enter the chain at `level`; the first `touched` ones stylised."""

    level: int
    start: int
    touched: int
    stop: int

    def of(self, mine: range) -> Group:
        """Those of its pictures that are among `mine`, counted as these are."""
        start, fresh, stop = (len(range(mine.start, end, mine.step)) for end in (self.start, self.fresh, self.stop))
        return Group(self.level, start, fresh - start, stop)

    @property
    def fresh(self) -> int:
        """The first picture that enters with its own features."""
        return self.start + self.touched

    @property
    def natural(self) -> range:
        """The pictures that enter with their own features; of a whole batch at least one."""
        return range(self.fresh, self.stop)


def groups(phase: Phase) -> list[Group]:
    """How a batch is shared out among the levels, deepest first."""
    found, start = [], 0
    for level in reversed(LEVELS):
        if count := phase.entries[level - 1]:
            found.append(Group(level, start, min(round(phase.stylised * count), count - 1), start + count))
            start += count
    return found


def needed(phase: Phase, mine: range) -> dict[int, int]:
    """How many pictures among `mine`, the first ones, have a use for the features of a level: those that enter there or
    deeper. For the others the encoder is spared the work: a third of a step's time with VGG-19."""
    ends = {level: sum(phase.entries[level - 1 :]) for level in LEVELS}
    return {level: len(range(mine.start, end, mine.step)) for level, end in ends.items()}


def stylised(features: Tensor, group: Group, mine: range, generator: torch.Generator) -> list[Tensor]:
    """The touched pictures of a group coloured with the statistics of the next ones, at random strength.

    `features` are those of the pictures of the group that are among `mine`, as what is returned.
    """
    alphas = [float(torch.rand((), generator=generator)) ** 0.5 for _ in range(group.touched)]
    own = [(i, x) for i, x in zip((i for i in mine if group.start <= i < group.stop), features, strict=True)]
    found = [(i, Gaussian.of(x.float()).to("cpu")) for i, x in own if i <= group.fresh] if group.touched else []
    looks = dict(gathered(found))
    towards = transform("wct")
    return [
        towards(looks[i], looks[i + 1]).toward_identity(alphas[i - group.start])(x) for i, x in own if i < group.fresh
    ]


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
        """The weighted parts of the loss for this process's share of a batch (N, 3, S, S) and its features."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        shared, mine = {group.level: group for group in groups(phase)}, share(phase.batch)
        parts: dict[str, Tensor] = {}
        entered: dict[Group, Tensor] = {}
        x: Tensor | None = None
        finished = []
        for level in range(max(shared), 0, -1):
            if whole := shared.get(level):
                new = entered[whole.of(mine)] = self._enter(phase, whole, features[level], mine, generator)
                x = new if x is None else torch.cat([x, new.to(x)])
            if x is None:
                continue
            x, is_picture = stepped(self.decoder, x, level, pictures)
            if is_picture:
                finished.append(x)
                x = None
            elif phase.stages:
                below = features[level - 1].detach()
                made, wanted = (torch.cat([y[g.fresh : g.stop] for g in entered]) for y in (x, below))
                parts[f"stage{level}"] = phase.stages * missed(made, wanted)
        made = torch.cat(finished)
        if phase.pixels:
            parts |= {f"pixels{g.level}": phase.pixels * _log_error(made, pictures, g.natural) for g in entered}
        return parts | self._cycle(phase, made, entered)

    @staticmethod
    def _enter(phase: Phase, whole: Group, features: Tensor, mine: range, generator: torch.Generator) -> Tensor:
        """The group's features, the first ones stylised; gradients to the encoder only as `phase.through` says."""
        group = whole.of(mine)
        own = features[group.start : group.stop]
        if group.level not in phase.through:
            own = own.detach()
        touched = stylised(own.detach(), whole, mine, generator)
        return torch.cat([torch.stack(touched), own[group.touched :]]) if touched else own

    def _cycle(self, phase: Phase, made: Tensor, entered: Mapping[Group, Tensor]) -> dict[str, Tensor]:
        """Decoded pictures encoded again (by an encoder that does not learn from it) against what entered the chain."""
        if not phase.features:
            return {}
        fixed = {name: p.detach() for name, p in self.encoder.named_parameters()}
        levels = tuple(group.level for group in entered)
        again: dict[int, Tensor] = functional_call(self.encoder, fixed, (made, levels))
        return {
            f"features{g.level}": phase.features * missed(again[g.level][g.start : g.stop], features.detach())
            for g, features in entered.items()
        }


def _log_error(made: Tensor, pictures: Tensor, which: range) -> Tensor:
    """Mean logarithm of the squared errors of some pictures."""
    some = slice(which.start, which.stop)
    error = (made[some].float() - pictures[some]).square().mean((1, 2, 3))
    return mean((error + PIXEL_FLOOR).log())


def fresh_decoder(recipe: Recipe, encoder: Encoder, pictures: Tensor) -> Decoder:
    """A chain at its closed-form start."""
    torch.manual_seed(recipe.seed)
    decoder = placed(Decoder(recipe.spec), pictures.device)
    with autocast(pictures.device, recipe.precision):
        start_decoder(decoder, encoder, pictures, torch.Generator().manual_seed(recipe.seed))
    return decoder


def prepared(
    recipe: Recipe, encoder: Encoder, decoder: Decoder | None, data: PictureSet, run: Run
) -> tuple[Encoder, Decoder]:
    """What training begins with. Where a checkpoint will replace the weights anyway they are left as they come."""
    if run.has("decoder"):
        return encoder, decoder or placed(Decoder(recipe.spec), run.device)
    pictures = data.batch(0, recipe.start, recipe.start_size)[0].to(run.device)
    if not encoder.spec.ranks:
        scale = sizes(encoder, pictures)
        run.save(SCALE, {SCALE: scale})
        rescale(encoder, decoder or Decoder(recipe.spec), (1 / scale).tolist())
    return encoder, decoder or fresh_decoder(recipe, encoder, pictures)


def restored(run: Run, encoder: Encoder, decoder: Decoder) -> None:
    """Undo, in place, what was done to features for the training that a checkpoint is of."""
    if (state := run.load(SCALE)) is not None:
        rescale(encoder, decoder, state[SCALE].tolist())


def train_decoders(
    recipe: Recipe,
    encoder: Encoder,
    teacher: Teacher | None,
    data: PictureSet,
    run: Run,
    decoder: Decoder | None = None,
    eye: Encoder | None = None,
) -> nn.ModuleDict:
    """Train the chain for `encoder` through the recipe's decoder phases; resumes the run's checkpoint if there is one.

    It starts as `decoder`, or where that is None in closed form. In phases with `distil` the encoder learns along: it
    keeps to its teacher and is moved by the pixels too. Features of an encoder without heads are brought to unit size
    first; `restored` undoes that. In phases with `looks` VGG-19, the `eye`, judges stylised pictures. Returns
    {"encoder", "decoder"} as trained.
    """
    solved = recipe.spec.stages[1].picture
    if solved and any(phase.entries and not any(phase.entries[1:]) for phase in recipe.decoder):
        raise TrainingError(
            "a phase has pictures at relu1_1 alone, whose stage is solved; give it some at other levels"
        )
    if eye is None and any(phase.looks for phase in recipe.decoder):
        raise TrainingError("a phase has looks, which VGG-19 judges; give its encoder as the eye")
    encoder, decoder = prepared(recipe, encoder, decoder, data, run)
    decoder.requires_grad_(True)
    if (again := decoder.stages[1].again) is not None:
        # Stage 1 stays as solved: it is exact to 50 dB, for which steps of gradient descent are too coarse.
        decoder.stages[0].requires_grad_(False)
        again.requires_grad_(False)
    encoder.requires_grad_(any(phase.distil for phase in recipe.decoder))
    end_to_end = EndToEnd(encoder, decoder, recipe.seed)
    looks = None if eye is None else Looks(encoder, decoder, eye)

    def loss(phase: Phase, pictures: Tensor, step: int) -> dict[str, Tensor]:
        parts: dict[str, Tensor] = {}
        with autocast(run.device, recipe.precision):
            with torch.set_grad_enabled(bool(phase.distil)):
                counts = needed(phase, share(phase.batch)) if phase.entries and not phase.distil else None
                features = encoder(pictures, LEVELS[1:], counts=counts)
                with autocast(run.device, "float32"):
                    features[1] = encoder(pictures, (1,))[1]
            if phase.distil and teacher is not None:
                with torch.no_grad():
                    targets = teacher(pictures)
                parts = {f"relu{k}_1": phase.distil * share for k, share in distillation(features, targets).items()}
            if phase.looks and looks is not None:
                parts |= looks(phase, pictures)
            if phase.entries:
                return parts | end_to_end(phase, features, pictures, step)
            detached = {k: f.detach() for k, f in features.items()}
            return parts | {k: phase.stages * v for k, v in blockwise(decoder, detached, pictures).items()}

    both = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    steps, state = sum(phase.steps for phase in recipe.decoder), run.load("decoder")
    if state is not None and state.get("finished") == steps:
        both.load_state_dict(state["module"])
        return both
    train(run, "decoder", both, recipe.decoder, data, loss)
    if not solved:
        _finish(recipe, both, data, run, steps)
    return both


def _finish(recipe: Recipe, both: nn.ModuleDict, data: PictureSet, run: Run, steps: int) -> None:
    """Solve the last convolution in closed form, also in the checkpoint: once, for it gives another one every time."""
    pictures = data.batch(0, recipe.start, recipe.start_size)[0].to(run.device)
    generator = torch.Generator().manual_seed(recipe.seed)
    finish_decoder(both["decoder"], both["encoder"], pictures, generator)  # type: ignore[arg-type]
    run.save("decoder", {**(run.load("decoder") or {}), "module": both.state_dict(), "finished": steps})
