"""`wct models fetch` and `wct models import`: VGG-19's weights, from a server of our own and from files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import narrow
import pytest
import torch
from narrow import Server, published, write_keras
from safetensors.torch import load_file, save_file
from shell import LIMIT, Call, environment, picture
from torch import Tensor

from wct.errors import ModelError
from wct.models import Model, fetch, vgg
from wct.models.encoder import Encoder
from wct.models.export import export
from wct.models.model import load_encoder
from wct.models.published import read_published

WEIGHTS = Path(__file__).parents[2] / "shared" / "weights" / "vgg19-features.safetensors"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(write_keras(tmp_path / "published.h5", published()).read_bytes()).running() as server:
        yield server


@pytest.fixture
def wct(server: Server, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`wct` in this process, with the narrow model in the place of the original and a cache in the test's folder."""
    narrow.replace(monkeypatch.setattr, tmp_path / "shelf", server.source())
    monkeypatch.setenv("WCT_HOME", str(tmp_path / "home"))
    return call


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "vgg19"


def start(server: Server, cwd: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """`wct` as a process of its own, with the same replacements."""
    source = server.source()
    command = [sys.executable, narrow.__file__, cwd / "shelf", source.url, source.digest, str(source.size), *arguments]
    variables = environment() | {"WCT_HOME": str(cwd / "home")}
    return subprocess.Popen(command, cwd=cwd, env=variables, stderr=subprocess.PIPE)


def in_place(folder: Path) -> bool:
    """Whether the encoder, and nothing but it, lies there, with exactly the numbers that were published."""
    needed = vgg.from_torchvision_names(published(), "published")
    found = load_file(folder / "encoder.safetensors")
    names = {path.name for path in folder.iterdir()}
    return (
        names == {"encoder.safetensors", ".lock"}
        and found.keys() == needed.keys()
        and all(torch.equal(found[name], needed[name]) for name in needed)
    )


def test_fetching_puts_the_encoder_in_place_once(wct: Call, server: Server, folder: Path, tmp_path: Path) -> None:
    assert "--offline" in wct("models", "fetch", "vgg19", "--offline").refused()
    assert server.ranges == [] and not folder.exists()
    found = wct("models", "fetch", "vgg19")
    assert (found.status, found.out) == (0, b"") and str(folder / "encoder.safetensors") in found.err
    assert in_place(folder)
    for options in ([], ["--offline"]):
        assert wct("models", "fetch", "vgg19", *options).status == 0
    assert server.ranges == [None]
    assert Model.load("vgg19").encoder(torch.rand(1, 3, 16, 16), [5])[5].shape == (1, 32, 1, 1)
    assert wct("style", picture(tmp_path / "wave.png"), "--model", "vgg19").status == 0


def test_what_is_missing_or_wrong_is_fetched(wct: Call, folder: Path, tmp_path: Path) -> None:
    command = ["style", picture(tmp_path / "wave.png"), "--model", "vgg19"]
    assert "run `wct models fetch vgg19`" in wct(*command).refused()
    folder.mkdir(parents=True)
    other = vgg.from_torchvision_names(published(seed=1), "other")
    for damage in (b"", b"\x10\0\0\0\0\0\0\0{", None):
        if damage is None:
            save_file(other, folder / "encoder.safetensors")
        else:
            (folder / "encoder.safetensors").write_bytes(damage)
        assert "run `wct models fetch vgg19`" in wct(*command).refused()
    assert wct("models", "fetch", "vgg19").status == 0
    assert in_place(folder)


def test_a_lost_connection_is_gone_on_with(wct: Call, server: Server, folder: Path) -> None:
    server.manners = ["cut", "well"]
    assert "run the same command again" in wct("models", "fetch", "vgg19").refused()
    assert not (folder / "encoder.safetensors").exists()
    assert wct("models", "fetch", "vgg19").status == 0
    assert server.ranges == [None, f"bytes={len(server.data) // 2}-"]
    assert in_place(folder)


@pytest.mark.parametrize("manner", ["well", "whole"])
@pytest.mark.parametrize("share", [0.3, 1.0, 2.0])
def test_a_part_of_another_file_is_started_anew(
    wct: Call, server: Server, folder: Path, manner: str, share: float
) -> None:
    folder.mkdir(parents=True)
    (folder / f"{server.source().digest}.part").write_bytes(b"x" * int(share * len(server.data)))
    server.manners = [manner]
    assert wct("models", "fetch", "vgg19").status == 0
    assert in_place(folder)


def test_a_whole_download_is_not_repeated(wct: Call, server: Server, folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / f"{server.source().digest}.part").write_bytes(server.data)
    assert wct("models", "fetch", "vgg19").status == 0
    assert server.ranges == [] and in_place(folder)


@pytest.mark.parametrize(
    ("manner", "words"), [("page", "found a web page"), ("other", "found a file of md5"), ("missing", "404")]
)
def test_a_wrong_file_is_refused_and_leaves_nothing(
    wct: Call, server: Server, folder: Path, manner: str, words: str
) -> None:
    server.manners = [manner]
    line = wct("models", "fetch", "vgg19").refused()
    assert words in line and "wct models import vgg19 FILE" in line
    assert [path.name for path in folder.iterdir()] == [".lock"]


def test_without_a_network_or_a_place_it_is_one_line(
    wct: Call, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "did you mean 'vgg19'" in wct("models", "fetch", "vgg9").refused()
    monkeypatch.setenv("WCT_HOME", str(picture(tmp_path / "file.png")))
    assert "set WCT_HOME" in wct("models", "fetch", "vgg19").refused()
    assert server.ranges == []
    monkeypatch.setenv("WCT_HOME", str(tmp_path))
    nobody = narrow.source_at("http://127.0.0.1:9/vgg19.h5", "0" * 32, 1)
    monkeypatch.setattr(fetch, "SOURCES", {"vgg19": nobody})
    assert "Connection refused" in wct("models", "fetch", "vgg19").refused()


def test_what_comes_with_wct_is_not_fetched(call: Call) -> None:
    for command in (["fetch", "compact"], ["import", "compact", "file.h5"]):
        assert "vgg19 has" in call("models", *command).refused()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_download_is_gone_on_with(
    wct: Call, server: Server, folder: Path, tmp_path: Path, number: int, status: int
) -> None:
    server.manners = ["wait", "well"]
    process = start(server, tmp_path, "models", "fetch", "vgg19")
    assert server.halfway.wait(LIMIT)
    process.send_signal(number)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == status
    assert status < 0 or "the same command goes on" in err.decode().splitlines()[-1]
    assert not (folder / "encoder.safetensors").exists()
    assert wct("models", "fetch", "vgg19").status == 0
    assert len(server.ranges) == 2 and in_place(folder)


@pytest.mark.usefixtures("wct")
def test_of_several_processes_one_downloads(server: Server, folder: Path, tmp_path: Path) -> None:
    server.manners = ["wait", "well"]
    process = start(server, tmp_path, "models", "fetch", "vgg19")
    assert server.halfway.wait(LIMIT)
    other = threading.Thread(target=fetch.fetch, args=("vgg19", lambda *_: None))
    other.start()
    other.join(0.5)
    assert other.is_alive() and server.ranges == [None]
    server.go_on.set()
    other.join(LIMIT)
    assert process.communicate(timeout=LIMIT) and process.returncode == 0
    assert server.ranges == [None] and in_place(folder)


# Files


def torchvision(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """A whole classifier: there is more in the file than is needed."""
    return tensors | {"features.30.weight": torch.rand(4, 32, 3, 3), "classifier.0.weight": torch.rand(3, 4)}


def write(path: Path, kind: str, tensors: dict[str, Tensor]) -> Path:
    match kind:
        case "keras":
            write_keras(path, tensors)
        case "newer keras":
            write_keras(path, tensors, lambda layer: (f"{layer}/kernel:0", f"{layer}/bias:0"))
        case "state dict":
            torch.save(torchvision(tensors), path)
        case "old state dict":
            torch.save(torchvision(tensors), path, _use_new_zipfile_serialization=False)
        case "rare pickle":  # of which torch warns
            torch.save(torchvision(tensors), path, pickle_protocol=3)
        case "safetensors":
            save_file(torchvision(tensors), path)
        case "ours":
            save_file(vgg.from_torchvision_names(tensors, "ours"), path)
    return path


KINDS = ["keras", "newer keras", "state dict", "old state dict", "rare pickle", "safetensors", "ours"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_published_layout_is_imported(wct: Call, folder: Path, tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / "file", kind, published())
    assert read_published(file)  # without a warning, which would be an error
    assert wct("models", "import", "vgg19", file).status == 0
    assert in_place(folder)


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_files_are_refused(wct: Call, folder: Path, tmp_path: Path, kind: str) -> None:
    file = write(tmp_path / "file", kind, published())
    whole = file.read_bytes()
    for share in (0.0, 0.5, 0.99):
        file.write_bytes(whole[: int(share * len(whole))])
        assert "file" in wct("models", "import", "vgg19", file).refused()
    assert not (folder / "encoder.safetensors").exists()


def wrong(name: str) -> dict[str, Tensor]:
    right = published()
    first = right["features.0.weight"]
    match name:
        case "torchvision's own":
            right = published(seed=1)
            right["features.0.weight"][0, 0, 0] = torch.tensor(vgg.TORCHVISION)
        case "expects RGB":
            right["features.0.weight"] = first.flip(1).contiguous()
        case "another range":
            right["features.0.weight"] = first * 255
        case "another training":
            right = published(seed=1)
        case "is missing":  # batch normalisation moves the numbers of the layers
            right = {f"features.{k}.weight": tensor for k, tensor in enumerate(right.values())}
        case "1 of 26":
            right["features.28.weight"] = right["features.28.weight"].flip(3).contiguous()
        case "a first convolution of":
            right["features.0.bias"] = right["features.0.bias"][:1].clone()
        case "inf or NaN":
            right["features.28.weight"][0] = torch.nan
    return right


WRONG = ["torchvision's own", "expects RGB", "another range", "another training", "is missing", "1 of 26", "inf or NaN"]
WRONG += ["a first convolution of"]


@pytest.mark.parametrize("words", WRONG)
def test_another_encoder_is_refused_with_the_reason(wct: Call, folder: Path, tmp_path: Path, words: str) -> None:
    assert wct("models", "import", "vgg19", write(tmp_path / "right", "keras", published())).status == 0
    tensors = wrong(words)
    assert words in wct("models", "import", "vgg19", write(tmp_path / "wrong", "state dict", tensors)).refused()
    assert in_place(folder)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (Path("exploded"),)


def test_pickled_code_is_not_run(wct: Call, tmp_path: Path) -> None:
    for new in (True, False):
        torch.save({"features.0.weight": Bomb()}, tmp_path / "bomb.pth", _use_new_zipfile_serialization=new)
        assert "weights alone" in wct("models", "import", "vgg19", "bomb.pth").refused()
    torch.save([torch.zeros(3)], tmp_path / "list.pth")
    assert "no state dict" in wct("models", "import", "vgg19", "list.pth").refused()
    os.mkfifo(tmp_path / "pipe.pth")
    for name in ("gone.pth", "pipe.pth"):
        assert "no such weights file" in wct("models", "import", "vgg19", name).refused()
    assert not (tmp_path / "exploded").exists()


# The numbers


def rounded(tensor: Tensor) -> Tensor:
    step = tensor.abs().max() / 127
    return (tensor / step).round() * step


@pytest.mark.parametrize("lossy", [rounded, lambda tensor: tensor.half().float()])
def test_rounding_does_not_hide_the_encoder(wct: Call, tmp_path: Path, lossy: object) -> None:
    tensors = {name: lossy(tensor) for name, tensor in published().items()}  # type: ignore[operator]
    assert wct("models", "import", "vgg19", write(tmp_path / "file", "safetensors", tensors)).status == 0


def test_a_model_of_the_same_shape_may_have_weights_of_its_own(wct: Call, tmp_path: Path) -> None:
    encoder = Encoder(narrow.SPEC)
    encoder.load_state_dict(vgg.from_torchvision_names(published(seed=1), "own"))
    table = {"name": "own", "encoder": {"widths": narrow.SPEC.widths, "ranks": []}}
    export(tmp_path / "own", table, encoder)
    assert wct("style", picture(tmp_path / "wave.png"), "--model", "own").status == 0


@pytest.mark.skipif(not WEIGHTS.is_file(), reason="needs ../shared with the weights of VGG-19")
def test_the_original_is_recognised_and_others_are_not(tmp_path: Path) -> None:
    tensors = {name: tensor.float() for name, tensor in load_file(WEIGHTS).items()}
    found = load_encoder(vgg.VGG19, write_keras(tmp_path / "vgg19.h5", tensors)).state_dict()
    torch.testing.assert_close(found, vgg.from_torchvision_names(tensors, "shared"), rtol=0, atol=0)
    changes = {
        "expects RGB": {"features.0.weight": tensors["features.0.weight"].flip(1)},
        "another range": {"features.0.weight": tensors["features.0.weight"] * 255},
        "1 of 26": {"features.14.weight": tensors["features.14.weight"].transpose(2, 3)},
    }
    for words, change in changes.items():
        with pytest.raises(ModelError, match=words):
            load_encoder(vgg.VGG19, write_keras(tmp_path / "wrong.h5", tensors | change))
