"""Style: what the engine keeps of one or several style pictures, a Gaussian per level each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wct.errors import ModelError, UsageError
from wct.gaussian import AffineMap, Gaussian, mix, normalised
from wct.transforms import Transform

__all__ = ["Style"]


@dataclass(frozen=True)
class Style:
    """One or several styles with weights that sum to 1, made by the model with the given `fingerprint`.

    Attributes:
        parts: per style picture its Gaussians {level: Gaussian}.
        weights: per style picture its share.
        names: per style picture where it came from.
        fingerprint: sha256 of the encoder's weights; another model's Gaussians mean nothing to it.
    """

    parts: tuple[Mapping[int, Gaussian], ...]
    weights: tuple[float, ...]
    names: tuple[str, ...]
    fingerprint: str

    @classmethod
    def blend(cls, styles: Sequence[Style], weights: Sequence[float] | None = None) -> Style:
        """Several styles as one; weights of any scale, equal where None. Weight 0 leaves a style out.

        Raises:
            UsageError: there is no style, a weight is negative or not finite, all are zero, or there is not one
                for each style.
            ModelError: the styles were made by different models.
        """
        if not styles:
            raise UsageError("no style given; needs at least one picture or style")
        if len({style.fingerprint for style in styles}) > 1:
            made = ", ".join(name for style in styles for name in style.names)
            raise ModelError(f"styles {made}: made by different models; make them again with one")
        shares = normalised([1.0] * len(styles) if weights is None else weights, len(styles))
        rows = [
            (part, share * weight, name)
            for style, share in zip(styles, shares, strict=True)
            for part, weight, name in zip(style.parts, style.weights, style.names, strict=True)
            if share * weight > 0
        ]
        parts, weighted, names = zip(*rows, strict=True)
        return cls(parts, weighted, names, styles[0].fingerprint)

    def map(self, content: Gaussian, level: int, transform: Transform) -> AffineMap:
        """The weighted mean of the maps from the content's features to each style's (Li et al. 2017, section 4.3)."""
        maps = [transform(content, part[level]) for part in self.parts]
        return maps[0] if len(maps) == 1 else mix(maps, self.weights)
