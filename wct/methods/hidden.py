"""Fully transparent pixels: what they hide takes no part, and stays as it is."""

from __future__ import annotations

from dataclasses import replace

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from wct.images import Picture

__all__ = ["kept", "shown"]


def shown(picture: Picture) -> Picture:
    """The picture with the colour of the nearest visible pixel in the place of every fully transparent one."""
    if picture.opaque is None:
        return picture
    hidden = picture.opaque[0].cpu().numpy() == 0
    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    rows, columns = (torch.from_numpy(one).long() for one in nearest)
    return replace(picture, rgb=picture.rgb.cpu()[:, rows, columns])


def kept(content: Picture, rgb: Tensor) -> Picture:
    """A result: pixels (3, H, W) for the content's, without those that are fully transparent in it."""
    if content.opaque is not None:
        rgb = torch.where(content.opaque.to(rgb.device) > 0, rgb, content.rgb.to(rgb.device))
    return replace(content, rgb=rgb)
