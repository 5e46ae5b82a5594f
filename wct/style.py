"""Style: what the engine keeps of one or several style pictures, a Gaussian per level each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch

from wct.barycentre import barycentre
from wct.errors import ModelError, UsageError
from wct.gaussian import Gaussian
from wct.images import Picture
from wct.images.label import label
from wct.look import BLENDS
from wct.maps import FeatureMap, mix, normalised
from wct.models import Model
from wct.swap import Texture
from wct.transforms import Transform

__all__ = ["Part", "Style", "Weight"]

Weight = float | Mapping[int, float]
"""One number, or {level: number} with 1 where absent."""


@dataclass(frozen=True, eq=False)
class Part:
    """One style picture of a blend.

    Attributes:
        name: where it came from.
        gaussians: {level: Gaussian} of its features, rounded to float32 as a style file keeps them, so that a saved
            style gives the same picture.
        weights: {level: share of the blend}; those of all parts sum to 1 at each level.
        thumbnail: the picture, small; None where there is none, as for a barycentre.
    """

    name: str
    gaussians: Mapping[int, Gaussian]
    weights: Mapping[int, float]
    thumbnail: Picture | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "gaussians", {level: _rounded(one) for level, one in self.gaussians.items()})


@dataclass(frozen=True, eq=False)
class Style:
    """One or several style pictures with weights, as the model with the given `fingerprint` sees them.

    Attributes:
        parts: one or more.
        fingerprint: sha256 of the encoder's weights; another model's Gaussians mean nothing to it.
        colors: whose colours the statistics hold: "style", or "content" where the pictures were recoloured first.
        model: the model's name, for people.

    Examples:
        >>> import wct
        >>> from wct.samples import paint
        >>> stylizer = wct.Stylizer()
        >>> style = stylizer.style(paint("waves"), paint("mosaic"), weights=[2, 1])
        >>> style.save("mix.style")
        >>> wct.Style.load("mix.style")
        <Style waves, mosaic, for compact>
    """

    parts: tuple[Part, ...]
    fingerprint: str
    colors: str = "style"
    model: str = "unknown"

    @property
    def name(self) -> str:
        """The names of the parts."""
        return ", ".join(part.name for part in self.parts)

    def __repr__(self) -> str:
        return f"<Style {label(f'{self.name}, for {self.model}')}>"

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from wct.notebook import style_html

        return style_html(self)

    def picture(self) -> Picture:
        """A small picture of the style: its heaviest part's thumbnail, or grey where that has none."""
        part = max(self.parts, key=lambda part: sum(part.weights.values()))
        grey = Picture(torch.full((3, 32, 32), 0.5), name=self.name)
        return grey if part.thumbnail is None else replace(part.thumbnail, name=self.name)

    @property
    def has_patches(self) -> bool:
        """True where every part can be matched patch by patch."""
        return all(any(isinstance(g, Texture) for g in part.gaussians.values()) for part in self.parts)

    def check(self, model: Model, color: str) -> None:
        """Whether it serves this model and a look with this `color`.

        Raises:
            ModelError: another model made it.
            UsageError: the content's colours are asked for, and it holds its own.
        """
        if self.fingerprint != model.fingerprint:
            raise ModelError(
                f"style {self.name}: made by another model, {self.model!r}; make it again with {model.card.name!r}"
            )
        if color == "content" and self.colors != "content":
            raise UsageError(
                f"style {self.name}: holds its own colours; for the content's give the style picture itself, "
                "or, in Python, make the style with colors=content"
            )

    @property
    def digest(self) -> str:
        """sha256 of all that the statistics say: styles with the same one give the same pictures."""
        digest = hashlib.sha256()
        for part in self.parts:
            for level, gaussian in sorted(part.gaussians.items()):
                digest.update(repr((level, part.weights[level], gaussian.n, self.colors)).encode())
                patches = [gaussian.patches.float()] if isinstance(gaussian, Texture) else []
                for tensor in (gaussian.mean, gaussian.cov, *patches):
                    digest.update(tensor.cpu().numpy().tobytes())
        return digest.hexdigest()

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Style:
        """The style in a file; see `wct.style_file.load_style`."""
        from wct.style_file import load_style

        return load_style(path)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write this style to a file; see `wct.style_file.save_style`."""
        from wct.style_file import save_style

        save_style(self, path, overwrite=overwrite)

    @classmethod
    def blend(cls, styles: Sequence[Style], weights: Sequence[Weight] | None = None, how: str = "maps") -> Style:
        """Several styles as one; weights of any scale, equal where None. Weight 0 leaves a style out.

        Args:
            styles: one or more styles of the same model.
            weights: one for each style: a number, or {level: number} with 1 where absent.
            how: "maps" keeps all Gaussians, and a stylisation takes the weighted mean of the maps to them (Li et al.
                2017, section 4.3); "barycentre" makes one Gaussian per level of them, their Wasserstein barycentre.

        Raises:
            UsageError: there is no style, a weight is negative or not finite, all are zero at a level, there is not
                one for each style, or the styles differ in whose colours they hold.
            ModelError: the styles were made by different models.
        """
        if not styles:
            raise UsageError("no style given; needs at least one picture or style")
        if how not in BLENDS:
            raise UsageError(f"blend {how!r} is unknown; choose {' or '.join(BLENDS)}")
        made = ", ".join(style.name for style in styles)
        if len({style.fingerprint for style in styles}) > 1:
            raise ModelError(f"styles {made}: made by different models; make them again with one")
        if len({style.colors for style in styles}) > 1:
            raise UsageError(f"styles {made}: some hold the content's colours and some their own; make all alike")
        shares = _shares([1.0] * len(styles) if weights is None else weights, styles)
        parts = tuple(
            replace(part, weights={level: share[level] * weight for level, weight in part.weights.items()})
            for style, share in zip(styles, shares, strict=True)
            for part in style.parts
            if any(share.values())
        )
        whole = replace(styles[0], parts=parts)
        return whole.barycentre() if how == "barycentre" else whole

    def to(self, device: torch.device | str) -> Style:
        """The same with its statistics on another device, where they are then solved once for all contents."""
        moved = ({level: one.to(device) for level, one in part.gaussians.items()} for part in self.parts)
        parts = (replace(part, gaussians=found) for part, found in zip(self.parts, moved, strict=True))
        return replace(self, parts=tuple(parts))

    def barycentre(self) -> Style:
        """One Gaussian per level in place of all parts': their Wasserstein barycentre."""
        if len(self.parts) == 1:
            return self
        gaussians = {}
        for level in self.parts[0].gaussians:
            present = self._at(level)
            gaussians[level] = barycentre([part.gaussians[level] for part in present], _weights(present, level))
        part = Part(" + ".join(part.name for part in self.parts), gaussians, dict.fromkeys(gaussians, 1.0))
        return replace(self, parts=(part,))

    def map(self, content: Gaussian, level: int, transform: Transform) -> FeatureMap:
        """The weighted mean of the maps from the content's features to each part's (Li et al. 2017, section 4.3)."""
        present = self._at(level)
        maps = [transform(content, part.gaussians[level]) for part in present]
        return maps[0] if len(maps) == 1 else mix(maps, _weights(present, level))

    def _at(self, level: int) -> list[Part]:
        """The parts that have weight at a level."""
        return [part for part in self.parts if part.weights[level] > 0]


