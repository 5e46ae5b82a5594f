"""Many machines: a cluster of two nodes, one of which is lost, gives what this process gives."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from films import pan
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shell import LIMIT, environment, picture, run, start
from strategies import generator

from wct.content import Content
from wct.distributed import Cluster
from wct.distributed.parcel import Parcel, opened, packed
from wct.distributed.shared import Shared
from wct.engine import Local
from wct.errors import NumericsError, UsageError
from wct.fields import Held
from wct.images import Picture, read
from wct.large import open_large, stylize_large
from wct.look import LOOK
from wct.models import Model
from wct.progress import Progress
from wct.regions import Region
from wct.store import to_numbers
from wct.style import Style
from wct.stylizer import Stylizer
from wct.video import Schedule, Settings, stylize_clip
from wct.windows import Window, tiles

SIZE = (150, 203)


def noise(size: tuple[int, int] = SIZE, seed: int = 0) -> torch.Tensor:
    """Blotches of three sizes, (3, H, W)."""
    layers = [
        torch.nn.functional.interpolate(
            torch.rand((1, 3, *(max(1, side // step) for side in size)), generator=generator(seed + step)), size
        )[0]
        for step in (1, 4, 16)
    ]
    return torch.stack(layers).mean(0)


class Nodes:
    """A real cluster on this machine: a head with one processor, and a second node that can be lost."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster as Machines

        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        # A cluster that is started by hand, unlike one of wct's, reports that it reports nothing.
        os.environ["RAY_USAGE_STATS_REPORT_URL"] = "http://127.0.0.1:9"
        self._machines = Machines(initialize_head=True, head_node_args=self._of(1))
        self.address: str = self._machines.address
        self._second: Any = None

    @staticmethod
    def _of(cpus: int) -> dict[str, Any]:
        return {"num_cpus": cpus, "object_store_memory": 100 * 2**20, "include_dashboard": False}

    def whole(self) -> None:
        """Bring the second node back."""
        if self._second is None:
            self._second = self._machines.add_node(num_cpus=1, object_store_memory=100 * 2**20)

    def lose(self) -> None:
        """Kill the second node: its workers, and what lies in its part of the object store."""
        if self._second is not None:
            second, self._second = self._second, None
            self._machines.remove_node(second, allow_graceful=False)

    @property
    def lost(self) -> bool:
        return self._second is None

    def end(self) -> None:
        self._machines.shutdown()


@pytest.fixture(scope="module")
def machines() -> Iterator[Nodes]:
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")  # Ray's own
        nodes = Nodes()
        yield nodes
        nodes.end()


@pytest.fixture
def nodes(machines: Nodes) -> Nodes:
    machines.whole()
    return machines


@pytest.fixture(scope="module")
def cluster(machines: Nodes) -> Iterator[Cluster]:
    with Cluster(machines.address) as cluster:
        yield cluster


@pytest.fixture
def far(nodes: Nodes, cluster: Cluster, tiny_model: Model) -> Stylizer:
    """A stylizer whose work is done by the cluster, both nodes of it."""
    assert not nodes.lost
    return Stylizer(tiny_model, engine=cluster)


@pytest.fixture(scope="module")
def near(tiny_model: Model) -> Stylizer:
    return Stylizer(tiny_model)


@pytest.fixture(scope="module")
def style(near: Stylizer) -> Style:
    return near.style(noise((64, 80), 9), patches=True)


def assert_same(a: Picture, b: Picture) -> None:
    apart = ((255 * a.rgb).round() - (255 * b.rgb).round()).abs()
    assert float(apart.max()) <= 1 and float(apart.mean()) < 0.02


def test_workers_compute_in_the_precision_of_the_driver(nodes: Nodes, cluster: Cluster, tiny_folder: Path) -> None:
    assert not nodes.lost
    models = [Model.load(tiny_folder, precision=name) for name in ("bfloat16", "float32")]
    style = Stylizer(models[1]).style(noise((64, 80), 9))
    far = Stylizer(models[0], engine=cluster)(noise(), style, tile=64).rgb
    near, exact = (Stylizer(model)(noise(), style, tile=64).rgb for model in models)
    assert float((far - near).abs().mean()) < 0.2 * float((near - exact).abs().mean())


