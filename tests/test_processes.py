"""Training by several processes: what one process does, shared among real ones that meet by gloo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import tomli_w
import torch
from shell import LIMIT, Call, Result, environment, picture
from tiny import TINY, write_tiny
from torch import Tensor, multiprocessing

from wct.errors import TrainingError
from wct.models.decoder import Decoder
from wct.models.encoder import Encoder
from wct.models.spec import LEVELS, parse_spec
from wct.training.decoders import EndToEnd, blockwise, needed
from wct.training.looks import Looks
from wct.training.processes import add_gradients, is_main, joined, share
from wct.training.recipe import Phase

SPEC = parse_spec("tiny", TINY["encoder"], TINY["stages"], "test")
PHASES = {
    "blockwise": Phase(1, 5, 32, 1e-3, stages=1.0),
    "end to end": Phase(1, 7, 32, 1e-3, entries=(1, 2, 1, 2, 1), stages=1.0, pixels=1.0, features=1.0),
    "into the encoder": Phase(1, 6, 32, 1e-3, entries=(1, 1, 1, 1, 2), through=(2, 4, 5), stages=1.0, pixels=1.0),
    "stylised": Phase(1, 9, 32, 1e-3, entries=(0, 3, 3, 0, 3), pixels=1.0, features=0.5, stylised=0.7),
    "looks": Phase(1, 8, 32, 1e-3, entries=(1, 1, 1, 1, 1), pixels=1.0, looks=3, style=1.0, content=1.0),
}
RATE = 1e-6
"""So small that rounding does not grow from step to step."""


def gradient(phase: Phase) -> tuple[Tensor, Tensor]:
    """Of a phase's loss, and the loss, as the processes that are there find it together."""
    torch.manual_seed(0)
    encoder, decoder = Encoder(SPEC.encoder).double(), Decoder(SPEC).double()
    pictures, mine = torch.rand(phase.batch, 3, 32, 32, dtype=torch.float64), share(phase.batch)
    own = pictures[mine.start :: mine.step]
    features = encoder(own, LEVELS, counts=needed(phase, mine) if phase.entries else None)
    if phase.entries:
        parts = EndToEnd(encoder, decoder, 1)(phase, features, own, 0)
        if phase.looks:
            parts |= Looks(encoder, decoder, Encoder(SPEC.encoder).double().requires_grad_(False))(phase, own)
    else:
        parts = blockwise(decoder, features, own)
    loss = torch.stack(list(parts.values())).sum()
    loss.backward()
    weights = [*encoder.parameters(), *decoder.parameters()]
    add_gradients(weights)
    return torch.cat([(torch.zeros_like(x) if x.grad is None else x.grad).flatten() for x in weights]), loss.detach()


def one_of(rank: int, count: int, port: int, out: str) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(rank), WORLD_SIZE=str(count), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with joined():
        found = {name: gradient(phase) for name, phase in PHASES.items()}
        losses = {name: loss for name, (_, loss) in found.items()}
        torch.save(losses, f"{out}.{rank}")
        if is_main():
            torch.save({name: whole for name, (whole, _) in found.items()}, out)
        with pytest.raises(TrainingError, match=f"a batch of {count - 1} cannot be shared by {count} processes"):
            share(count - 1)
        weight = torch.zeros(3, requires_grad=True)
        weight.grad = torch.ones(3)
        torch.optim.Adam([weight], fused=True).step()
    # A thread of the group that is left when Python ends can abort the process.
    assert not [name for name in threads() if "gloo" in name]


