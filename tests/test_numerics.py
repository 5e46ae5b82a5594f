"""Numbers: fifty digits as the reference, pictures that make matrices singular, and the same bytes every time."""

from __future__ import annotations

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import mpmath
import numpy as np
import pytest
import tomli_w
import torch
from safetensors.torch import load_file, save_file
from strategies import generator, normal
from torch import Tensor

import wct.linalg
from wct.errors import ModelError
from wct.gaussian import Gaussian
from wct.linalg import eigh, sqrt_pair
from wct.look import BLENDS, COLORS, TRANSFORM_NAMES
from wct.models import Model
from wct.models.weights import sha256
from wct.regions import Region
from wct.stylizer import Stylizer
from wct.transforms import ot
from wct.transforms import wct as whiten_and_color

ERROR = 1e-9
"""How far from fifty digits a result in float64 may be, in shares of its largest number."""

SPECTRA = {
    "equal": [1.0] * 6,
    "two": [3.0, 3.0, 3.0, 1e-3, 1e-3, 1e-3],
    "wide": [1e3, 1e2, 1.0, 0.1, 1e-2, 5e-3],
    "nearly singular": [1.0, 1e-1, 1e-3, 1e-4, 1e-5, 4e-6],
    **{f"rank {rank}": [2.0**-i for i in range(rank)] + [0.0] * (6 - rank) for rank in range(1, 6)},
    "one": [0.7],
}
SOLVERS: dict[str, Callable[[Tensor], tuple[Tensor, Tensor]]] = {
    "torch": torch.linalg.eigh,
    "LAPACK": wct.linalg._eigh_lapack,
}


def covariance(spectrum: list[float], seed: int) -> Tensor:
    """With these eigenvalues, up to rounding, in directions of chance."""
    turned = torch.linalg.qr(normal((len(spectrum), len(spectrum)), seed)).Q
    return turned @ torch.tensor(spectrum, dtype=torch.float64).diag() @ turned.T


class Exact:
    """A covariance of float64 numbers, and functions of it, in fifty digits."""

    def __init__(self, cov: Tensor) -> None:
        self.size = len(cov)
        self.values, self.vectors = mpmath.eigsy(mpmath.matrix(cov.tolist()))
        self.kept = [value > mpmath.mpf(wct.linalg.RELATIVE_CUT) * max(self.values) for value in self.values]

    def power(self, exponent: float) -> mpmath.matrix:
        """On the retained directions, zero on the others; exponent 0 gives the projector on them."""
        made = mpmath.zeros(self.size)
        for i, kept in enumerate(self.kept):
            if kept:
                column = self.vectors[:, i]
                made += self.values[i] ** mpmath.mpf(exponent) * column * column.T
        return made

    @property
    def rest(self) -> mpmath.matrix:
        return mpmath.eye(self.size) - self.power(0)


def assert_exact(found: Tensor, wanted: mpmath.matrix) -> None:
    rows = [[float(wanted[i, j]) for j in range(wanted.cols)] for i in range(wanted.rows)]
    exact = torch.tensor(rows, dtype=torch.float64)
    torch.testing.assert_close(found, exact, rtol=0, atol=ERROR * max(1e-300, float(exact.abs().max())))


