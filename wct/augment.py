"""Stylisation as augmentation: a torchvision transform for training pipelines."""

from __future__ import annotations

import math
import os
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from wct.devices import choose_precision
from wct.errors import UsageError
from wct.images import Picture, Source, list_pictures, read
from wct.look import LOOK, Look
from wct.models import Model
from wct.style import Style
from wct.stylizer import Stylizer

__all__ = ["Stylize"]

KEPT = 128
"""Measured styles that are kept, of compact 3.7 MB each."""


@dataclass(frozen=True)
class _Choice:
    """What happens to one picture: the number of a style, None for none, and how strongly."""

    style: int | None
    alpha: float


def _is_plain(inpt: Any) -> bool:
    return isinstance(inpt, Tensor) and not isinstance(inpt, tv_tensors.TVTensor)


class Stylize(v2.Transform):  # type: ignore[misc]
    """Puts pictures into random styles, as Stylized-ImageNet does (Geirhos et al. 2019), at a random strength.

    Works as the transforms of `torchvision.transforms.v2` do: in `Compose`, on samples of any structure, in the workers
    of a DataLoader. Every picture of a batch gets a style and a strength of its own; pictures of one sample that belong
    together, such as two views, get the same. Boxes, masks and labels pass through. All choices come from torch's
    global generator: `torch.manual_seed` repeats them.

    Args:
        styles: a folder of pictures (and those below it), or a list of pictures, style files or `Style`s. A picture is
            measured when its turn comes first; the last 128 are kept.
        alpha: strength, one number or (lowest, highest).
        p: probability that a picture is stylised, 0 to 1.
        model: a shipped model, a model folder, or a loaded `Model`. Loaded at first use, in each worker.
        precision: of a model that is loaded here, see `Stylizer`.
        scale: size of the strokes, see `Stylizer.style`.
        look: other settings; its alpha is not used.

    Pictures are tensors (..., 3, H, W), `tv_tensors.Image`s or `tv_tensors.Video`s, in 0..1 or uint8 (so before
    `v2.Normalize`), or Pillow pictures; kind, dtype, shape and device stay. The work is done on the device of the
    tensor, and takes time by the pixel: after crops it takes less.

    Raises:
        UsageError: there is no style, a number is out of range, no such precision, or a tensor has not three channels.
        InputError: a style picture cannot be read, or a tensor is neither uint8 nor of floats in 0..1.

    Examples:
        >>> import torch, wct
        >>> from wct.samples import PAINTINGS, paint
        >>> augment = wct.Stylize([paint(name).resized(64) for name in PAINTINGS], alpha=(0.5, 1), p=0.8)
        >>> augment(torch.rand(2, 3, 32, 32)).shape
        torch.Size([2, 3, 32, 32])
    """

    _transformed_types = (_is_plain, tv_tensors.Image, tv_tensors.Video, Image.Image)

    def __init__(
        self,
        styles: str | os.PathLike[str] | Sequence[Source | Style],
        *,
        alpha: float | tuple[float, float] = 1.0,
        p: float = 1.0,
        model: str | Model = "compact",
        precision: str = "float32",
        scale: float = 1.0,
        look: Look = LOOK,
    ) -> None:
        super().__init__()
        self.alpha = (alpha, alpha) if isinstance(alpha, int | float) else tuple(alpha)
        choose_precision(precision)
        self.p, self.scale, self.look, self.model, self.precision = p, scale, look, model, precision
        if len(self.alpha) != 2 or not 0 <= self.alpha[0] <= self.alpha[1] < math.inf:
            raise UsageError(f"alpha: found {alpha}; needs a number of 0 or more, or a lowest and a highest one")
        if not 0 <= p <= 1:
            raise UsageError(f"p: found {p}; needs a probability from 0 to 1")
        one = isinstance(styles, str | os.PathLike)
        self.styles: list[Source | Style] = list(list_pictures(styles, recursive=True) if one else styles)  # type: ignore[arg-type]
        if not self.styles:
            raise UsageError(f"styles: found none in {styles!r}; needs one picture or more")
        self._stylizers: dict[torch.device, Stylizer] = {}
        self._measured: OrderedDict[tuple[int, torch.device], Style] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        # What workers are sent: they load the model and measure styles themselves.
        return {**self.__dict__, "_stylizers": {}, "_measured": OrderedDict()}

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """A choice for each picture of a batch, the same for all inputs."""
        return {"choices": [self._chosen() for _ in range(max(map(_pictures, flat_inputs), default=0))]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """One input, stylised by the choices."""
        choices: list[_Choice] = params["choices"]
        if isinstance(inpt, Image.Image):
            chosen = choices[0]
            return inpt if chosen.style is None else self._stylized(read(inpt), chosen, torch.device("cpu")).to_pil()
        if inpt.ndim < 3 or inpt.shape[-3] != 3 or 0 in inpt.shape:
            raise UsageError(f"stylize: found a tensor of shape {tuple(inpt.shape)}; needs RGB, (..., 3, H, W)")
        whole = inpt.dtype == torch.uint8
        pictures = inpt.as_subclass(Tensor).reshape(-1, *inpt.shape[-3:])
        share = len(pictures) // _pictures(inpt)
        made = torch.empty_like(pictures)
        for i, one in enumerate(pictures):
            given = read(one.cpu() / 255 if whole else one.cpu(), name="stylize: a tensor")
            found = self._stylized(given, choices[i // share], one.device)
            made[i] = (found.rgb * 255).round() if whole else found.rgb
        result = made.reshape(inpt.shape)
        return result if _is_plain(inpt) else tv_tensors.wrap(result, like=inpt)

    def _chosen(self) -> _Choice:
        random, number, between = torch.rand(()).item(), int(torch.randint(len(self.styles), ())), torch.rand(()).item()
        low, high = self.alpha
        return _Choice(number if random < self.p else None, low + (high - low) * between)

    def _stylized(self, picture: Picture, choice: _Choice, device: torch.device) -> Picture:
        if choice.style is None:
            return picture
        if device not in self._stylizers:
            model = self.model
            if not isinstance(model, Model):
                model = Model.load(model, device=device, precision=self.precision)
            self._stylizers[device] = Stylizer(model)
        stylizer, key = self._stylizers[device], (choice.style, device)
        if key not in self._measured:
            self._measured[key] = stylizer.style(self.styles[choice.style], scale=self.scale)
            if len(self._measured) > KEPT:
                self._measured.popitem(last=False)
        self._measured.move_to_end(key)
        return stylizer(picture, self._measured[key], look=self.look, alpha=choice.alpha)


def _pictures(inpt: Any) -> int:
    """How many choices an input needs: one for each picture, and one for all frames of a film."""
    if isinstance(inpt, Image.Image):
        return 1
    return math.prod(inpt.shape[: -4 if isinstance(inpt, tv_tensors.Video) else -3])
