"""Starting points without gradients: each convolution by ridge regression on the student's own features.

No gradients are needed to get here, and gradient descent goes on well from it; the compact model's card has figures.
Regressions are solved in float64 from about 12 samples per unknown.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wct.models.decoder import Decoder, Stage
from wct.models.encoder import Encoder, convolve, padded, pooled
from wct.models.spec import LEVELS
from wct.training.teacher import Teacher

__all__ = ["PIXEL_FLOOR", "finish_decoder", "start_decoder", "start_encoder"]

SAMPLES_PER_UNKNOWN = 12
SAMPLES = 30
"""Samples per unknown of a refinement, whose errors are small."""
NOISE = 0.008
"""Added to relu1_1 for the refinements, of its standard deviation: without it they blow up the smallest errors."""
PIXEL_FLOOR = 1e-6
"""Squared error below which a picture counts as reconstructed (60 dB)."""
RIDGE = 1e-4
"""Relative to the mean diagonal of the normal equations."""


class Sampler:
    """The same random places of every picture, for patches and for what is to be found there."""

    def __init__(self, like: Tensor, total: int, generator: torch.Generator) -> None:
        n, _, h, w = like.shape
        each = min(h * w, -(-total // n))
        self.at = torch.stack([torch.randperm(h * w, generator=generator)[:each] for _ in range(n)]).to(like.device)
        self.width = w

    def values(self, x: Tensor) -> Tensor:
        """(N, C, H, W) at the places, as (samples, C)."""
        return torch.cat([y.flatten(1)[:, at].T for y, at in zip(x, self.at, strict=True)]).double()

    def patches(self, x: Tensor) -> Tensor:
        """The 3x3 patches around the places, as (samples, 9 C), in the order of a convolution's weights."""
        rows = []
        for y, at in zip(padded(x), self.at, strict=True):
            i, j = at // self.width, at % self.width
            rows.append(torch.stack([y[:, i + a, j + b] for a in range(3) for b in range(3)], 1).flatten(0, 1).T)
        return torch.cat(rows).double()


def ridge(x: Tensor, y: Tensor, weights: Tensor | None = None, relative: float = RIDGE) -> tuple[Tensor, Tensor]:
    """Weights (m, d) and bias (m,) of the ridge regression of y (n, m) on x (n, d), whose rows may be weighted (n,)."""
    share = torch.ones_like(x[:, 0]) if weights is None else weights
    share = share / share.sum()
    mx, my = share @ x, share @ y
    x = x - mx
    shared = (x * share[:, None]).T
    normal = shared @ x
    normal.diagonal().add_(relative * normal.diagonal().mean() + 1e-12)
    weight = torch.linalg.solve(normal, shared @ (y - my), left=True).T
    return weight, my - weight @ mx


def leading_channels(features: Tensor, n: int) -> Tensor:
    """Indices of the n columns of (samples, C) that explain most of its covariance: pivoted Cholesky."""
    x = features - features.mean(0)
    left = x.T @ x / len(x)
    chosen: list[int] = []
    for _ in range(n):
        gain = left.square().sum(0) / left.diagonal().clamp_min(1e-12 * left.diagonal().max())
        gain[chosen] = -1
        best = int(gain.argmax())
        chosen.append(best)
        left = left - torch.outer(left[best], left[best]) / left[best, best].clamp_min(1e-30)
    return torch.tensor(chosen, device=features.device)


