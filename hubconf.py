"""What torch.hub finds here: `torch.hub.load(REPOSITORY, "stylizer")`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wct import Stylizer

dependencies = [
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "PIL",
    "safetensors",
    "kornia",
    "psutil",
    "platformdirs",
    "h5py",
]


def stylizer(name: str = "compact", device: str | None = None, precision: str = "float32") -> Stylizer:
    """A wct.Stylizer: stylizer("photo.jpg", "wave.jpg", alpha=0.6).save("out.png").

    Args:
        name: a shipped model or a model folder.
        device: "cpu", "cuda", "mps" or None for the best one there is.
        precision: "float32", or "bfloat16", see `wct.Stylizer`.
    """
    from wct import Stylizer

    return Stylizer(name, device=device, precision=precision)
