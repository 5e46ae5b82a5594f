"""The training loop: linear, resumable, and told on stderr and in a log."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from wct.errors import OutputError, TrainingError
from wct.files import appearing
from wct.images.label import one_line
from wct.training.pictures import PictureSet
from wct.training.processes import add_gradients, is_main, share, spread, total
from wct.training.recipe import Phase

__all__ = ["Loss", "Run", "autocast", "train"]

Loss = Callable[[Phase, Tensor, int], Mapping[str, Tensor]]
"""(phase, pictures (N, 3, S, S), step) to the weighted parts of the loss.

Of several processes each gets its `share` of a batch; their parts add up to those of the whole batch.
"""

SAVE_EVERY = 180.0
"""Seconds between two checkpoints."""
LOG_EVERY = 50
"""Steps between two rows of the log."""


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Convolutions in bfloat16 where the recipe says "bf16"; weights, losses and statistics stay in float32."""
    if precision not in ("bf16", "float32"):
        raise TrainingError(f"precision {precision!r} is unknown; choose bf16 or float32")
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")


@dataclass(frozen=True)
class Run:
    """A folder that holds a run's checkpoint and log."""

    folder: Path
    device: torch.device

    def has(self, name: str) -> bool:
        """True where there is a checkpoint `name`, whole or not."""
        return (self.folder / f"{name}.pt").exists()

    def load(self, name: str) -> dict[str, Any] | None:
        """The checkpoint `name`, or None where there is none yet; TrainingError where it is damaged."""
        path = self.folder / f"{name}.pt"
        if not self.has(name):
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:  # torch.load raises many kinds for damaged files
            raise TrainingError(
                f"{path}: is no whole checkpoint ({type(error).__name__}); remove it to start anew"
            ) from error
        return state

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Replace the checkpoint `name` whole or not at all; of several processes the main one does."""
        if not is_main():
            return
        path = self.folder / f"{name}.pt"
        try:
            with appearing(path, overwrite=True) as temporary:
                torch.save(state, temporary)
        except RuntimeError as error:  # what torch makes of a full disk
            raise OutputError(f"{path}: cannot be written ({one_line(error)}); make room, then --resume") from error

    def log(self, row: dict[str, Any]) -> None:
        """Add a row to the log; of several processes the main one does."""
        if not is_main():
            return
        path = self.folder / "log.jsonl"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as error:
            raise OutputError(f"{path}: cannot be written ({one_line(error)}); make room, then --resume") from error


def _bar() -> Progress:
    loss = TextColumn("{task.fields[loss]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), loss)
    return Progress(*columns, console=Console(stderr=True), disable=not (is_main() and sys.stderr.isatty()))


class _Trainer:
    """A module, its optimiser, how far it is, and what it told so far."""

    def __init__(self, run: Run, name: str, module: nn.Module) -> None:
        self.run, self.name, self.module = run, name, module
        self.weights = [p for p in module.parameters() if p.requires_grad]
        self.optimiser = torch.optim.Adam(self.weights, fused=True)
        self.means: dict[str, float] = {}
        self.done = 0
        state = run.load(name)
        if state is not None:
            module.load_state_dict(state["module"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.done = int(state["step"])
        spread(module)
        self.saved = time.monotonic()

    def save(self) -> None:
        state = {"module": self.module.state_dict(), "optimiser": self.optimiser.state_dict(), "step": self.done}
        self.run.save(self.name, state)
        self.saved = time.monotonic()

    def step(self, parts: Mapping[str, Tensor], rate: float, clip: float, files: list[str]) -> None:
        """One step down the sum of `parts`; TrainingError with the names of `files` where it is not finite."""
        own = torch.stack(list(parts.values()))
        whole = own.sum()
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        self.optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(whole)
        # A GPU still works at the gradient when this waits for the loss, and has the step before it while the next
        # one is prepared: numbers are asked for as late as they may be.
        self._check("the loss", whole, files)
        add_gradients(self.weights)
        norm = nn.utils.clip_grad_norm_(self.weights, clip)
        numbers = total(own).tolist()
        self._check("the gradient", norm, files)
        self.optimiser.step()
        self.done += 1
        for key, number in zip(parts, numbers, strict=True):
            self.means[key] = 0.98 * self.means.get(key, number) + 0.02 * number

    def _check(self, what: str, value: Tensor, files: list[str]) -> None:
        if not bool(torch.isfinite(value)):
            names = ", ".join(files)
            raise TrainingError(f"step {self.done}: {what} is not finite with {names}; lower the rate or remove them")

    def tell(self, unreadable: int) -> None:
        row = {"run": self.name, "step": self.done, "time": round(time.time()), "unreadable": unreadable}
        self.run.log(row | {key: round(value, 6) for key, value in self.means.items()})


def train(run: Run, name: str, module: nn.Module, phases: list[Phase], data: PictureSet, loss: Loss) -> None:
    """Minimise `loss` over the trainable weights of `module` through all phases, resuming checkpoint `name`.

    Pictures, learning rate and every random choice depend on the seed and the step alone: a resumed run repeats the
    uninterrupted one. Raises TrainingError with the batch's file names where the loss is not finite.
    """
    trainer = _Trainer(run, name, module)
    steps = [(phase, step) for phase in phases for step in range(phase.steps)]
    left = steps[trainer.done :]
    wanted = ((step, phase.batch, phase.size) for step, (phase, _) in enumerate(left, trainer.done))
    batches = data.batches(wanted, run.device)
    with _bar() as bar, closing(batches):
        task = bar.add_task(name, total=len(steps), completed=trainer.done, loss="")
        for (phase, of_phase), (pictures, files) in zip(left, batches, strict=True):
            mine = share(phase.batch)
            given = pictures[mine.start :: mine.step].to(run.device, non_blocking=True)
            parts = loss(phase, given, trainer.done)
            own = [files[i] for i in mine]
            trainer.step(parts, phase.rate_at(of_phase), phase.clip, own)
            bar.update(task, advance=1, loss=" ".join(f"{k} {v:.4f}" for k, v in trainer.means.items()))
            if trainer.done % LOG_EVERY == 0:
                trainer.tell(len(data.unreadable))
            if time.monotonic() - trainer.saved > SAVE_EVERY:
                trainer.save()
    trainer.save()
