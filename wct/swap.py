"""Style-swap: features put together from patches of the style's own (Chen & Schmidt 2016)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from wct.errors import UsageError
from wct.gaussian import Gaussian
from wct.linalg import exact_device
from wct.maps import Mixture, check_channels, shape

__all__ = ["PATCHES", "SWAP_LEVELS", "PatchMap", "Texture"]

SWAP_LEVELS = (4, 3)
"""Levels at which a style can keep patches: relu4_1 and relu3_1.

relu5_1 has too few patches to choose from, and those of relu2_1 and relu1_1 are too small to show a texture.
"""

PATCHES = 2048
"""How many patches a style keeps at most at a level."""

_SIDE = 3
_AT_ONCE = 2**26
"""Similarities held at once: 256 MB in float32."""


@dataclass(frozen=True, eq=False, repr=False)
class Texture(Gaussian):
    """A Gaussian that also keeps some of the 3x3 patches it was measured from.

    Attributes:
        patches: (K, C, 3, 3), K >= 1, any float dtype.

    Raises:
        UsageError: as for a Gaussian, or the patches do not fit.
    """

    patches: Tensor

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = len(self.patches) > 0 and self.patches.shape[1:] == (self.channels, _SIDE, _SIDE)
        if not (fits and self.patches.is_floating_point()):
            raise UsageError(
                f"a Texture of {self.channels} channels needs float patches (K, {self.channels}, {_SIDE}, {_SIDE}), "
                f"found {self.patches.dtype} {shape(self.patches)}"
            )

    @classmethod
    def of(cls, features: Tensor, weights: Tensor | None = None, count: int = PATCHES) -> Texture:
        """Statistics of features, and a sample of their patches: the same sample every time.

        Args:
            features: (C, H, W) or (1, C, H, W), any float dtype. Beyond its border the nearest pixel is repeated.
            weights: (H, W), finite, >= 0, as for a Gaussian; patches are drawn without replacement, with chances
                after the weights of their middle pixels.
            count: how many patches to keep at most, 1 or more; all where there are not more.

        Raises:
            UsageError: a shape does not fit, there is no pixel, no pixel has weight, or count is below 1.
            NumericsError: a feature is not finite.
        """
        whole = Gaussian.of(features, weights)
        x = _padded(features, whole.channels)
        if count < 1:
            raise UsageError(f"count is {count}; it needs 1 patch or more")
        height, width = features.shape[-2:]
        chances = torch.ones(height * width) if weights is None else weights.cpu().flatten()
        # Efraimidis & Spirakis 2006: the largest u^(1/w) are a weighted sample without replacement.
        draws = torch.rand(len(chances), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        most = min(count, int((chances > 0).sum()))
        places = (draws.log() / chances).topk(most).indices.sort().values.to(x.device)
        side = torch.arange(_SIDE, device=x.device)
        rows, columns = (places // width)[:, None] + side, (places % width)[:, None] + side
        patches = x[0][:, rows[:, :, None], columns[:, None, :]].movedim(0, 1).contiguous()
        return cls(whole.n, whole.mean, whole.cov, patches)

    def to(self, device: torch.device | str) -> Texture:
        """The same on another device (all but the patches on the CPU for MPS, which has no float64)."""
        home = exact_device(device)
        return replace(self, mean=self.mean.to(home), cov=self.cov.to(home), patches=self.patches.to(device))


@dataclass(frozen=True, eq=False, slots=True)
class PatchMap:
    """The map that puts a patch of the style's in the place of every patch of the features.

    Attributes:
        source: (C,), float64, the content's mean.
        keys: (K, C, 3, 3), the style's patches without the style's mean, of unit length: what is matched.
        patches: (K, C, 3, 3), the same patches as they are: what is put in place.
    """

    source: Tensor
    keys: Tensor
    patches: Tensor

    @classmethod
    def between(cls, content: Gaussian, style: Texture) -> PatchMap:
        """From the content's features to patches of the style's.

        Raises:
            UsageError: the numbers of channels differ.
        """
        check_channels("swapping patches", [content.channels, style.channels])
        # Departure from the paper, which compares features as they are: without their means. Where the two means are
        # far apart, one patch would be the nearest to half of the content.
        patches = style.patches.to(torch.promote_types(style.patches.dtype, torch.float32))
        centred = patches - style.mean.to(patches)[:, None, None]
        return cls(content.mean, F.normalize(centred.flatten(1)).view_as(centred), style.patches)

    @property
    def channels(self) -> int:
        """The number of channels C."""
        return len(self.source)

    @property
    def halo(self) -> int:
        """How many pixels beyond its own a mapped feature depends on: the patches around it, and what they matched."""
        return _SIDE - 1

    def __call__(self, features: Tensor) -> Tensor:
        """Features (C, H, W) or (1, C, H, W), of any size, to features of the same shape, dtype and device.

        Computed in float32 at least.

        Raises:
            UsageError: the features have another shape or number of channels.
        """
        dtype = torch.promote_types(features.dtype, torch.float32)
        with torch.autocast(features.device.type, enabled=False):
            x = _padded(features.to(dtype), self.channels)
            best = self._nearest(x - self.source.to(x)[:, None, None])
            made = _overlaid(self.patches.to(x), best)
        return made.to(features.dtype).reshape(features.shape)

    def toward_identity(self, alpha: float) -> Mixture:
        """The map (1 - alpha) x + alpha y(x); UsageError where alpha is negative or not finite."""
        return Mixture((self,), (1.0,)).toward_identity(alpha)

    def _nearest(self, x: Tensor) -> Tensor:
        """(H, W), which key has the largest normalised correlation with each patch of (1, C, H + 2, W + 2)."""
        keys = self.keys.to(x)
        height, width = x.shape[-2] - _SIDE + 1, x.shape[-1] - _SIDE + 1
        step = max(1, _AT_ONCE // (len(keys) * width))
        bands = (x[:, :, top : top + step + _SIDE - 1] for top in range(0, height, step))
        # The length of a content patch scales all its correlations alike, and does not matter.
        return torch.cat([F.conv2d(band, keys)[0].argmax(0) for band in bands])


def _overlaid(patches: Tensor, which: Tensor) -> Tensor:
    """(C, H, W): patch number `which` (H, W) laid around every pixel, averaged where patches overlap."""
    height, width = which.shape
    total = patches.new_zeros(height + _SIDE - 1, width + _SIDE - 1, patches.shape[1])
    layers = patches.new_zeros(height + _SIDE - 1, width + _SIDE - 1, 1)
    for i in range(_SIDE):
        for j in range(_SIDE):
            here = slice(i, i + height), slice(j, j + width)
            total[here] += patches[:, :, i, j][which]
            layers[here] += 1
    return (total / layers)[1:-1, 1:-1].movedim(-1, 0)


def _padded(features: Tensor, channels: int) -> Tensor:
    """Features as (1, C, H + 2, W + 2), the nearest pixel repeated beyond the border."""
    x = features if features.ndim == 4 else features[None]
    if x.ndim != 4 or x.shape[:2] != (1, channels):
        raise UsageError(f"patches of {channels} channels do not fit features of shape {shape(features)}")
    return F.pad(x, (1, 1, 1, 1), mode="replicate")