def _rounded(gaussian: Gaussian) -> Gaussian:
    """The Gaussian with its numbers in float32's precision; itself, with the roots it has solved, where they are."""
    mean = gaussian.mean.float().double()
    cov = ((gaussian.cov + gaussian.cov.mT) / 2).float().double()
    same = torch.equal(mean, gaussian.mean) and torch.equal(cov, gaussian.cov)
    return gaussian if same else replace(gaussian, mean=mean, cov=cov)


def _weights(parts: Iterable[Part], level: int) -> list[float]:
    return [part.weights[level] for part in parts]


def _shares(weights: Sequence[Weight], styles: Sequence[Style]) -> list[dict[int, float]]:
    """For each style {level: share}, summing to 1 over the styles at each level."""
    levels = list(styles[0].parts[0].gaussians)
    for weight in weights:
        unknown = sorted(set(weight) - set(levels)) if isinstance(weight, Mapping) else []
        if unknown:
            raise UsageError(f"weight of level {unknown[0]!r}: no such level; needs whole numbers from 1 to 5")
    shares: list[dict[int, float]] = [{} for _ in styles]
    for level in levels:
        at = [float(w.get(level, 1.0) if isinstance(w, Mapping) else w) for w in weights]
        try:
            found = normalised(at, len(styles))
        except UsageError as error:
            where = f"level {level}: " if any(isinstance(weight, Mapping) for weight in weights) else ""
            raise UsageError(f"styles {', '.join(style.name for style in styles)}: {where}{error}") from error
        for share, value in zip(shares, found, strict=True):
            share[level] = value
    return shares
