"""What a GPU computes is what the CPU computes. Runs where there is one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from shell import Call, picture
from strategies import assert_same, generator
from tiny import PICTURED, TINY, write_tiny

import wct
from wct import samples
from wct.evaluation import psnr
from wct.gaussian import Gaussian
from wct.images import Picture, PictureWarning
from wct.linalg import sqrt_pair
from wct.methods.gatys import gatys
from wct.methods.stylenet import StyleNet
from wct.models import Model
from wct.polar import modulus
from wct.samples import PAINTINGS, paint
from wct.training.looks import Looks
from wct.training.recipe import Phase
from wct.transforms import ot

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

LOOKS: dict[str, dict[str, Any]] = {
    "single": {},
    "strong": {"alpha": 1.4, "strength": {5: 0.5}},
    "wct": {"transform": "wct"},
    "adain": {"transform": "adain"},
    "swap": {"transform": "swap"},
    "rank": {"rank": 12},
    "cascade": {"mode": "cascade"},
    "photo": {"mode": "photo"},
    "twice": {"passes": 2},
    "content": {"color": "content"},
    "luminance": {"color": "luminance"},
}


@pytest.fixture(scope="module")
def here() -> wct.Stylizer:
    return wct.Stylizer(device="cpu")


@pytest.fixture(scope="module")
def there() -> wct.Stylizer:
    return wct.Stylizer(device="cuda")


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A GPU of about 700 MB."""
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(7e8 / torch.cuda.get_device_properties(0).total_memory)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def content(size: int = 160) -> Picture:
    return samples.photo("chelsea").resized(size)


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("tile", [None, 96])
def test_pictures_are_those_of_the_cpu(here: wct.Stylizer, there: wct.Stylizer, look: str, tile: int | None) -> None:
    style = paint("waves").resized(160)
    made, wanted = (one(content(), style, tile=tile, **LOOKS[look]) for one in (there, here))
    assert made.rgb.device.type == "cpu"
    assert (made.rgb - wanted.rgb).abs().mean() < 0.5 / 255, f"{psnr(made.rgb, wanted.rgb):.1f} dB"


def test_regions_and_blends_are_those_of_the_cpu(here: wct.Stylizer, there: wct.Stylizer) -> None:
    left = torch.zeros(content().size)
    left[:, : content().size[1] // 2] = 1

    def made(one: wct.Stylizer) -> Picture:
        blend = one.style(paint("waves").resized(128), paint("strokes").resized(128), weights=[1, {4: 0.5}])
        between = one.style(paint("waves").resized(128), paint("strokes").resized(128), blend="barycentre")
        return one(content(), [wct.Region(blend, left), wct.Region(between)])

    assert (made(there).rgb - made(here).rgb).abs().mean() < 0.5 / 255


def test_a_style_measured_on_one_device_serves_on_the_other(
    here: wct.Stylizer, there: wct.Stylizer, tmp_path: Path
) -> None:
    there.style(paint("waves").resized(128)).save(tmp_path / "waves.style")
    made = [one(content(), tmp_path / "waves.style") for one in (here, there)]
    assert (made[0].rgb - made[1].rgb).abs().mean() < 0.5 / 255


def test_textures_are_those_of_the_cpu(here: wct.Stylizer, there: wct.Stylizer) -> None:
    made = [one.texture(paint("mosaic").resized(128), 128, seed=3, tileable=True) for one in (here, there)]
    assert (made[0].rgb - made[1].rgb).abs().mean() < 1 / 255


def test_the_same_twice(there: wct.Stylizer) -> None:
    style = there.style(paint("waves").resized(160))
    assert torch.equal(there(content(), style).rgb, there(content(), style).rgb)


@pytest.mark.parametrize("mode", ["single", "cascade"])
def test_flat_pictures_stay_flat(there: wct.Stylizer, mode: str) -> None:
    flat = torch.full((3, 96, 96), 0.5)
    for name in PAINTINGS:
        made = there(flat, paint(name).resized(128), mode=mode, grain=0.0).rgb
        assert made.std((1, 2)).max() < 2 / 255, name


def test_in_bfloat16_pictures_are_the_same_to_the_eye(here: wct.Stylizer) -> None:
    quick, style = wct.Stylizer(device="cuda", precision="bfloat16"), paint("waves").resized(160)
    assert psnr(quick(content(), style).rgb, here(content(), style).rgb) > 36
    flat = quick(torch.full((3, 96, 96), 0.5), style, grain=0.0).rgb
    assert flat.std((1, 2)).max() < 3 / 255


def test_statistics_stay_on_cuda_and_agree_with_the_cpu() -> None:
    pixels = torch.rand(16, 40, 40, generator=generator(1))
    there = Gaussian.of(pixels.cuda())
    assert there.cov.device.type == "cuda"
    assert_same(there.to("cpu"), Gaussian.of(pixels), rtol=1e-6)


def test_square_roots_are_those_of_the_cpu() -> None:
    random = generator(0)
    for size, pixels in ((32, 4000), (256, 1024), (512, 300)):
        x = torch.rand(size, pixels, generator=random, dtype=torch.float64)
        cov = (x - x.mean(1, keepdim=True)) @ (x - x.mean(1, keepdim=True)).T / pixels
        for made, wanted in zip(sqrt_pair(cov.cuda()), sqrt_pair(cov), strict=True):
            torch.testing.assert_close(made.cpu(), wanted, rtol=1e-6, atol=1e-6 * float(wanted.abs().max()))


def test_moduli_are_those_of_the_cpu() -> None:
    random = generator(0)
    for size in (32, 512):
        matrix = torch.randn(size, size, generator=random, dtype=torch.float64)
        torch.testing.assert_close(modulus(matrix.cuda()).cpu(), modulus(matrix), rtol=1e-6, atol=1e-6)


def test_optimal_transport_is_that_of_the_cpu() -> None:
    for size, pixels in ((32, 4000), (256, 4000), (256, 200)):
        own, style = (Gaussian.of(torch.rand(size, pixels, generator=generator(seed))) for seed in (0, 1))
        wanted = ot(own, style).matrix
        found = ot(own.to("cuda"), style.to("cuda")).matrix
        torch.testing.assert_close(found.cpu(), wanted, rtol=0, atol=1e-6 * float(wanted.abs().max()))


@pytest.mark.usefixtures("little_memory")
def test_where_memory_is_short_the_picture_is_the_same(there: wct.Stylizer) -> None:
    wide = paint("waves").resized(1400)
    with pytest.warns(PictureWarning, match="memory ran out"):
        made = there(wide, paint("strokes").resized(160))
    torch.cuda.set_per_process_memory_fraction(1.0)
    wanted = there(wide, paint("strokes").resized(160), tile=None)
    assert (made.rgb - wanted.rgb).abs().mean() < 0.5 / 255


@pytest.mark.usefixtures("little_memory")
def test_training_without_enough_memory_is_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    picture(tmp_path / "photos" / "0.png", (2000, 2000))
    eye = write_tiny(tmp_path / "eye") / "encoder.safetensors"
    phase = {"steps": 1, "batch": 4, "size": 2000, "rate": 1e-3, "entries": [0, 1, 1, 1, 1], "pixels": 1.0}
    table = TINY | {"train": {"start": 1, "start_size": 48, "decoder": [phase]}}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(table))
    tail = ("--data", "photos", "--encoder", eye, "--start", "eye", "--run", "run", "--device", "cuda")
    found = call("train", "decoders", "recipe.toml", *tail)
    _, error = found.err.splitlines()
    assert (found.status, found.out) == (1, b"") and error.startswith("error: out of memory"), found


