"""`wct train`: from pictures to a model folder that stylises, and what is refused on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from shell import Call, Result, picture
from tiny import PICTURED, TINY, write_tiny

from wct.models import Model
from wct.models.weights import load_tensors
from wct.training.loop import Run

PHASE = {"steps": 2, "batch": 2, "size": 32, "rate": 1e-4}
TRAIN = {
    "start": 8,
    "start_size": 48,
    "encoder": [PHASE | {"distil": 1.0}],
    "decoder": [PHASE | {"distil": 1.0, "stages": 1.0}],
}


def recipe(path: Path, **changes: Any) -> Path:
    path.write_text(tomli_w.dumps(TINY | {"licence": "MIT", "train": TRAIN} | changes))
    return path


@pytest.fixture
def train(call: Call, tmp_path: Path) -> Call:
    """`wct train VERB recipe.toml --run run` with pictures and a small teacher."""
    (tmp_path / "photos").mkdir()
    for seed in range(8):
        picture(tmp_path / "photos" / f"{seed}.png", (64, 64), seed=seed)
    widths = [[16] * 2, [16] * 2, [24] * 4, [24] * 4, [24]]
    write_tiny(tmp_path / "eye", encoder={"widths": widths, "ranks": []}, stages={})
    recipe(tmp_path / "recipe.toml")

    def train(verb: str, *more: object) -> Result:
        return call("train", verb, "recipe.toml", "--data", "photos", "--run", "run", "--device", "cpu", *more)

    return train


def test_from_pictures_to_a_model_that_stylises(train: Call, call: Call, tmp_path: Path) -> None:
    assert "holds no checkpoint" in train("encoder", "--vgg", "eye", "--resume").refused()
    assert "holds no encoder" in train("decoders", "--vgg", "eye").refused()
    first = train("encoder", "--vgg", "eye")
    assert (first.status, first.out) == (0, b""), first
    assert first.err.startswith("8 pictures, on cpu, checkpoints in run\n")
    assert "--resume" in train("encoder", "--vgg", "eye").refused()
    assert train("encoder", "--vgg", "eye", "--resume").status == 0
    assert "holds no decoders" in call("train", "export", "recipe.toml", "--run", "run", "-o", "mine").refused()
    second = train("decoders", "--vgg", "eye", "--export", "mine")
    assert second.status == 0 and second.err.endswith("mine: written\n"), second
    card = Model.load(tmp_path / "mine").card
    assert (card.table["licence"], card.table["training"]["steps_done"]) == ("MIT", 2)
    assert "holds a model already" in call("train", "export", "recipe.toml", "--run", "run", "-o", "mine").refused()
    assert call("train", "export", "recipe.toml", "--run", "run", "-o", "mine", "--overwrite").status == 0
    assert call("stylize", "photos/0.png", "photos/1.png", "-o", "out.png", "--model", "mine").status == 0


def test_a_model_trains_further_from_its_folder(train: Call, call: Call, tmp_path: Path) -> None:
    assert train("encoder", "--vgg", "eye").status == 0
    assert train("decoders", "--vgg", "eye", "--export", "mine").status == 0
    tail = ("--data", "photos", "--run", "more", "--device", "cpu", "--vgg", "eye")
    gentle = TRAIN | {"decoder": [PHASE | {"rate": 1e-9, "distil": 1.0, "stages": 1.0}]}
    recipe(tmp_path / "gentle.toml", train=gentle)
    done = call("train", "decoders", "gentle.toml", *tail, "--start", "mine", "--export", "further")
    assert done.status == 0, done
    before, after = (Model.load(tmp_path / name) for name in ("mine", "further"))
    for part in ("encoder", "decoder"):
        old, new = (getattr(model, part).state_dict() for model in (before, after))
        # The last convolution is solved anew from features that float16 has rounded.
        names = [name for name in old if not name.startswith("stages.0")]
        assert names and all(torch.allclose(old[name], new[name], atol=1e-4) for name in names)
    assert (tmp_path / "mine/bases.safetensors").read_bytes() == (tmp_path / "further/bases.safetensors").read_bytes()
    other = {"widths": [[4, 4], [6, 6], [8] * 4, [8] * 4, [12]], "ranks": [4, 6, 8, 8, 8]}
    recipe(tmp_path / "other.toml", encoder=other)
    tail = ("--data", "photos", "--run", "new", "--vgg", "eye", "--start", "mine")
    assert "another architecture" in call("train", "decoders", "other.toml", *tail).refused()


def test_heads_get_narrower_from_a_folder_on(train: Call, call: Call, tmp_path: Path) -> None:
    assert train("encoder", "--vgg", "eye").status == 0
    assert train("decoders", "--vgg", "eye", "--export", "mine").status == 0
    ranks = [4, 5, 6, 5, 3]
    narrow = {"widths": TINY["encoder"]["widths"], "ranks": ranks}
    recipe(tmp_path / "narrow.toml", encoder=narrow, train=TRAIN | {"decoder": [PHASE | {"stages": 1.0}]})
    tail = ("--data", "photos", "--run", "more", "--device", "cpu")
    command = ("train", "decoders", "narrow.toml", *tail, "--start", "mine", "--export", "further")
    assert call(*command).status == 0
    assert call(*command, "--resume", "--overwrite").status == 0
    heads, bases = (
        [load_tensors(tmp_path / name / f"{part}.safetensors") for name in ("mine", "further")]
        for part in ("encoder", "bases")
    )
    for level, rank in enumerate(ranks, 1):
        # What the student's head keeps, its teacher keeps too.
        before, after = (x[f"head{level}.weight"].flatten(1) for x in heads)
        turn = after @ torch.linalg.inv(before)
        assert torch.allclose(turn @ turn.T, torch.eye(rank), atol=0.02)
        before, after = (x[f"{level - 1}.weight"].flatten(1) for x in bases)
        assert torch.allclose(after, turn @ before, atol=0.02 * float(before.abs().max()))
    assert call("stylize", "photos/0.png", "photos/1.png", "-o", "out.png", "--model", "further").status == 0
    # Never wider.
    recipe(tmp_path / "wide.toml", encoder=TINY["encoder"])
    tail = ("--data", "photos", "--run", "new", "--device", "cpu")
    assert "wider heads" in call("train", "decoders", "wide.toml", *tail, "--start", "further").refused()


def test_decoders_take_another_encoder(train: Call, tmp_path: Path) -> None:
    recipe(tmp_path / "recipe.toml", train=TRAIN | {"decoder": [PHASE | {"stages": 1.0}]})
    write_tiny(tmp_path / "tiny")
    found = train("decoders", "--encoder", "tiny/encoder.safetensors")
    assert found.status == 0, found


def test_stages_that_are_solved_stay_so_while_the_others_train(train: Call, call: Call, tmp_path: Path) -> None:
    weights = write_tiny(tmp_path / "given", **PICTURED) / "encoder.safetensors"
    phase = PHASE | {"steps": 3, "batch": 5, "rate": 1e-3, "entries": [0, 1, 1, 1, 2], "pixels": 1.0, "stages": 0.1}
    recipe(tmp_path / "recipe.toml", **PICTURED, train=TRAIN | {"decoder": [PHASE | {"stages": 1.0}, phase]})
    more = ("--encoder", "given/encoder.safetensors", "--export")
    assert train("decoders", *more, "mine").status == 0
    tail = ("--data", "photos", "--run", "more", "--device", "cpu", "--start", "mine")
    assert call("train", "decoders", "recipe.toml", *tail, *more, "further").status == 0
    before, after = (Model.load(tmp_path / name, encoder=weights).decoder.state_dict() for name in ("mine", "further"))
    solved = [name for name in before if name.startswith(("stages.0.", "stages.1.again."))]
    assert len(solved) > 5 and all(torch.allclose(before[name], after[name], rtol=2e-3, atol=1e-5) for name in solved)
    trained = [name for name in before if name not in solved and name.endswith("weight")]
    assert len(trained) > 8 and not any(torch.equal(before[name], after[name]) for name in trained)
    picked = ("--model", "further", "--encoder", "given/encoder.safetensors")
    assert call("stylize", "photos/0.png", "photos/1.png", "-o", "out.png", *picked).status == 0


def test_an_interruption_says_how_to_go_on(train: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wct.training.encoder.train_encoder", interrupted)
    found = train("encoder", "--vgg", "eye")
    assert found.status == 130
    assert found.err.splitlines()[-1] == "error: interrupted: --resume goes on from the last checkpoint in run"


def test_what_is_missing_or_wrong_is_one_line(train: Call, call: Call, tmp_path: Path) -> None:
    assert "vgg19" in train("encoder").refused()
    assert "gone" in train("encoder", "--vgg", "eye", "--data", "gone").refused()
    (tmp_path / "empty").mkdir()
    base = ["--run", "run", "--vgg", "eye"]
    assert "no pictures" in call("train", "encoder", "recipe.toml", "--data", "empty", *base).refused()
    assert "--data" in call("train", "encoder", "recipe.toml", *base).refused()
    assert "gone.toml" in call("train", "encoder", "gone.toml", "--data", "photos", *base).refused()
    recipe(tmp_path / "flat.toml", stages={})
    assert "[stages]" in call("train", "decoders", "flat.toml", "--data", "photos", *base).refused()
    assert not (tmp_path / "run").exists()
    (tmp_path / "run").touch()
    assert "run: cannot be made" in train("encoder", "--vgg", "eye").refused()


def test_a_run_of_another_recipe_is_refused(train: Call, call: Call, tmp_path: Path) -> None:
    assert train("encoder", "--vgg", "eye").status == 0
    recipe(tmp_path / "other.toml", encoder=TINY["encoder"] | {"ranks": [2, 2, 2, 2, 2]})
    found = call("train", "decoders", "other.toml", "--data", "photos", "--run", "run", "--vgg", "eye")
    assert "weights of another model" in found.refused()
    assert Run(tmp_path / "run", Model.load(tmp_path / "eye").device).load("decoder") is None