def test_windows_of_a_cluster_do_not_show(far: Stylizer, near: Stylizer, style: Style) -> None:
    left = torch.zeros(SIZE)
    left[:, :90] = 1
    regions = [Region(style, left), Region(near.style(noise((64, 64), 3)))]
    alpha = np.full(SIZE, 255, np.uint8)
    alpha[:70, :100] = 0
    for content, what, settings in (
        (noise(), style, {}),
        (noise(), style, {"mode": "cascade", "color": "luminance", "detail": 0.5}),
        (noise(), style, {"mode": "photo", "alpha": 0.7}),
        (noise(), style, {"transform": "swap", "levels": (3, 2)}),
        (noise(), noise((64, 64), 4), {"color": "content", "transform": "adain"}),
        (Picture(noise(), alpha), regions, {}),
    ):
        assert_same(far(content, what, tile=64, **settings), near(content, what, tile=None, **settings))
    assert not isinstance(far.engine, Local)


def test_a_lost_node_does_not_show(far: Stylizer, near: Stylizer, style: Style, nodes: Nodes) -> None:
    told: list[Progress] = []

    def follow(now: Progress) -> None:
        told.append(now)
        if now.what == "relu4_1 transform":
            nodes.lose()

    assert_same(far(noise(), style, tile=64, progress=follow), near(noise(), style, tile=None))
    assert nodes.lost and told[-1].done == told[-1].total


def test_a_large_file(far: Stylizer, near: Stylizer, style: Style, tmp_path: Path) -> None:
    source = picture(tmp_path / "scan.png", SIZE, "RGBA")
    for stylizer, name in ((far, "far.tif"), (near, "near.tif")):
        large = open_large(source, stylizer.model)
        stylize_large(stylizer, large, [Region(style)], tmp_path / name, tile=64, quality=90, bits=8)
    assert_same(read(tmp_path / "far.tif"), read(tmp_path / "near.tif"))


def test_errors_of_workers_are_those_of_this_process(far: Stylizer, near: Stylizer, style: Style) -> None:
    holed = noise()
    holed[:, 40, 40] = torch.nan
    for stylizer in (far, near):
        canvas = stylizer.engine.canvas(stylizer.model, 64)
        with pytest.raises(NumericsError, match=r"relu5_1, transform: features: .* not finite"):
            stylizer.painted(Content("holed", Held(0, holed[None])), [(style, None)], canvas, LOOK)


