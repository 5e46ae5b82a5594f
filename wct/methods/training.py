"""Training a StyleNet: the perceptual losses and total variation of Johnson et al. 2016, on pictures of any kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from wct.devices import placed
from wct.errors import ModelError
from wct.images import Picture, read
from wct.methods.perceptual import CONTENT, LAYERS, content_loss, features, gram, style_loss, total_variation
from wct.methods.stylenet import NetSpec, StyleNet, one_hot
from wct.models import Model
from wct.models.spec import LEVELS, parse, read_toml
from wct.samples import PAINTINGS, paint
from wct.training.loop import Run, autocast, train
from wct.training.pictures import PictureSet
from wct.training.processes import share
from wct.training.recipe import Phase

__all__ = ["NetRecipe", "train_net"]


@dataclass(frozen=True)
class Goal:
    """What a network is trained towards.

    Attributes:
        style_size: short side of the style pictures, in pixels.
        content: the layer of the content, and `ratio` the weight of its loss over the style's.
        levels: those whose second moments count.
        smooth: weight of the total variation (Johnson et al. 2016, section 3.2).
    """

    style_size: int = 256
    content: str = CONTENT
    ratio: float = 0.1
    levels: Sequence[int] = (1, 2, 3, 4)
    smooth: float = 0.0

    def __post_init__(self) -> None:
        if self.content not in LAYERS:
            raise ModelError(f"content: found {self.content!r}; needs one of {', '.join(LAYERS)}")
        if not self.levels or not set(self.levels) <= set(LEVELS):
            raise ModelError(f"levels: found {self.levels}; needs one or more of 1 to 5")


@dataclass(frozen=True)
class NetRecipe:
    """A network, the pictures of the styles that it is to learn, its goal and the phases of its training."""

    spec: NetSpec
    pictures: dict[str, Picture]
    goal: Goal
    seed: int
    precision: str
    phases: list[Phase]
    table: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> NetRecipe:
        """The recipe in a toml file, pictures from its own folder; ModelError for one that does not parse."""
        table = read_toml(path)
        spec = parse(NetSpec, table.get("net", {}), f"{path} [net]")
        files = table.get("pictures", {})
        goal = parse(Goal, table.get("goal", {}), f"{path} [goal]")
        of_train = table.get("train", {})
        return cls(
            spec,
            {name: _painting(name, files, path) for name in spec.styles},
            goal,
            seed=int(of_train.get("seed", 0)),
            precision=str(of_train.get("precision", "float32")),
            phases=[parse(Phase, phase, f"{path} [[train.phase]]") for phase in of_train.get("phase", [])],
            table=table,
        )

    def adding(self, spec: NetSpec, file: Path) -> NetRecipe:
        """The recipe for a network `spec` whose last style is to be learnt from the picture in `file`."""
        return replace(self, spec=spec, pictures={spec.styles[-1]: read(file)})

    @property
    def about(self) -> dict[str, str]:
        """What the network's card says besides."""
        return {name: value for name, value in self.table.items() if isinstance(value, str)}


def _painting(name: str, files: Mapping[str, str], recipe: Path) -> Picture:
    if name in files:
        return read(recipe.parent / files[name])
    if name in PAINTINGS:
        return paint(name)
    known = ", ".join(PAINTINGS)
    raise ModelError(f"{recipe}: style {name!r} has no picture; name one under [pictures], or take {known}")


def train_net(recipe: NetRecipe, eye: Model, data: PictureSet, run: Run, start: StyleNet | None = None) -> StyleNet:
    """Train a network, from `start` where it is given, and resume a stopped run.

    Where the recipe has pictures for some of the styles only, their scales and shifts alone are trained (Dumoulin et
    al. 2017, section 3.2).

    Args:
        recipe: what to train.
        eye: the model whose encoder looks.
        data: the contents.
        run: where checkpoints go.
        start: a network with the recipe's `spec`.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        net = start or StyleNet(recipe.spec)
    net = placed(net.train(), run.device)
    names = list(recipe.pictures)
    taught = [recipe.spec.styles.index(name) for name in names]
    net.requires_grad_(len(taught) == len(recipe.spec.styles))
    for parameter in (one for index in taught for one in net.of_style(index)):
        parameter.requires_grad_(True)
    wanted = moments(eye, list(recipe.pictures.values()), recipe.goal)

    def loss(phase: Phase, pictures: Tensor, step: int) -> Mapping[str, Tensor]:
        # Pictures of a batch take the styles in turns, so that every style learns at every other step at least.
        mine = share(phase.batch)
        turns = [(step * phase.batch + i) % len(taught) for i in mine]
        weights = one_hot([taught[turn] for turn in turns], len(recipe.spec.styles)).to(run.device)
        with autocast(run.device, recipe.precision):
            with torch.no_grad():
                own, _ = features(eye.encoder, pictures, recipe.goal.content, ())
            made = net(pictures, weights)
            activations, found = features(eye.encoder, made, recipe.goal.content, recipe.goal.levels)
        part = len(mine) / phase.batch
        goals = {level: wanted[level][turns] for level in found}
        return {
            "content": part * recipe.goal.ratio * content_loss(activations.float(), own.float()),
            "style": part * style_loss({level: gram(one.float()) for level, one in found.items()}, goals),
            "smooth": part * recipe.goal.smooth * total_variation(made.float()),
        }

    train(run, "net", net, recipe.phases, data, loss)
    return net.eval().requires_grad_(False)


@torch.no_grad()
def moments(eye: Model, pictures: Sequence[Picture], goal: Goal) -> dict[int, Tensor]:
    """{level: (styles, C, C)}, second moments of style pictures."""
    found: dict[int, list[Tensor]] = {level: [] for level in goal.levels}
    for picture in pictures:
        pixels = picture.resized(goal.style_size).rgb[None].to(eye.device)
        _, levels = features(eye.encoder, pixels, "1_1", goal.levels)
        for level, one in levels.items():
            found[level].append(gram(one)[0])
    return {level: torch.stack(ones) for level, ones in found.items()}