def test_networks_and_optimised_pixels_are_those_of_the_cpu(here: wct.Stylizer, there: wct.Stylizer) -> None:
    nets = [StyleNet.load(), StyleNet.load().to("cuda")]
    made = [net.stylize(content(), net.spec.styles[0]).rgb for net in nets]
    assert (made[0] - made[1]).abs().mean() < 0.5 / 255
    pictures = [gatys(one, content(64), paint("waves").resized(64), iterations=5).rgb for one in (here, there)]
    assert (pictures[0] - pictures[1]).abs().mean() < 2 / 255


@pytest.mark.parametrize("model", [TINY, PICTURED], ids=["compact", "vgg19"])
def test_training_goes_as_on_the_cpu(call: Call, tmp_path: Path, model: dict[str, Any]) -> None:
    (tmp_path / "photos").mkdir()
    for seed in range(8):
        picture(tmp_path / "photos" / f"{seed}.png", (64, 64), seed=seed)
    eye = write_tiny(tmp_path / "eye", **model) / "encoder.safetensors"
    phase = {"steps": 3, "batch": 4, "size": 32, "rate": 1e-3, "entries": [0, 1, 1, 1, 1], "pixels": 1.0, "stages": 0.1}
    table = model | {"train": {"start": 8, "start_size": 48, "decoder": [phase]}}
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(table))
    tail = ("--data", "photos", "--encoder", eye, "--start", "eye")
    for device in ("cpu", "cuda"):
        done = call(
            "train", "decoders", "recipe.toml", *tail, "--run", device, "--device", device, "--export", f"on-{device}"
        )
        assert done.status == 0, done
    weights = [Model.load(tmp_path / f"on-{device}", encoder=eye).decoder.state_dict() for device in ("cpu", "cuda")]
    for name, one in weights[0].items():
        torch.testing.assert_close(weights[1][name], one, rtol=1e-2, atol=2e-3)


def test_stylised_pictures_teach_as_on_the_cpu(here: wct.Stylizer) -> None:
    pictures = torch.stack([paint(name).resized((96, 96)).rgb for name in sorted(PAINTINGS)[:4]])
    phase = Phase(steps=1, batch=4, size=96, rate=1.0, entries=(0, 0, 1, 0, 0), looks=3, style=1.0, content=0.5)
    found = []
    for device in ("cpu", "cuda"):
        encoder, decoder = (copy.deepcopy(part).to(device) for part in (here.model.encoder, here.model.decoder))
        decoder = decoder.float().requires_grad_(True)
        parts = Looks(encoder, decoder, encoder)(phase, pictures.to(device))
        torch.stack([part.float() for part in parts.values()]).sum().backward()
        slopes = torch.cat([p.grad.cpu().flatten() for p in decoder.parameters() if p.grad is not None])
        found.append((slopes, [float(part.detach()) for part in parts.values()]))
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-3)
    assert torch.cosine_similarity(found[0][0], found[1][0], dim=0) > 0.99


def test_the_command_uses_the_gpu(call: Call, tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (90, 70), seed=1)
    picture(tmp_path / "b.png", (80, 80), seed=2)
    for device in ("cpu", "cuda"):
        assert call("stylize", "a.png", "b.png", "-o", f"{device}.png", "--device", device).status == 0
    made = [wct.images.read(tmp_path / f"{device}.png").rgb for device in ("cpu", "cuda")]
    assert (made[0] - made[1]).abs().mean() < 1 / 255