def test_the_frames_of_a_film_with_a_lost_node(
    far: Stylizer, near: Stylizer, style: Style, nodes: Nodes, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for i, frame in enumerate(pan(12, (48, 64))):
        Image.fromarray(frame).save(tmp_path / "in" / f"{i:03}.png")
    (tmp_path / "in" / "005.png").write_bytes(b"broken")
    schedule = Schedule([(0.0, style), (1.0, near.style(noise((64, 64), 3)))])

    def follow(done: int, _total: int, what: str) -> None:
        if done == 3 and "frames/s" in what:
            nodes.lose()

    for stylizer, name, tell in ((far, "far", follow), (near, "near", lambda *_: None)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            report = stylize_clip(stylizer, str(tmp_path / "in"), schedule, str(tmp_path / name), Settings(), tell=tell)
        assert (report.frames, len(report.broken)) == (12, 1)
    assert nodes.lost
    for path in sorted((tmp_path / "near").iterdir()):
        assert_same(read(tmp_path / "far" / path.name), read(path))
    with pytest.raises(UsageError, match="live"):
        stylize_clip(far, str(tmp_path / "in"), schedule, str(tmp_path / "live"), Settings(live=True))


def test_a_batch_with_a_lost_node(nodes: Nodes, tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    picture(tmp_path / "wave.png", seed=50)
    for i in range(40):
        picture(tmp_path / "photos" / f"{i:02}.png", (60 + i, 90), seed=i)
    (tmp_path / "photos" / "99.png").write_bytes(b"broken")
    rest = ("--model", tiny_folder, "--device", "cpu")
    far = start(
        "batch", "photos", "wave.png", "-o", "far", *rest, "--engine", "ray", "--address", nodes.address, cwd=tmp_path
    )
    while far.poll() is None and not any((tmp_path / "far").glob("*.png")):
        with contextlib.suppress(subprocess.TimeoutExpired):
            far.wait(0.05)
    nodes.lose()
    _, err = far.communicate(timeout=LIMIT)
    assert far.returncode == 1 and b"99.png" in err, err
    assert run("batch", "photos", "wave.png", "-o", "near", *rest, cwd=tmp_path).status == 1
    names = sorted(path.name for path in (tmp_path / "near").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "far").iterdir()) and len(names) == 40
    for name in names:
        assert_same(read(tmp_path / "far" / name), read(tmp_path / "near" / name))


def test_a_cluster_of_this_machine_alone(tiny_folder: Path, tmp_path: Path) -> None:
    picture(tmp_path / "photo.png", SIZE)
    picture(tmp_path / "wave.png", seed=50)
    rest = ("--model", tiny_folder, "--device", "cpu", "--tile", "64")
    made = run("stylize", "photo.png", "wave.png", "-o", "far.png", *rest, "--engine", "ray", cwd=tmp_path)
    assert (made.status, made.err) == (0, "far.png: written, 203x150\n")
    assert run("stylize", "photo.png", "wave.png", "-o", "near.png", *rest, cwd=tmp_path).status == 0
    assert_same(read(tmp_path / "far.png"), read(tmp_path / "near.png"))


def test_what_cannot_be(tmp_path: Path) -> None:
    picture(tmp_path / "photo.png")
    picture(tmp_path / "wave.png", seed=50)
    command = ("stylize", "photo.png", "wave.png", "--engine")
    assert "local or ray" in run(*command, "dask", cwd=tmp_path).refused()
    assert "--engine ray" in run(*command, "local", "--address", "127.0.0.1:1", cwd=tmp_path).refused()
    assert "no Ray cluster at nowhere" in run(*command, "ray", "--address", "nowhere", cwd=tmp_path).refused()


def test_without_ray_the_extra_is_named(tmp_path: Path) -> None:
    picture(tmp_path / "photo.png")
    code = "import sys; sys.modules['ray'] = None; from wct.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "stylize", "photo.png", "photo.png", "--engine", "ray"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, timeout=LIMIT, text=True)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "wct[distributed]" in done.stderr


@given(st.tuples(st.integers(1, 40), st.integers(1, 40)), st.integers(1, 50), st.data())
def test_blocks_make_the_field(size: tuple[int, int], side: int, data: st.DataObject) -> None:
    field = Held(2, torch.rand(1, 3, *size, generator=generator(1)))
    windows = list(tiles(size, side))
    blocks: dict[tuple[int, int], Any] = {
        (w.top, w.left): to_numbers(field.read(w)[0], np.dtype(np.float32)) for w in windows
    }
    top, left = (data.draw(st.integers(0, length - 1)) for length in size)
    window = Window(top, left, data.draw(st.integers(top + 1, size[0])), data.draw(st.integers(left + 1, size[1])))
    shared = Shared(2, size, windows[0].size, blocks, torch.device("cpu"))
    touched = {(w.top, w.left) for w in shared.touched(window)}
    few = Shared(2, size, windows[0].size, {corner: blocks[corner] for corner in touched}, torch.device("cpu"))
    assert torch.equal(few.read(window), field.read(window))


def _times(factor: float) -> Callable[[float], float]:
    return lambda x: factor * x


def test_parcels_hold_functions_tensors_and_names() -> None:
    x = torch.arange(6).view(2, 3)
    named = object()
    tensors = {"again": x, "long": torch.ones(2, dtype=torch.float64), "short": torch.ones(2, dtype=torch.bfloat16)}
    things = [_times(3.0), x, tensors, torch.device("cpu"), named]
    parcel = packed(things, lambda one: "it" if one is named else None)
    triple, again, table, device, name = opened(parcel, torch.device("meta"), lambda name: name + " is here")
    assert (triple(2.0), device, name) == (6.0, torch.device("meta"), "it is here")
    assert torch.equal(again, x) and all(torch.equal(table[name], one) for name, one in tensors.items())
    assert {name: one.dtype for name, one in table.items()} == {name: one.dtype for name, one in tensors.items()}
    assert len(parcel.arrays) == 3
    with pytest.raises(UsageError, match=r"a worker has wct .*, the driver 0\.0; install"):
        opened(Parcel("0.0", parcel.data, parcel.arrays))
