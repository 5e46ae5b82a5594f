"""A model of a few hundred random weights: everything that does not depend on quality is tested with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from wct.models import Model
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.export import export
from wct.models.spec import parse_spec

TINY: dict[str, Any] = {
    "name": "tiny",
    "encoder": {"widths": [[4, 4], [6, 6], [8, 8, 8, 8], [8, 8, 8, 8], [8]], "ranks": [4, 6, 8, 8, 8]},
    "stages": {str(k): {"low": [] if k == 1 else [8], "high": [] if k < 3 else [8]} for k in range(1, 6)},
}

PICTURED: dict[str, Any] = TINY | {
    "name": "pictured",
    "encoder": TINY["encoder"] | {"ranks": []},
    "stages": TINY["stages"]
    | {"1": {"low": [], "high": [], "refine": [5, 3]}, "2": {"low": [8], "high": [7], "picture": True}},
}
"""As TINY, but its second stage makes a picture and its first refines one, as vgg19's do."""


def write_tiny(folder: Path, **changes: Any) -> Path:
    """Write the tiny model, with `changes` to its card, into `folder`, and return the folder."""
    table = TINY | changes
    spec = parse_spec(table["name"], table["encoder"], table["stages"], "tiny")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder, decoder = Encoder(spec.encoder), Decoder(spec) if spec.stages else None
        for conv in (m for part in (encoder, decoder) if part for m in part.modules() if isinstance(m, nn.Conv2d)):
            nn.init.kaiming_normal_(conv.weight)
            nn.init.constant_(conv.bias, 0.2)
        if decoder is not None:
            spread(encoder, decoder)
        export(folder, table, encoder, decoder)
    return folder


@torch.no_grad()
def spread(encoder: Encoder, decoder: Decoder) -> None:
    """Scale what is linear at the end so that decoded pictures vary and stay within 0..1."""
    first, second = decoder.stages[:2]
    if second.again is not None:
        picture = second.made(encoder(torch.rand(1, 3, 32, 32), (2,))[2], (32, 32))
        moved([(second.high[-1], slice(3))], picture)
    made = decoder(encoder(torch.rand(1, 3, 32, 32), (3,))[3], 3, (32, 32))
    if first.given is None:
        moved([(first.high[-1], slice(3))], made)
    else:
        moved([(first.change[-1], slice(3)), (first.given, slice(-3, None))], made)


def moved(ends: list[tuple[nn.Conv2d, slice]], made: Tensor) -> None:
    """Change the linear ends that pictures are the sum of, so that these vary around grey."""
    scale, shift = 0.1 / made.std((0, 2, 3)), 0.5 - 0.1 * made.mean((0, 2, 3)) / made.std((0, 2, 3))
    for i, (conv, own) in enumerate(ends):
        assert conv.bias is not None
        conv.weight[own] *= scale[:, None, None, None]
        conv.bias[own] = scale * conv.bias[own] + (0 if i else shift)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Model:
    return Model.load(tiny_folder)


@pytest.fixture(scope="session")
def pictured_model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return Model.load(write_tiny(tmp_path_factory.mktemp("models") / "pictured", **PICTURED))
