"""Stylisation in training pipelines: what goes in comes out in kind, styled as chosen, again and in every worker."""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from shell import picture
from strategies import generator
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

import wct
from wct import augment
from wct.errors import InputError, UsageError
from wct.images import Picture
from wct.models import Model
from wct.stylizer import Stylizer


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    """A folder of three style pictures, one of them in a folder below."""
    (tmp_path / "styles" / "more").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.jpg", "more/c.png")):
        picture(tmp_path / "styles" / name, (40, 40), seed=seed)
    return tmp_path / "styles"


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=generator(seed))


def whole(pixels: Tensor) -> Tensor:
    return (pixels * 255).round().to(torch.uint8)


def test_every_picture_of_a_batch_is_what_a_stylizer_makes_of_it(styles: Path, tiny_model: Model) -> None:
    transform = wct.Stylize(styles, alpha=(0.2, 0.9), model=tiny_model)
    assert [Path(str(one)).name for one in transform.styles] == ["a.png", "b.jpg", "c.png"]
    batch, stylizer = noise(6, 3, 20, 31), Stylizer(tiny_model)
    torch.manual_seed(4)
    choices = transform.make_params([batch])["choices"]
    torch.manual_seed(4)
    made = transform(batch)
    assert len({one.style for one in choices}) > 1 and len({one.alpha for one in choices}) == 6
    assert all(0.2 <= one.alpha <= 0.9 for one in choices)
    for one, result, choice in zip(batch, made, choices, strict=True):
        assert torch.equal(result, stylizer(Picture(one), transform.styles[choice.style], alpha=choice.alpha).rgb)


@pytest.mark.parametrize(
    "kind",
    [
        lambda x: x,
        whole,
        lambda x: x.half(),
        lambda x: x.double(),
        tv_tensors.Image,
        lambda x: tv_tensors.Image(whole(x)),
        lambda x: tv_tensors.Video(x.expand(4, 3, 24, 18)),
        lambda x: x.expand(2, 5, 3, 24, 18),
    ],
)
def test_kind_dtype_and_shape_stay(kind: Any, styles: Path, tiny_model: Model) -> None:
    given = kind(noise(3, 24, 18))
    made = wct.Stylize(styles, model=tiny_model)(given)
    assert (type(made), made.dtype, made.shape) == (type(given), given.dtype, given.shape)
    assert not torch.equal(made.as_subclass(Tensor), given.as_subclass(Tensor))


def test_pillow_pictures_and_the_frames_of_a_film(styles: Path, tiny_model: Model) -> None:
    transform = wct.Stylize(styles, model=tiny_model)
    given = Image.open(picture(styles.parent / "photo.png", (24, 18)))
    torch.manual_seed(1)
    made = transform(given)
    torch.manual_seed(1)
    assert made.size == given.size and torch.equal(
        v2.functional.pil_to_tensor(made), transform(v2.functional.pil_to_tensor(given))
    )
    film = transform(tv_tensors.Video(noise(3, 24, 18).expand(4, 3, 24, 18)))
    assert all(torch.equal(frame, film[0]) for frame in film), "one style for all frames"


def test_boxes_masks_and_labels_pass_and_views_go_together(styles: Path, tiny_model: Model) -> None:
    transform = v2.Compose([wct.Stylize(styles, alpha=(0, 1), model=tiny_model), v2.CenterCrop(16)])
    view = tv_tensors.Image(noise(3, 24, 24))
    boxes = tv_tensors.BoundingBoxes([[4, 4, 20, 20]], format="XYXY", canvas_size=(24, 24))  # type: ignore[call-overload]
    mask = tv_tensors.Mask(torch.ones(24, 24, dtype=torch.uint8))
    made = transform({"left": view, "right": view.clone(), "boxes": boxes, "mask": mask, "label": torch.tensor(7)})
    assert torch.equal(made["left"], made["right"]) and made["left"].shape == (3, 16, 16)
    assert made["boxes"].tolist() == [[0, 0, 16, 16]] and int(made["label"]) == 7 and bool((made["mask"] == 1).all())