def threads() -> list[str]:
    """The names of this process's threads."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(OSError):  # that has just ended
            found.append((task / "comm").read_text().strip())
    return found


def test_the_gradients_of_two_processes_are_those_of_one(tmp_path: Path) -> None:
    count = 2  # of which one has no picture of some levels
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    out = tmp_path / "gradients"
    multiprocessing.spawn(one_of, (count, port, str(out)), count)
    together = torch.load(out, weights_only=True)
    losses = [torch.load(f"{out}.{rank}", weights_only=True) for rank in range(count)]
    for name, phase in PHASES.items():
        alone, loss = gradient(phase)
        assert alone.norm() > 1e-3
        # Squared errors and variances are formed in float32.
        torch.testing.assert_close(together[name], alone, rtol=1e-3, atol=1e-5 * float(alone.abs().max()), msg=name)
        assert float(sum(own[name] for own in losses)) == pytest.approx(float(loss), rel=1e-5), name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, a recipe with phases of all kinds, and a small teacher."""
    (tmp_path / "photos").mkdir()
    for seed in range(8):
        picture(tmp_path / "photos" / f"{seed}.png", (64, 64), seed=seed)
    widths = [[16] * 2, [16] * 2, [24] * 4, [24] * 4, [24]]
    write_tiny(tmp_path / "eye", encoder={"widths": widths, "ranks": []}, stages={})
    phase = {"batch": 5, "size": 32, "rate": RATE, "warmup": 1}
    train = {
        "start": 8,
        "start_size": 48,
        "encoder": [phase | {"steps": 2, "distil": 1.0}],
        "decoder": [
            phase | {"steps": 2, "distil": 1.0, "stages": 1.0},
            phase | {"steps": 2, "entries": [1, 1, 1, 0, 2], "pixels": 1.0, "stages": 1.0, "stylised": 0.5},
            phase | {"steps": 2, "entries": [1, 1, 0, 0, 1], "pixels": 1.0, "looks": 2, "style": 1.0},
        ],
    }
    (tmp_path / "recipe.toml").write_text(tomli_w.dumps(TINY | {"train": train}))
    return tmp_path


def start(count: int, verb: str, *more: str, cwd: Path) -> subprocess.Popen[bytes]:
    """`wct train`, started by torchrun where there are to be several processes."""
    several = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m", "--"] if count > 1 else []
    tail = ["--data", "photos", "--run", f"run{count}", "--vgg", "eye", "--device", "cpu", *more]
    command = [sys.executable, "-m", *several, "wct", "train", verb, *tail]
    return subprocess.Popen(command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[bytes]) -> Result:
    out, err = process.communicate(timeout=LIMIT)
    return Result(process.returncode, out, err.decode())


def errors(found: Result) -> list[str]:
    return [line for line in found.err.splitlines() if line.startswith("error: ")]


def remembered(file: Path) -> Tensor:
    """What Adam remembers of the gradients; its steps have the rate's size, whichever way one near 0 is rounded."""
    found = torch.load(file, weights_only=True)["optimiser"]["state"].values()
    return torch.cat([moments["exp_avg"].flatten() for moments in found])


def test_two_processes_train_as_one(folder: Path, call: Call) -> None:
    for verb, name, more in (("encoder", "encoder.pt", ()), ("decoders", "decoder.pt", ("--export", "mine"))):
        assert ended(start(1, verb, "recipe.toml", cwd=folder)).status == 0
        found = ended(start(2, verb, "recipe.toml", *more, cwd=folder))
        assert found.status == 0, found
        assert found.err.count("checkpoints in run2") == 1
        alone, both = (remembered(folder / f"run{count}" / name) for count in (1, 2))
        assert float((alone - both).norm() / alone.norm()) < 0.01
        # The closed-form start of the decoders, from so few pixels, makes much of the smallest difference.
        (folder / "run2" / name).write_bytes((folder / "run1" / name).read_bytes())
    assert found.err.count("mine: written") == 1
    assert call("stylize", "photos/0.png", "photos/1.png", "-o", "out.png", "--model", "mine").status == 0


def test_what_is_wrong_for_all_is_said_by_one(folder: Path) -> None:
    phase = {"steps": 2, "batch": 1, "size": 32, "rate": RATE, "distil": 1.0}
    text = tomli_w.dumps(TINY | {"train": {"encoder": [phase], "decoder": [phase]}})
    (folder / "small.toml").write_text(text)
    found = ended(start(2, "encoder", "small.toml", cwd=folder))
    assert found.status != 0
    assert len(errors(found)) == 1 and "a batch of 1 cannot be shared by 2 processes" in errors(found)[0], found


def test_a_killed_process_ends_the_others_and_training_can_go_on(folder: Path) -> None:
    (folder / "long.toml").write_text((folder / "recipe.toml").read_text().replace("steps = 2", "steps = 3000"))
    process = start(2, "encoder", "long.toml", cwd=folder)
    log, deadline = folder / "run2" / "log.jsonl", time.monotonic() + LIMIT
    while not log.exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[1]), signal.SIGKILL)
    found = ended(process)
    assert found.status != 0
    assert len(errors(found)) == 1, found
    assert "another process of the training stopped" in errors(found)[0] or "terminated" in errors(found)[0]
