"""Training on a handful of made pictures: starting points, steps, resumption and what goes wrong."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from itertools import pairwise
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import tomli_w
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from strategies import seeds
from tiny import PICTURED, TINY
from torch import Tensor, nn

from wct import Picture, Stylizer
from wct.cli import main
from wct.errors import ModelError, TrainingError
from wct.evaluation import content_distance, style_distance
from wct.models import Model, find
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS, EncoderSpec, parse_spec
from wct.models.weights import load_tensors, save_tensors
from wct.training import loop, pictures
from wct.training.closed_form import finish_decoder, leading_channels, ridge, start_decoder
from wct.training.decoders import EndToEnd, Group, groups, needed, stylised, train_decoders
from wct.training.encoder import distillation, fresh_encoder, load_teacher, train_encoder
from wct.training.growth import grown, has_room
from wct.training.looks import Looks
from wct.training.loop import Run, train
from wct.training.narrowing import can_narrow, narrowed, turned
from wct.training.pictures import PictureSet
from wct.training.recipe import Phase, Recipe
from wct.training.scale import rescale
from wct.training.teacher import pooled

SPEC = parse_spec("tiny", TINY["encoder"], TINY["stages"], "tiny")
ONE_PHASE: dict[str, object] = {"steps": 1, "batch": 2, "size": 32, "rate": 1e-3}
WRONG_NUMBERS = [
    *[("steps", 1.5), ("batch", 0), ("size", "x"), ("warmup", -1), ("rate", float("nan")), ("clip", True)],
    *[("entries", 3), ("entries", [1, 1]), ("entries", [0] * 5), ("entries", [1] * 5), ("through", ["x"])],
    *[("looks", 2), ("looks", -1), ("style", -1.0)],
]
RECIPE = Recipe(SPEC, seed=0, precision="float32", start=8, start_size=48, encoder=[], decoder=[], table={})


def made(i: int, side: int = 64) -> Image.Image:
    """A smooth picture with edges, different for every i."""
    y, x = np.mgrid[:side, :side] / side
    waves = [np.sin((3 + i) * x + c + 5 * y * (i % 3)) > np.cos(7 * y - i * x + c) for c in range(3)]
    pixels = np.stack(waves, -1) * 120 + 100 * np.stack([x, y, x * y], -1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures")
    for i in range(12):
        made(i).save(path / f"{i:02}.png")
    return path


@pytest.fixture(scope="module")
def vgg() -> Encoder:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        encoder = Encoder(EncoderSpec([[8, 8], [8, 8], [12] * 4, [12] * 4, [12]], []))
        for _, conv in encoder.layers():
            nn.init.kaiming_normal_(conv.weight)
    return encoder


def run_in(path: Path) -> Run:
    path.mkdir(exist_ok=True)
    return Run(path, torch.device("cpu"))


def test_tar_and_folder_give_the_same_batches(folder: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pictures.tar", "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    one, other = PictureSet([folder], seed=3), PictureSet([tmp_path / "pictures.tar"], seed=3)
    assert len(one) == len(other) == 12
    for step in (0, 5):
        torch.testing.assert_close(one.batch(step, 4, 32)[0], other.batch(step, 4, 32)[0], rtol=0, atol=0)


def test_a_round_shows_every_picture_once_and_steps_repeat(folder: Path) -> None:
    data = PictureSet([folder], seed=1)
    names = [name for step in range(3) for name in data.batch(step, 4, 32)[1]]
    assert len(set(names)) == 12
    pictures, _ = data.batch(7, 4, 32)
    assert pictures.shape == (4, 3, 32, 32)
    assert 0 <= float(pictures.min()) < float(pictures.max()) <= 1
    torch.testing.assert_close(PictureSet([folder], seed=1).batch(7, 4, 32)[0], pictures, rtol=0, atol=0)
    assert not torch.equal(PictureSet([folder], seed=2).batch(7, 4, 32)[0], pictures)


def test_small_pictures_are_enlarged(tmp_path: Path) -> None:
    made(0, side=9).save(tmp_path / "small.png")
    assert PictureSet([tmp_path]).batch(0, 2, 40)[0].shape == (2, 3, 40, 40)


def test_unreadable_pictures_are_counted_and_too_many_stop_the_run(tmp_path: Path) -> None:
    for i in range(4):
        made(i).save(tmp_path / f"{i}.png")
    (tmp_path / "bad.png").write_bytes(b"not a picture")
    whole = io.BytesIO()
    made(9).save(whole, "PNG")
    (tmp_path / "cut.png").write_bytes(whole.getvalue()[:200])
    data = PictureSet([tmp_path])
    for step in range(3):
        data.batch(step, 4, 32)
    assert {Path(name).name for name in data.unreadable} == {"bad.png", "cut.png"}
    (tmp_path / "worse.png").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"3 of .* unreadable"):
        PictureSet([tmp_path]).batch(0, 14, 32)


def test_no_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no pictures"):
        PictureSet([tmp_path])
    with pytest.raises(TrainingError, match="no folder and no whole tar"):
        PictureSet([tmp_path / "absent.tar"])


def test_ridge_finds_a_linear_relation() -> None:
    x = torch.randn(500, 6, dtype=torch.float64)
    weight, bias = torch.randn(3, 6, dtype=torch.float64), torch.randn(3, dtype=torch.float64)
    found, shift = ridge(x, x @ weight.T + bias)
    torch.testing.assert_close(found, weight, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(shift, bias, rtol=1e-3, atol=1e-3)


def test_leading_channels_avoid_copies() -> None:
    x = torch.randn(1000, 3, dtype=torch.float64) * torch.tensor([5.0, 3.0, 1.0])
    columns = torch.stack([x[:, 0], x[:, 0] * 0.99, x[:, 1], x[:, 2]], 1)
    assert sorted(leading_channels(columns, 3).tolist())[1:] == [2, 3]


def test_closed_form_starts_far_ahead_of_random_weights(folder: Path, vgg: Encoder, tmp_path: Path) -> None:
    data = PictureSet([folder])
    teacher = load_teacher(RECIPE, vgg, run_in(tmp_path), data)
    encoder = fresh_encoder(RECIPE, teacher, data, torch.device("cpu"))
    pictures, _ = data.batch(2, 8, 48)
    with torch.no_grad():
        targets = teacher(pictures)
        started = distillation(encoder(pictures, LEVELS), targets)
        random = distillation(Encoder(SPEC.encoder)(pictures, LEVELS), targets)
        # relu5_1 of so few small pictures has fewer pixels than the regression has unknowns.
        assert all(started[level] < 0.5 * random[level] for level in (1, 2, 3, 4))
        decoder = Decoder(SPEC)
        start_decoder(decoder, encoder, pictures, torch.Generator().manual_seed(0))
        again = decoder(encoder(pictures, (1,))[1], 1, (48, 48))
    assert float((again - pictures).square().mean() / pictures.var()) < 0.5


@torch.no_grad()
def test_the_last_convolution_is_solved_for_pictures_from_all_levels(folder: Path) -> None:
    pictures, _ = PictureSet([folder]).batch(2, 8, 48)
    encoder, decoder = Encoder(SPEC.encoder), Decoder(SPEC)
    start_decoder(decoder, encoder, pictures, torch.Generator().manual_seed(0))
    features = encoder(pictures, LEVELS)

    def errors() -> Tensor:
        made = [decoder(features[level], level, (48, 48)) for level in LEVELS]
        return torch.stack([(x - pictures).square().mean() for x in made]).log()

    best = []
    for spoiled in (0.0, 0.02):
        decoder.stages[0].high[-1].weight += spoiled
        before = errors()
        finish_decoder(decoder, encoder, pictures, torch.Generator().manual_seed(1))
        assert errors().sum() < before.sum()
        best.append(errors())
    assert (best[1] - best[0]).abs().max() < 0.2


@torch.no_grad()
def test_refinements_are_solved_and_stage_2_looks_as_the_encoder_does(folder: Path) -> None:
    data = PictureSet([folder])
    wide = PICTURED["encoder"] | {"widths": [[16, 4], *PICTURED["encoder"]["widths"][1:]]}
    stages = PICTURED["stages"] | {"1": {"low": [], "high": [], "refine": [16, 16]}}
    spec = parse_spec("pictured", wide, stages, "test")
    encoder, decoder = Encoder(spec.encoder), Decoder(spec)
    nn.init.orthogonal_(encoder.get_submodule("conv1_1").weight)
    start_decoder(decoder, encoder, data.batch(2, 8, 48)[0], torch.Generator().manual_seed(0))
    pictures, _ = data.batch(5, 8, 48)
    (first, second), x = decoder.stages[:2], encoder(pictures, (1,))[1]
    made = first.made(x, (48, 48))
    errors = [float((first.refined(made, x, n) - pictures).square().mean()) for n in range(3)]
    assert errors[2] < errors[1] < errors[0]
    assert second.again is not None and torch.equal(second.again.weight, encoder.get_submodule("conv1_1").weight)


def test_pictures_of_stage_2_are_compared_as_they_are(folder: Path) -> None:
    """What enters above learns nothing from stage 1, and what enters at relu1_1 teaches stage 1 alone."""
    spec = parse_spec("pictured", PICTURED["encoder"], PICTURED["stages"], "test")
    encoder, decoder = Encoder(spec.encoder), Decoder(spec)
    pictures, _ = PictureSet([folder]).batch(0, 3, 48)
    features = {k: x.detach() for k, x in encoder(pictures, LEVELS).items()}
    for entries, taught in (
        ((0, 1, 1, 0, 1), {1, 2, 3, 4}),
        ((3, 0, 0, 0, 0), {0}),
        ((1, 1, 0, 0, 1), {0, 1, 2, 3, 4}),
    ):
        decoder.zero_grad(set_to_none=True)
        phase = Phase(steps=1, batch=3, size=48, rate=1.0, entries=entries, pixels=1.0)
        parts = EndToEnd(encoder, decoder, 0)(phase, features, pictures, 0)
        assert set(parts) == {f"pixels{k}" for k, n in enumerate(entries, 1) if n}
        torch.stack(list(parts.values())).sum().backward()
        learnt = {
            i for i, stage in enumerate(decoder.stages) if any(p.grad is not None for p in stage.high.parameters())
        }
        assert learnt == taught


def test_a_phase_for_the_solved_stage_alone_is_refused_before_the_work(folder: Path, tmp_path: Path) -> None:
    spec = parse_spec("pictured", PICTURED["encoder"], PICTURED["stages"], "test")
    phase = Phase(steps=1, batch=3, size=48, rate=1.0, entries=(3, 0, 0, 0, 0), pixels=1.0)
    recipe = dataclasses.replace(RECIPE, spec=spec, decoder=[phase])
    run = run_in(tmp_path / "run")
    with pytest.raises(TrainingError, match="relu1_1 alone"):
        train_decoders(recipe, Encoder(spec.encoder), None, PictureSet([folder]), run)
    assert not any(run.folder.iterdir())


@torch.no_grad()
def test_the_encoder_goes_no_deeper_with_a_picture_than_is_asked(folder: Path) -> None:
    pictures, _ = PictureSet([folder]).batch(0, 6, 33)
    counts = needed(Phase(steps=1, batch=6, size=33, rate=1.0, entries=(1, 2, 0, 1, 2)), range(6))
    assert counts == {1: 6, 2: 5, 3: 3, 4: 3, 5: 2}
    encoder = Encoder(SPEC.encoder)
    whole, spared = encoder(pictures, LEVELS), encoder(pictures, LEVELS, counts=counts)
    for level in LEVELS:
        assert len(spared[level]) == counts[level]
        torch.testing.assert_close(spared[level], whole[level][: counts[level]])


def test_stylised_features_move_towards_the_next_pictures_mean() -> None:
    features = torch.randn(4, 5, 12, 12) * torch.tensor([1.0, 2.0, 3.0, 4.0])[:, None, None, None]
    features += torch.arange(4.0)[:, None, None, None]
    result = stylised(features, Group(3, 0, 2, 4), range(4), torch.Generator().manual_seed(0))
    assert len(result) == 2
    for i, moved in enumerate(result):
        before, after, aim = (x.mean((1, 2)) for x in (features[i], moved, features[i + 1]))
        assert float((after - aim).norm()) < float((before - aim).norm())


def test_stylised_pictures_are_judged_as_the_stylizer_makes_them(folder: Path, vgg: Encoder, tiny_model: Model) -> None:
    eye, stylizer = Model(tiny_model.card, vgg, None, torch.device("cpu")), Stylizer(tiny_model)
    batch, _ = PictureSet([folder]).batch(0, 5, 64)
    pairs = list(pairwise([*map(Picture, batch[2:]), Picture(batch[2])]))
    made = [stylizer(content, style, grain=0.0) for content, style in pairs]
    wanted = {
        "style": fmean(style_distance(eye, one, style) for one, (_, style) in zip(made, pairs, strict=True)),
        "content": 0.3
        * fmean(content_distance(eye, one, content) for one, (content, _) in zip(made, pairs, strict=True)),
    }
    phase = Phase(steps=1, batch=5, size=64, rate=1.0, entries=(0, 1, 0, 1, 0), looks=3, style=1.0, content=0.3)
    parts = Looks(tiny_model.encoder, tiny_model.decoder, vgg)(phase, batch)
    assert {name: float(part) for name, part in parts.items()} == pytest.approx(wanted, rel=1e-3)


def test_stages_learn_to_come_nearer_to_styles(folder: Path, vgg: Encoder) -> None:
    torch.manual_seed(0)
    encoder, decoder = Encoder(SPEC.encoder).requires_grad_(False), Decoder(SPEC)
    batch, _ = PictureSet([folder]).batch(0, 5, 64)
    start_decoder(decoder, encoder, batch, torch.Generator().manual_seed(0))
    phase = Phase(steps=30, batch=5, size=64, rate=3e-4, entries=(0, 1, 0, 1, 0), looks=3, style=1.0)
    looks, optimiser = Looks(encoder, decoder, vgg), torch.optim.Adam(decoder.parameters(), phase.rate)
    losses = []
    for _ in range(phase.steps):
        parts = looks(phase, batch)
        optimiser.zero_grad()
        parts["style"].backward()
        optimiser.step()
        losses.append(float(parts["style"].detach()))
    assert losses[-1] < 0.9 * losses[0]


def test_stylised_pictures_without_an_eye_are_refused_before_the_work(folder: Path, tmp_path: Path) -> None:
    phase = Phase(steps=1, batch=4, size=48, rate=1.0, entries=(0, 1, 0, 1, 0), looks=2, style=1.0)
    recipe, run = dataclasses.replace(RECIPE, decoder=[phase]), run_in(tmp_path / "run")
    with pytest.raises(TrainingError, match="VGG-19 judges"):
        train_decoders(recipe, Encoder(SPEC.encoder), None, PictureSet([folder]), run)
    assert not any(run.folder.iterdir())


def test_groups_share_out_the_batch_deepest_first() -> None:
    phase = Phase(steps=1, batch=8, size=32, rate=1.0, entries=(1, 0, 2, 2, 3), stylised=0.5)
    found = groups(phase)
    assert [group.level for group in found] == [5, 4, 3, 1]
    assert [i for group in found for i in range(group.start, group.stop)] == list(range(8))
    assert [group.touched for group in found] == [2, 1, 1, 0]
    assert [list(group.natural) for group in found] == [[2], [4], [6], [7]]


PHASE = Phase(steps=4, batch=4, size=32, rate=1e-3, warmup=1, distil=1.0)


def weights(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in module.parameters()])


class StopError(Exception):
    pass


def test_resume_repeats_the_uninterrupted_run(
    folder: Path, vgg: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_EVERY", 0.0)
    recipe = dataclasses.replace(
        RECIPE,
        encoder=[PHASE],
        decoder=[
            Phase(steps=3, batch=5, size=32, rate=1e-3, distil=1.0, stages=1.0),
            Phase(
                steps=4,
                batch=5,
                size=32,
                rate=1e-3,
                distil=1.0,
                entries=[1, 1, 1, 1, 1],
                stages=1.0,
                pixels=1.0,
                features=1.0,
            ),
            Phase(
                steps=3, batch=6, size=32, rate=1e-3, entries=[0, 2, 2, 0, 2], pixels=1.0, features=1.0, stylised=0.5
            ),
            Phase(steps=3, batch=4, size=32, rate=1e-3, entries=[0, 1, 0, 1, 0], pixels=1.0, looks=2, style=1.0),
        ],
    )

    def whole(path: Path, stop_at: int | None) -> Tensor:
        data, run = PictureSet([folder]), run_in(path)
        teacher = load_teacher(recipe, vgg, run, data)
        batch = PictureSet.batch

        def interrupted(self: PictureSet, step: int, n: int, size: int) -> tuple[Tensor, list[str]]:
            if step == stop_at and n < recipe.start:
                raise StopError
            return batch(self, step, n, size)

        monkeypatch.setattr(PictureSet, "batch", interrupted)
        try:
            encoder = train_encoder(recipe, vgg, data, run)
            return weights(train_decoders(recipe, encoder, teacher, data, run, eye=vgg))
        finally:
            monkeypatch.setattr(PictureSet, "batch", batch)

    needed = whole(tmp_path / "whole", None)
    for stop_at in (3, 8, 12):
        with pytest.raises(StopError):
            whole(tmp_path / "parts", stop_at)
    for _ in range(2):  # and again where it is done
        torch.testing.assert_close(whole(tmp_path / "parts", None), needed, rtol=0, atol=0)


def test_training_lowers_the_loss(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module, run = nn.Conv2d(3, 3, 1), run_in(tmp_path)

    def loss(_phase: Phase, pictures: Tensor, _step: int) -> dict[str, Tensor]:
        return {"identity": (module(pictures) - pictures).square().mean()}

    data = PictureSet([folder])
    before = float(loss(PHASE, data.batch(0, 4, 32)[0], 0)["identity"].detach())
    train(run, "small", module, [dataclasses.replace(PHASE, steps=60, rate=0.05)], data, loss)
    assert float(loss(PHASE, data.batch(0, 4, 32)[0], 0)["identity"].detach()) < 0.1 * before
    assert (run.folder / "log.jsonl").read_text().count("\n") == 1


def test_a_loss_that_is_not_finite_names_the_files(folder: Path, tmp_path: Path) -> None:
    module = nn.Conv2d(3, 3, 1)

    def loss(_phase: Phase, pictures: Tensor, step: int) -> dict[str, Tensor]:
        return {"bad": module(pictures).mean() / (0.0 if step == 2 else 1.0)}

    with pytest.raises(TrainingError, match=r"step 2: .*\.png"):
        train(run_in(tmp_path), "bad", module, [PHASE], PictureSet([folder]), loss)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "encoder.pt").write_bytes(b"half a file")
    with pytest.raises(TrainingError, match="no whole checkpoint"):
        run_in(tmp_path).load("encoder")


@pytest.mark.parametrize(
    ("train", "words"),
    [
        ([], "found [], needs a table"),
        ({"seed": "x"}, "seed is 'x'"),
        ({"start": 0}, "start is 0"),
        ({"encoder": 1}, "train.encoder is 1"),
        ({"encoder": [1]}, "found 1, needs a table"),
        *(({"encoder": [ONE_PHASE | {key: value}]}, f"{key} ") for key, value in WRONG_NUMBERS),
    ],
)
def test_recipes_that_make_no_sense_are_one_line(tmp_path: Path, train: object, words: str) -> None:
    (tmp_path / "a.toml").write_text(tomli_w.dumps(TINY | {"train": train}))
    with pytest.raises(ModelError) as caught:
        Recipe.read(tmp_path / "a.toml")
    assert words in str(caught.value) and str(caught.value).isprintable()


def test_the_learning_rate_warms_up_and_falls() -> None:
    phase = Phase(steps=100, batch=1, size=32, rate=1.0, final=0.1, warmup=10)
    rates = [phase.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == max(rates) <= 1
    assert rates[99] == pytest.approx(0.1, abs=0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True)


@pytest.mark.parametrize("name", ["compact", "vgg19"])
def test_the_shipped_recipes_are_those_of_the_models(name: str) -> None:
    recipe = Recipe.read(Path(__file__).parents[1] / "decoders" / "recipes" / f"{name}.toml")
    assert recipe.spec == find(name).spec
    assert recipe.decoder and all(
        not phase.entries or sum(phase.entries) + phase.looks == phase.batch for phase in recipe.decoder
    )


@given(st.lists(st.floats(0.001, 1000), min_size=5, max_size=5), seeds)
@settings(max_examples=20)
def test_rescaled_features_are_decoded_to_the_same_pictures(factors: list[float], seed: int) -> None:
    torch.manual_seed(seed)
    spec = parse_spec("pictured", PICTURED["encoder"], (TINY if seed % 2 else PICTURED)["stages"], "test")
    encoder, decoder = Encoder(spec.encoder).double(), Decoder(spec).double()
    pictures = torch.rand(2, 3, 33, 48, dtype=torch.float64)
    before = encoder(pictures, LEVELS)
    made = [decoder(before[level], level, (33, 48)) for level in LEVELS]
    rescale(encoder, decoder, factors)
    after = encoder(pictures, LEVELS)
    for level, factor, picture in zip(LEVELS, factors, made, strict=True):
        torch.testing.assert_close(after[level], factor * before[level])
        torch.testing.assert_close(decoder(after[level], level, (33, 48)), picture)


def test_features_without_heads_are_trained_on_at_unit_size_and_exported_as_they_were(
    folder: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "headless.toml"
    spec = TINY["encoder"] | {"ranks": []}
    phase = {"steps": 3, "batch": 2, "size": 32, "rate": 1e-3, "stages": 1.0}
    recipe.write_text(
        tomli_w.dumps(TINY | {"encoder": spec, "train": {"start": 8, "start_size": 32, "decoder": [phase]}})
    )
    weights = load_tensors(tiny_folder / "encoder.safetensors")
    loud = {name: 500 * x if name.startswith("conv4_1") else x for name, x in weights.items() if "head" not in name}
    save_tensors(loud, tmp_path / "eye.safetensors")
    data = ["--data", str(folder), "--device", "cpu", "--encoder", str(tmp_path / "eye.safetensors")]
    out = tmp_path / "made"
    assert main(["train", "decoders", str(recipe), *data, "--run", str(tmp_path / "run"), "--export", str(out)]) == 0
    assert not (out / "encoder.safetensors").exists()
    model = Model.load(out, encoder=tmp_path / "eye.safetensors")
    pictures = PictureSet([folder], 0).batch(0, 4, 32)[0]
    for level, features in model.encoder(pictures, LEVELS).items():
        assert (features.std() > 100) == (level >= 4)
        made = model.decoder(features, level, (32, 32))
        assert bool((made - pictures).square().mean() < 0.2)


def test_a_larger_chain_begins_as_the_smaller_one() -> None:
    torch.manual_seed(0)
    small = parse_spec("small", PICTURED["encoder"], PICTURED["stages"], "test")
    stages = PICTURED["stages"] | {"4": {"low": [11, 9, 8], "high": [10]}, "5": {"low": [12], "high": [8]}}
    large = parse_spec("large", PICTURED["encoder"], stages, "test")
    encoder, decoder = Encoder(small.encoder), Decoder(small)
    assert has_room(large.stages, small.stages) and not has_room(small.stages, large.stages)
    pictures = torch.rand(2, 3, 33, 48)
    for level, features in encoder(pictures, LEVELS).items():
        wanted = decoder(features, level, (33, 48))
        torch.testing.assert_close(grown(decoder, large, 0)(features, level, (33, 48)), wanted)
    last = grown(decoder, large, 0).stages[3].high[0]
    last(torch.rand(1, 8, 5, 5)).sum().backward()
    assert last.weight.grad is not None and bool((last.weight.grad[:, -1] != 0).any())  # it learns to heed new ones


@torch.no_grad()
@pytest.mark.parametrize("ranks", [[4, 6, 8, 8, 8], [3, 6, 5, 7, 2]])
def test_narrower_heads_give_the_leading_components_and_the_same_pictures_of_them(
    ranks: list[int], tiny_model: Model
) -> None:
    torch.manual_seed(0)
    encoder, decoder = tiny_model.encoder, Decoder(SPEC)
    spec = parse_spec("narrow", TINY["encoder"] | {"ranks": ranks}, TINY["stages"], "test")
    assert can_narrow(SPEC.encoder, spec.encoder)
    assert can_narrow(spec.encoder, SPEC.encoder) == (spec.encoder == SPEC.encoder)
    pictures = torch.rand(4, 3, 33, 48)
    body, chain, bases = narrowed(encoder, decoder, spec, pictures)
    for level, gaussian in pooled(body, [pictures]).items():
        # Uncorrelated, and with as much of the variance as so few directions can have.
        spectrum = torch.linalg.eigvalsh(pooled(encoder, [pictures])[level].cov).flip(0)[: ranks[level - 1]]
        torch.testing.assert_close(gaussian.cov, spectrum.diag(), rtol=1e-3, atol=1e-5 * float(spectrum[0]))
    means = {level: gaussian.mean.float() for level, gaussian in pooled(encoder, [pictures]).items()}

    def kept(x: Tensor, level: int) -> Tensor:
        """Features on the components alone, at the mean along other directions."""
        basis, mean = bases[level].float(), means[level][:, None, None]
        return torch.einsum("ci,cj,njhw->nihw", basis, basis, x - mean) + mean

    for level, features in encoder(pictures, LEVELS).items():
        x, y = kept(features, level), body(pictures, (level,))[level]
        torch.testing.assert_close(y, turned(bases[level], features.movedim(1, 0)).movedim(0, 1), rtol=1e-4, atol=1e-4)
        for k in range(level, 0, -1):
            x, y = decoder.step(x, k, (33, 48)), chain.step(y, k, (33, 48))
            x = x if k == 1 else kept(x, k - 1)
        torch.testing.assert_close(y, x, rtol=1e-4, atol=1e-4)


def test_batches_come_in_turn_and_raise_in_their_turn(folder: Path, tmp_path: Path) -> None:
    data = PictureSet([folder], 3)
    found = [names for _, names in data.batches(((step, 2, 32) for step in range(40)), torch.device("cpu"))]
    assert found == [data.batch(step, 2, 32)[1] for step in range(40)]
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match="unreadable"):
        list(PictureSet([tmp_path]).batches([(0, 2, 32), (1, 2, 32)], torch.device("cpu")))


def test_decoded_pictures_are_kept_as_far_as_there_is_room(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = PictureSet([folder], 5)
    wanted = [data.batch(step, 4, 32)[0] for step in range(6)]
    assert len(data.kept) == len(data)
    monkeypatch.setattr(type(data.entries[0]), "read", lambda _: pytest.fail("is read again"))
    assert all(torch.equal(data.batch(step, 4, 32)[0], one) for step, one in enumerate(wanted))
    monkeypatch.undo()
    small = PictureSet([folder], 5)
    small.room = 3 * 64 * 64 * 2
    assert all(torch.equal(small.batch(step, 4, 32)[0], one) for step, one in enumerate(wanted))
    assert (len(small.kept), small.room) == (2, 0)
    monkeypatch.setattr(pictures, "free_memory", lambda _: 800)
    assert PictureSet([folder]).room == 200
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert PictureSet([folder]).room == 50
