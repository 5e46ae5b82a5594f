"""A network for one style or many: Johnson et al. 2016, with conditional normalisation (Dumoulin et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import tomli_w
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wct.errors import ModelError, OutputError, UsageError
from wct.images import Picture
from wct.images.label import label, one_line
from wct.linalg import finite
from wct.maps import normalised
from wct.methods.hidden import kept, shown
from wct.models.shelf import shelf
from wct.models.spec import parse, read_toml
from wct.models.weights import fill, load_tensors, save_tensors, sha256

__all__ = ["NetSpec", "StyleNet"]

CARD, WEIGHTS = "net.toml", "net.safetensors"
LEAST = 16
"""Pixels: smaller sides are filled up by repetition, for the widest convolution and the two halvings."""


@dataclass(frozen=True)
class NetSpec:
    """What a network is.

    Attributes:
        styles: their names, one or more.
        widths: channels at full, half and quarter resolution (the paper's are 32, 64, 128).
        blocks: residual blocks at quarter resolution (the paper's 5).
    """

    styles: list[str]
    widths: list[int]
    blocks: int = 5

    def __post_init__(self) -> None:
        if (
            not self.styles
            or len(set(self.styles)) < len(self.styles)
            or not all(isinstance(s, str) for s in self.styles)
        ):
            raise ModelError(f"styles: found {self.styles}; needs one or more different names")
        numbers = [*self.widths, self.blocks + 1]
        if len(self.widths) != 3 or not all(isinstance(n, int) and 0 < n <= 1024 for n in numbers):
            raise ModelError(f"widths {self.widths}, blocks {self.blocks}: needs three widths from 1 and blocks from 0")


class Norm(nn.Module):
    """Conditional instance normalisation, z = gamma_s (x - mean) / deviation + beta_s (Dumoulin et al. 2017, eq. 5).

    A scale and a shift of its own for each style; of several styles their weighted means (section 3.3).
    """

    def __init__(self, styles: int, width: int) -> None:
        super().__init__()
        self.gamma = nn.ParameterList([nn.Parameter(torch.ones(width)) for _ in range(styles)])
        self.beta = nn.ParameterList([nn.Parameter(torch.zeros(width)) for _ in range(styles)])

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(N, C, H, W) with weights (N, styles) that sum to 1."""
        gamma, beta = (weights @ torch.stack(list(each)) for each in (self.gamma, self.beta))
        return F.instance_norm(x.float()) * gamma[..., None, None] + beta[..., None, None]


class Layer(nn.Module):
    """A convolution with mirrored edges, at a stride or after doubling by repetition, and its normalisation.

    Departure: Johnson et al. (2016) let zeros in at the edges; mirroring leaves no frame (Dumoulin et al. 2017).
    """

    def __init__(
        self, spec: NetSpec, before: int, after: int, side: int, stride: int = 1, doubling: bool = False
    ) -> None:
        super().__init__()
        self.pad, self.doubling = side // 2, doubling
        self.conv = nn.Conv2d(before, after, side, stride, bias=False)
        self.norm = Norm(len(spec.styles), after)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        if self.doubling:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        y: Tensor = self.norm(self.conv(F.pad(x, (self.pad,) * 4, mode="reflect")), weights)
        return y


class Residual(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, spec: NetSpec, width: int) -> None:
        super().__init__()
        self.first, self.second = Layer(spec, width, width, 3), Layer(spec, width, width, 3)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        y: Tensor = x + self.second(F.relu(self.first(x, weights)), weights)
        return y


class StyleNet(nn.Module):
    """A feed-forward network from pictures to stylised pictures, in one pass.

    With one style it is that of Johnson et al. (2016), with instance in place of batch normalisation (Ulyanov et al.
    2016); with several that of Dumoulin et al. (2017).

    Examples:
        >>> from wct.samples import paint
        >>> net = StyleNet.load()
        >>> net.stylize(paint("linocut").resized(48), {"waves": 2, "mosaic": 1})
        <Picture linocut: 48x48>
    """

    def __init__(self, spec: NetSpec) -> None:
        super().__init__()
        self.spec = spec
        a, b, c = spec.widths
        self.down = nn.ModuleList([Layer(spec, 3, a, 9), Layer(spec, a, b, 3, 2), Layer(spec, b, c, 3, 2)])
        self.blocks = nn.ModuleList([Residual(spec, c) for _ in range(spec.blocks)])
        self.up = nn.ModuleList([Layer(spec, c, b, 3, doubling=True), Layer(spec, b, a, 3, doubling=True)])
        self.last = Layer(spec, a, 3, 9)

    def forward(self, pictures: Tensor, weights: Tensor) -> Tensor:
        """Pictures (N, 3, H, W), RGB in 0..1, with weights (N, styles) that sum to 1, to pictures of the same size."""
        return self.decoded(self.encoded(pictures, weights), weights, (pictures.shape[-2], pictures.shape[-1]))

    def encoded(self, pictures: Tensor, weights: Tensor) -> Tensor:
        """The stylised features (N, C, h, w) of pictures, at a quarter of their size."""
        x = _filled(pictures)
        for layer in self.down:
            x = F.relu(layer(x, weights))
        for block in self.blocks:
            x = block(x, weights)
        return x

    def decoded(self, features: Tensor, weights: Tensor, size: tuple[int, int]) -> Tensor:
        """Pictures (N, 3, *size) of what `encoded` gave."""
        x = features
        for layer in self.up:
            x = F.relu(layer(x, weights))
        y: Tensor = torch.sigmoid(self.last(x, weights))
        return y[..., : size[0], : size[1]]

    def weights(self, styles: str | Mapping[str, float]) -> Tensor:
        """Weights (1, styles) from a name or {name: weight}.

        Raises:
            UsageError: a style that the network has not learnt, or weights that do not fit.
        """
        given = {styles: 1.0} if isinstance(styles, str) else styles
        if unknown := [name for name in given if name not in self.spec.styles]:
            raise UsageError(f"style {unknown[0]!r}: not learnt; the network knows {', '.join(self.spec.styles)}")
        shares = normalised([given.get(name, 0.0) for name in self.spec.styles], len(self.spec.styles))
        return torch.tensor([shares], device=next(self.parameters()).device)

    def of_style(self, index: int) -> list[nn.Parameter]:
        """The scales and shifts of one style: all that a new style has to learn."""
        norms = [module for module in self.modules() if isinstance(module, Norm)]
        return [parameter for norm in norms for parameter in (norm.gamma[index], norm.beta[index])]

    @torch.no_grad()
    def with_style(self, name: str) -> StyleNet:
        """The same network with one more style, which starts as the mean of the others (section 3.2).

        Raises:
            ModelError: there is a style of that name.
        """
        made = StyleNet(replace(self.spec, styles=[*self.spec.styles, name]))
        known = self.state_dict()
        tensors = dict(known)
        for key in made.state_dict().keys() - known.keys():
            stem = key.rpartition(".")[0]
            tensors[key] = torch.stack([known[f"{stem}.{i}"] for i in range(len(self.spec.styles))]).mean(0)
        made.load_state_dict(tensors)
        return made

    @torch.inference_mode()
    def stylize(self, content: Picture, styles: str | Mapping[str, float]) -> Picture:
        """The content in one style by name, or between several, {name: weight}; same size and alpha.

        Raises:
            UsageError: a style that the network has not learnt, or weights that do not fit.
            NumericsError: the result is not finite.
        """
        weights = self.weights(styles)
        rgb = self(shown(content).rgb[None].to(weights), weights)
        return kept(content, finite(rgb, "the picture")[0].float().cpu())

    @classmethod
    def load(cls, name: str | Path = "samples") -> StyleNet:
        """The shipped network (which has the sample paintings' styles), or that in a folder.

        Raises:
            ModelError: there is none, or it is damaged.
        """
        folder = shelf() / "stylenet" if str(name) == "samples" else Path(name)
        table = read_toml(folder / CARD)
        where = label(folder / CARD)
        net = cls(parse(NetSpec, table.get("net", {}), where))
        fill(net, load_tensors(folder / WEIGHTS, table.get("sha256")), where)
        return net.eval().requires_grad_(False)

    def save(self, folder: Path, about: Mapping[str, object] | None = None) -> None:
        """Write the network into a folder, weights in float16, with `about` in its card.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{label(folder)}: cannot be made ({one_line(error)}); choose another folder") from error
        save_tensors({name: tensor.half() for name, tensor in self.state_dict().items()}, folder / WEIGHTS)
        card = {**(about or {}), "sha256": sha256(folder / WEIGHTS), "net": asdict(self.spec)}
        (folder / CARD).write_text(tomli_w.dumps(card), encoding="utf-8")


def _filled(x: Tensor) -> Tensor:
    """(N, 3, H, W) with sides that are multiples of 4, at least LEAST, by repeating the last row and column."""
    down, right = (max(LEAST, -(-side // 4) * 4) - side for side in x.shape[-2:])
    return F.pad(x, (0, right, 0, down), mode="replicate") if down or right else x


def one_hot(indices: Sequence[int], count: int) -> Tensor:
    """Weights (N, count) that are 1 for one style each."""
    return F.one_hot(torch.tensor(indices), count).float()