def _set(conv: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    """Write the first len(bias) output channels; the others keep their random start."""
    conv.weight[: len(bias)] = weight.reshape(len(bias), *conv.weight.shape[1:]).to(conv.weight)
    assert conv.bias is not None
    conv.bias[: len(bias)] = bias.to(conv.weight)


def _fit(conv: nn.Conv2d, x: Tensor, target: Tensor, generator: torch.Generator) -> None:
    """Regress up to out_channels leading channels of `target` on patches of x."""
    sampler = Sampler(x, SAMPLES_PER_UNKNOWN * conv.in_channels * 9, generator)
    y = sampler.values(target)
    if y.shape[1] > conv.out_channels:
        y = y[:, leading_channels(y.clamp_min(0), conv.out_channels)]
    _set(conv, *ridge(sampler.patches(x), y))


def _activate(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """ReLU of the convolution, whose channels are first rescaled to unit second moment after it."""
    y = F.relu(convolve(conv, x))
    rms = y.float().square().mean((0, 2, 3)).sqrt()
    # A channel that hardly ever fires is left small: scaled up it would be noise with huge weights.
    rms = rms.clamp_min(1e-3 * float(rms.max()) + 1e-12)
    conv.weight /= rms[:, None, None, None]
    assert conv.bias is not None
    conv.bias /= rms
    return y / rms[:, None, None].to(y)


@torch.no_grad()
def start_encoder(student: Encoder, teacher: Teacher, pictures: Tensor, generator: torch.Generator) -> None:
    """Regress VGG's pre-activations, layer by layer, on the student's own features of (N, 3, H, W).

    Per layer the channels of VGG that explain most of its activations are taken; heads go to the teacher's basis.
    """
    t = s = pictures
    for (name, conv), (_, original) in zip(student.layers(), teacher.vgg.layers(), strict=True):
        if name.endswith("_1") and name != "1_1":
            t, s = (pooled(x) for x in (t, s))
        before = torch.cat([convolve(original, x) for x in torch.split(t, 8)])
        _fit(conv, s, before, generator)
        s, t = _activate(conv, s), F.relu(before)
        level = int(name[0])
        if name.endswith("_1") and student.spec.ranks:
            head: nn.Conv2d = student.get_submodule(f"head{level}")  # type: ignore[assignment]
            sampler = Sampler(s, 4 * SAMPLES_PER_UNKNOWN * head.in_channels, generator)
            _set(head, *ridge(sampler.values(s), sampler.values(teacher.bases[level - 1](t))))


@torch.no_grad()
def start_decoder(decoder: Decoder, encoder: Encoder, pictures: Tensor, generator: torch.Generator) -> None:
    """Regress, stage by stage, the encoder's activations on the decoder's own features, in mirrored order.

    Before the upsampling the target is the pooled last activation of the block below, after it the earlier ones, then
    what the stage is to give.
    """
    trunk = dict(encoder.trunk(pictures))
    for level in LEVELS:
        stage = decoder.stages[level - 1]
        x = encoder.head(trunk[f"{level}_1"], level)
        picture = level == 1 or stage.again is not None
        below = pictures if picture else encoder.head(trunk[f"{level - 1}_1"], level - 1)
        mirrored = [y for name, y in trunk.items() if int(name[0]) == level - 1][::-1]
        for conv in stage.low:
            _fit(conv, x, pooled(mirrored[0]), generator)
            x = _activate(conv, x)
        if level > 1:
            x = F.interpolate(x, scale_factor=2, mode="nearest")[..., : below.shape[-2], : below.shape[-1]]
        for i, conv in enumerate(stage.high[:-1], 1):
            _fit(conv, x, mirrored[i] if i < len(mirrored) else below, generator)
            x = _activate(conv, x)
        _fit(stage.high[-1], x, below, generator)
        if stage.again is not None:
            stage.again.load_state_dict(_first(encoder).state_dict())
    if decoder.stages[0].look:
        _start_refinements(decoder.stages[0], encoder, pictures, generator)


def _start_refinements(stage: Stage, encoder: Encoder, pictures: Tensor, generator: torch.Generator) -> None:
    """The refinements of stage 1. They look for what ReLU has cut off behind the encoder's first convolution."""
    x, first = encoder(pictures, (1,))[1], _first(encoder)
    x += NOISE * x.std((0, 2, 3), keepdim=True) * torch.randn(x.shape, generator=generator).to(x)
    cut = F.relu(-convolve(first, pictures))
    values = Sampler(cut, SAMPLES_PER_UNKNOWN * first.out_channels, generator).values(cut)
    for k, look in enumerate(stage.look, 1):
        chosen = leading_channels(values, min(look.out_channels, first.out_channels))
        size = values[:, chosen].square().mean().sqrt().clamp_min(1e-12)
        assert first.bias is not None
        _set(look, -first.weight[chosen] / size, -first.bias[chosen] / size)
        _solve_refinement(stage, k, x, pictures, generator)


def _solve_refinement(stage: Stage, k: int, x: Tensor, pictures: Tensor, generator: torch.Generator) -> None:
    """Solve what is linear in refinement k, counted from 1, for features x of pictures.

    A picture weighs as much as its error was small: one step down the sum of the errors' logarithms.
    """
    made = stage.refined(stage.made(x, _size(x)), x, k - 1)
    change, given, own = stage.change[k - 1], stage.given, slice(3 * (k - 1), 3 * k)
    assert given is not None and given.bias is not None
    seen = torch.cat([x, F.relu(convolve(stage.look[k - 1], made))], 1)
    sampler = Sampler(seen, SAMPLES * seen.shape[1] * 9, generator)
    wanted = sampler.values(pictures)
    error = (made - pictures).double().square().mean((1, 2, 3)) + PIXEL_FLOOR
    weights = (1 / error).repeat_interleave(len(wanted) // len(error))
    weight, bias = ridge(sampler.patches(seen), wanted, weights, relative=1e-9)
    weight = weight.view(3, -1, 3, 3)
    given.weight[own], given.bias[own] = weight[:, : given.in_channels].to(given.weight), bias.to(given.bias)
    _set(change, weight[:, given.in_channels :], torch.zeros_like(bias))


def _first(encoder: Encoder) -> nn.Conv2d:
    conv: nn.Conv2d = encoder.get_submodule("conv1_1")  # type: ignore[assignment]
    return conv


@torch.no_grad()
def finish_decoder(decoder: Decoder, encoder: Encoder, pictures: Tensor, generator: torch.Generator) -> None:
    """Solve the chain's last, linear convolution for pictures (N, 3, H, W) from all levels, in full precision.

    A level weighs as much as its error is small: one step down the sum of the errors' logarithms, as in training.
    """
    *hidden, last = decoder.stages[0].high
    rows, found, weights = [], [], []
    sampler = Sampler(pictures, 40 * last.in_channels * 9, generator)
    target = sampler.values(pictures)
    for level in LEVELS:
        x = torch.cat([_chained(decoder, encoder, some, level) for some in torch.split(pictures, 8)])
        for conv in hidden:
            x = F.relu(convolve(conv, x))
        error = (convolve(last, x) - pictures).square().mean()
        rows.append(sampler.patches(x))
        found.append(target)
        weights.append(torch.full((len(target),), 1 / float(error), dtype=target.dtype, device=target.device))
    _set(last, *ridge(torch.cat(rows), torch.cat(found), torch.cat(weights), relative=1e-7))


def _size(x: Tensor) -> tuple[int, int]:
    return x.shape[-2], x.shape[-1]


def _chained(decoder: Decoder, encoder: Encoder, pictures: Tensor, level: int) -> Tensor:
    """relu1_1 of pictures as the chain makes it from `level`."""
    x: Tensor = encoder(pictures, (level,))[level]
    for k in range(level, 1, -1):
        x = decoder.step(x, k, _size(pictures))
    return x
