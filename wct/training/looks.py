"""Stylised pictures as VGG-19 sees them: a loss for what decoders make of features that no picture has."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor

from wct.evaluation.distances import CONTENT_LEVELS, of_features, of_statistics
from wct.gaussian import Gaussian
from wct.look import LOOK
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS
from wct.training.loop import autocast
from wct.training.processes import gathered, share
from wct.training.recipe import Phase
from wct.transforms import transform

__all__ = ["Looks"]

Statistics = dict[int, Gaussian]
"""{level: Gaussian} of one picture."""


@dataclass(frozen=True)
class Looks:
    """The perceptual losses (Johnson et al. 2016) of the last pictures of a batch, each in the style of the next one.

    They are stylised as `wct.Stylizer` does by default, through all levels in one pass. Departure: the distances are
    those of `wct.evaluation` instead of the paper's, so that what is trained is what is measured.

    Attributes:
        encoder: gives the features; does not learn from it.
        decoder: learns.
        eye: VGG-19.
    """

    encoder: Encoder
    decoder: Decoder
    eye: Encoder

    def __call__(self, phase: Phase, pictures: Tensor) -> dict[str, Tensor]:
        """The weighted parts of the loss for this process's share of a batch (N, 3, S, S)."""
        mine, first = share(phase.batch), phase.batch - phase.looks
        own = [i for i in mine if i >= first]
        contents = pictures[len(mine) - len(own) :]
        with torch.no_grad():
            deepest, seen, statistics = self._measured(contents)
        known = dict(gathered(zip(own, statistics, strict=True)))
        styles = [known[first + (i + 1 - first) % phase.looks] for i in own]
        parts = {"style": contents.new_zeros(()), "content": contents.new_zeros(())}
        if own:
            made = self.eye(self._stylised(deepest, [ours for ours, _ in styles], contents), LEVELS)
            for n, (_, wanted) in enumerate(styles):
                parts["style"] = parts["style"] + of_statistics(_statistics(made, n), wanted)
                one, other = ({k: x[k][n : n + 1].float() for k in CONTENT_LEVELS} for x in (made, seen))
                parts["content"] = parts["content"] + of_features(one, other)
        return {name: getattr(phase, name) * part / phase.looks for name, part in parts.items()}

    def _measured(self, pictures: Tensor) -> tuple[Tensor, dict[int, Tensor], list[tuple[Statistics, Statistics]]]:
        """Features of relu5_1, VGG-19's features, and the statistics of both of every picture, on the CPU."""
        with autocast(pictures.device, "float32"):
            ours = self.encoder(pictures, LEVELS)
        seen = self.eye(pictures, LEVELS)
        both = [(_statistics(ours, n), _statistics(seen, n)) for n in range(len(pictures))]
        return ours[LEVELS[-1]], seen, [(_at_home(one), _at_home(other)) for one, other in both]

    def _stylised(self, x: Tensor, styles: list[Statistics], pictures: Tensor) -> Tensor:
        """Features of relu5_1 to stylised pictures of the size of `pictures`."""
        towards, size = transform(LOOK.transform), (pictures.shape[-2], pictures.shape[-1])
        for level in reversed(LEVELS):
            x = x.to(pictures.dtype)
            maps = [towards(Gaussian.of(one), style[level]) for one, style in zip(x, styles, strict=True)]
            x = torch.stack([change(one) for change, one in zip(maps, x, strict=True)])
            with autocast(x.device, "float32") if level == 1 else nullcontext():
                x = self.decoder.step(x, level, size)
        return x.clamp(0, 1)


def _statistics(features: Mapping[int, Tensor], n: int) -> Statistics:
    """Of picture n of a batch, with gradients."""
    return {level: Gaussian.of(x[n].float()) for level, x in features.items()}


def _at_home(statistics: Statistics) -> Statistics:
    """On the CPU, whence they reach other processes."""
    return {level: gaussian.to("cpu") for level, gaussian in statistics.items()}