def test_p_is_a_probability_and_what_is_left_out_stays_as_it_is(styles: Path, tiny_model: Model) -> None:
    batch = whole(noise(40, 3, 8, 8))
    torch.manual_seed(0)
    made = wct.Stylize(styles, p=0.5, model=tiny_model)(batch)
    same = sum(torch.equal(a, b) for a, b in zip(batch, made, strict=True))
    assert 8 < same < 32
    assert torch.equal(wct.Stylize(styles, p=0, model=tiny_model)(batch), batch)
    grey = Image.new("L", (8, 8), 70)
    assert wct.Stylize(styles, p=0, model=tiny_model)(grey) is grey


class Photos(Dataset[Tensor]):
    """Eight pictures, stylised by the workers of a DataLoader."""

    def __init__(self, transform: wct.Stylize) -> None:
        self.transform = transform

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> Tensor:
        made: Tensor = self.transform(noise(3, 16, 16, seed=index))
        return made


def test_workers_load_their_own_and_repeat_by_seed(styles: Path, tiny_folder: Path) -> None:
    transform = wct.Stylize(styles, alpha=(0, 1), model=str(tiny_folder))
    transform(noise(3, 16, 16))
    assert len(pickle.dumps(transform)) < 10_000, "neither model nor measured styles travel"

    def epoch(workers: int, seed: int) -> Tensor:
        start = "spawn" if workers else None
        loader = DataLoader(
            Photos(transform), 4, num_workers=workers, multiprocessing_context=start, generator=generator(seed)
        )
        return torch.cat(list(loader))

    first = epoch(2, 1)
    assert torch.equal(first, epoch(2, 1))
    assert not torch.equal(first, epoch(2, 2))
    assert not torch.equal(first[:4], first[4:])


def test_no_more_styles_are_kept_than_some(styles: Path, tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(augment, "KEPT", 2)
    transform = wct.Stylize(styles, model=tiny_model)
    transform(noise(30, 3, 8, 8))
    assert len(transform._measured) == 2


def test_saved_styles_pictures_and_style_objects_serve(styles: Path, tiny_model: Model, tmp_path: Path) -> None:
    style = Stylizer(tiny_model).style(styles / "a.png")
    style.save(tmp_path / "a.style")
    batch = noise(2, 3, 16, 16)
    wanted = wct.Stylize([styles / "a.png"], model=tiny_model)(batch)
    for source in (style, tmp_path / "a.style", Image.open(styles / "a.png")):
        assert torch.equal(wct.Stylize([source], model=tiny_model)(batch), wanted)


def test_what_cannot_be(styles: Path, tiny_model: Model, tmp_path: Path) -> None:
    for alpha in (-1, (0.5, 0.2), (0.1, 0.2, 0.3), math.nan, math.inf):
        with pytest.raises(UsageError, match="alpha"):
            wct.Stylize(styles, alpha=alpha)  # type: ignore[arg-type]
    for p in (-0.1, 1.1, math.nan):
        with pytest.raises(UsageError, match="probability"):
            wct.Stylize(styles, p=p)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="needs one picture or more"):
        wct.Stylize(tmp_path / "empty")
    with pytest.raises(InputError):
        wct.Stylize(tmp_path / "missing")
    for shape in ((1, 8, 8), (8, 8), (3, 0, 8)):
        with pytest.raises(UsageError, match="needs RGB"):
            wct.Stylize(styles, model=tiny_model)(torch.zeros(shape))
    for numbers in (noise(3, 8, 8) * 4 - 2, torch.full((3, 8, 8), math.nan), torch.ones(3, 8, 8, dtype=torch.int64)):
        with pytest.raises(InputError, match=r"0\.\.1"):
            wct.Stylize(styles, model=tiny_model)(numbers)
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png"):
        wct.Stylize([tmp_path / "bad.png"], model=tiny_model)(noise(3, 8, 8))
