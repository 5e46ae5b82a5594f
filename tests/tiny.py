"""A model of a few hundred random weights: everything that does not depend on quality is tested with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

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
    """Scale the last convolution so that decoded pictures vary and stay within 0..1."""
    last = decoder.stages[0].high[-1]
    made = decoder(encoder(torch.rand(1, 3, 32, 32), (3,))[3], 3, (32, 32))
    scale = 0.1 / made.std((0, 2, 3))
    last.weight *= scale[:, None, None, None]
    last.bias.copy_(0.5 + scale * (last.bias - made.mean((0, 2, 3))))


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> Model:
    return Model.load(tiny_folder)