@pytest.fixture(autouse=True)
def fifty_digits() -> None:
    mpmath.mp.dps = 50


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", SPECTRA)
def test_roots_are_those_of_fifty_digits(name: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wct.linalg.eigh", SOLVERS[solver])
    cov = covariance(SPECTRA[name], 1)
    found, exact = sqrt_pair(cov), Exact((cov + cov.T) / 2)
    assert_exact(found.root, exact.power(0.5))
    assert_exact(found.inverse, exact.power(-0.5))
    assert_exact(found.rest + torch.eye(len(cov)).double(), exact.rest + mpmath.eye(len(cov)))


@pytest.mark.parametrize(("content", "style"), list(itertools.product(list(SPECTRA)[:-1], repeat=2)))
def test_maps_are_those_of_fifty_digits(content: str, style: str) -> None:
    covs = [covariance(SPECTRA[name], seed) for seed, name in enumerate((content, style))]
    own, other = (Gaussian(100.0, torch.zeros(6).double(), (cov + cov.T) / 2) for cov in covs)
    exact, wanted = Exact(own.cov), Exact(other.cov)
    assert_exact(whiten_and_color(own, other).matrix, wanted.power(0.5) * exact.power(-0.5) + exact.rest)
    across = exact.power(0.5) * wanted.power(1) * exact.power(0.5)
    values, vectors = mpmath.eigsy((across + across.T) / 2)
    middle = mpmath.zeros(6)
    for i in range(6):
        middle += mpmath.sqrt(max(values[i], 0)) * vectors[:, i] * vectors[:, i].T
    assert_exact(ot(own, other).matrix, exact.power(-0.5) * middle * exact.power(-0.5) + exact.rest)


def test_every_solver_finds_the_same_eigenvalues() -> None:
    for spectrum in SPECTRA.values():
        cov = covariance(spectrum, 3)
        for solve in (*SOLVERS.values(), eigh):
            values, vectors = solve(cov)
            torch.testing.assert_close(
                values, torch.tensor(sorted(spectrum), dtype=torch.float64), rtol=0, atol=1e-12 * max(spectrum)
            )
            torch.testing.assert_close(vectors @ values.diag() @ vectors.T, cov, rtol=0, atol=1e-12 * max(spectrum))


def grey(values: Tensor) -> Tensor:
    return values.expand(3, -1, -1).contiguous()


PICTURES = {
    "flat": torch.full((3, 20, 24), 0.3),
    "black": torch.zeros(3, 20, 24),
    "two colours": torch.where(torch.arange(24) < 9, 0.2, 0.9).expand(3, 20, 24).contiguous(),
    "one pixel": torch.tensor([0.1, 0.5, 0.9])[:, None, None],
    "noise": torch.rand(3, 20, 24, generator=generator(0)),
    "saturated": (torch.rand(3, 20, 24, generator=generator(1)) > 0.5).float(),
    "nearly white": 1 - 1e-5 * torch.rand(3, 20, 24, generator=generator(2)),
    "one direction": grey(torch.linspace(0, 1, 24).expand(1, 20, 24)),
}


@pytest.fixture(scope="module", params=["float32", "float16", "bfloat16"])
def stylizer(request: pytest.FixtureRequest, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Stylizer:
    """Of the tiny model, its weights kept in a file of numbers of that kind."""
    folder = tmp_path_factory.mktemp(request.param)
    card = tomllib.loads((tiny_folder / "model.toml").read_text())
    for part in ("encoder", "decoder"):
        weights = load_file(tiny_folder / f"{part}.safetensors")
        kind = getattr(torch, request.param)
        save_file({name: weight.to(kind) for name, weight in weights.items()}, folder / f"{part}.safetensors")
        card["sha256"][part] = sha256(folder / f"{part}.safetensors")
    (folder / "model.toml").write_text(tomli_w.dumps(card))
    return Stylizer(folder, device="cpu")


@pytest.mark.parametrize("transform", TRANSFORM_NAMES)
def test_pictures_that_vary_in_few_directions_stay_finite(stylizer: Stylizer, transform: str) -> None:
    for content, style in itertools.product(PICTURES.values(), repeat=2):
        made = stylizer(content, style, transform=transform)
        assert bool(torch.isfinite(made.rgb).all()) and made.size == tuple(content.shape[1:])
        assert 0 <= float(made.rgb.min()) <= float(made.rgb.max()) <= 1


@pytest.mark.filterwarnings("ignore:the region")  # is small
@pytest.mark.parametrize(
    ("color", "blend"), [*(("style", blend) for blend in BLENDS), *((color, BLENDS[0]) for color in COLORS[1:])]
)
def test_so_they_do_with_colours_blends_and_regions(stylizer: Stylizer, color: str, blend: str) -> None:
    half = torch.zeros(20, 24)
    half[:, :7] = 1
    other = stylizer.style(PICTURES["noise"])
    for content, style in itertools.product(PICTURES.values(), repeat=2):
        made = [stylizer(content, style, color=color)]
        if color == "style":
            made += [stylizer(content, stylizer.style(style, PICTURES["noise"], blend=blend))]
        if content.shape[1] > 1 and color != "content":
            made += [stylizer(content, [Region(stylizer.style(style), half), Region(other, 1 - half)], color=color)]
        assert all(bool(torch.isfinite(one.rgb).all()) for one in made)


def test_a_flat_photo_stays_flat_inside(stylizer: Stylizer) -> None:
    """Rounding is not blown up to a texture, whatever the kind of numbers its weights were kept in."""
    made = stylizer(torch.full((3, 96, 96), 0.3), PICTURES["noise"], grain=0.0).rgb[:, 40:56, 40:56]
    assert float(made.amax((1, 2)).sub(made.amin((1, 2))).max()) < 1 / 255


@pytest.mark.parametrize("mode", ["single", "cascade"])
def test_a_flat_photo_stays_flat_however_often_it_is_encoded(mode: str) -> None:
    made = Stylizer(device="cpu")(torch.full((3, 64, 64), 0.5), PICTURES["noise"], mode=mode, grain=0.0).rgb
    assert float(made.std((1, 2)).max()) < 0.1 / 255


def test_models_of_other_numbers_are_refused(tiny_folder: Path) -> None:
    for kind in (torch.bfloat16, torch.float16, torch.float64):
        model = Model.load(tiny_folder)
        model.encoder.to(kind)
        with pytest.raises(ModelError, match=f"tiny: its weights are of {kind}; needed torch.float32"):
            Stylizer(model)


def test_ten_runs_give_the_same_bytes_and_threads_change_no_more_than_a_level() -> None:
    threads = torch.get_num_threads()
    shipped = Stylizer(device="cpu")
    content, style = (torch.rand(3, 96, 120, generator=generator(seed)) for seed in (0, 1))
    try:
        found = []
        for count in (1, 2):
            torch.set_num_threads(count)
            runs = [np.asarray(shipped(content, style).to_pil()) for _ in range(5)]
            assert len({run.tobytes() for run in runs}) == 1
            found.append(runs[0].astype(int))
        assert abs(found[0] - found[1]).max() <= 1
    finally:
        torch.set_num_threads(threads)
