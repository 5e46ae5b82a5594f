"""Whole files of every kind that wct reads, and a model to go with them."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import numpy as np
import tomli_w
import torch
from films import pan, write_film
from hostile import TILES
from narrow import published, write_keras
from PIL import Image
from safetensors.torch import save
from tiny import TINY, write_tiny

from fuzz.pictures import files
from wct.images import Picture, read
from wct.style import Style
from wct.stylizer import Stylizer

__all__ = ["Ground"]

WORDS = ("a.jpg", "a.jpg:2", "a.jpg:5=1,4=0.2", "0s=a.jpg,10s=b.jpg", "1:30=c.png", "5,4,3,2,1", "m.png=s.png", "auto")
GREY = ("1.", "L.", "LA.", "16x1.", "16x2.", "I", "F.", "group4", "white is zero")
"""How the names of pictures begin that are masks."""

PHASE = {"steps": 2, "batch": 2, "size": 32, "rate": 1e-4, "entries": [1, 1, 0, 0, 0], "through": [2], "distil": 1.0}


class Ground:
    """A folder with a tiny model, a photo and a style picture.

    Attributes:
        whole: {kind: {name: bytes}}, what is to be damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model, self.photo, self.wave = folder / "tiny", folder / "photo.png", folder / "wave.png"
        write_tiny(self.model)
        Image.fromarray(TILES).save(self.photo)
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 18, 3)).astype(np.uint8)).save(self.wave)
        self.whole = {
            "picture": files(),
            "mask": {name: data for name, data in files().items() if name.startswith(GREY)},
            "style": self._styles(),
            "weights": self._weights(),
            "card": {"model.toml": (self.model / "model.toml").read_bytes()},
            "recipe": {
                "recipe.toml": tomli_w.dumps(TINY | {"train": {"encoder": [PHASE], "decoder": [PHASE]}}).encode()
            },
            "film": self._films(),
            "words": {text: text.encode() for text in WORDS},
        }

    @cached_property
    def stylizer(self) -> Stylizer:
        return Stylizer(self.model, device="cpu")

    @cached_property
    def content(self) -> Picture:
        return read(self.photo)

    @cached_property
    def style(self) -> Style:
        return self.stylizer.style(self.wave)

    def _styles(self) -> dict[str, bytes]:
        blend = self.stylizer.style(self.wave, self.photo, weights=[2, {5: 1, 4: 0}])
        for name, style in (("one", self.style), ("blend", blend)):
            style.save(self.folder / f"{name}.style")
        return {f"{name}.style": (self.folder / f"{name}.style").read_bytes() for name in ("one", "blend")}

    def _weights(self) -> dict[str, bytes]:
        """Of an encoder, in all layouts that are read."""
        narrow = published()
        torch.save(narrow, self.folder / "new.pth")
        torch.save(narrow, self.folder / "old.pth", _use_new_zipfile_serialization=False)
        write_keras(self.folder / "keras.h5", narrow)
        made = {name: (self.folder / name).read_bytes() for name in ("new.pth", "old.pth", "keras.h5")}
        made["torchvision.safetensors"] = save(narrow)
        return made | {"ours.safetensors": (self.model / "encoder.safetensors").read_bytes()}

    def _films(self) -> dict[str, bytes]:
        codecs = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx-vp9", "avi": "mpeg4"}
        frames = pan(6, (32, 48))
        made = {f"film.{kind}": write_film(self.folder / f"film.{kind}", frames, codec=c) for kind, c in codecs.items()}
        return {name: path.read_bytes() for name, path in made.items()}

    def listing(self) -> set[str]:
        return {os.path.join(where, name) for where, _, names in os.walk(self.folder) for name in names}
