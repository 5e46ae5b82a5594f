"""The training loop: linear, resumable, and told on stderr and in a log."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from wct.errors import TrainingError
from wct.training.pictures import PictureSet
from wct.training.recipe import Phase

__all__ = ["Loss", "Run", "autocast", "train"]

Loss = Callable[[Phase, Tensor, int], Mapping[str, Tensor]]
"""(phase, pictures (N, 3, S, S), step) to the weighted parts of the loss."""

SAVE_EVERY = 180.0
"""Seconds between two checkpoints."""


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

    def load(self, name: str) -> dict[str, Any] | None:
        """The checkpoint `name`, or None where there is none yet; TrainingError where it is damaged."""
        path = self.folder / f"{name}.pt"
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        except Exception as error:  # torch.load raises many kinds for damaged files
            raise TrainingError(f"{path}: is no whole checkpoint ({type(error).__name__}); remove it to start anew") from error
        return state

    def save(self, name: str, state: dict[str, Any]) -> None:
        """Replace the checkpoint `name` whole or not at all."""
        temporary = self.folder / f".{name}.pt.part"
        torch.save(state, temporary)
        os.replace(temporary, self.folder / f"{name}.pt")

    def log(self, row: dict[str, Any]) -> None:
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"), console=Console(stderr=True))


def train(run: Run, name: str, module: nn.Module, phases: list[Phase], data: PictureSet, loss: Loss) -> None:
    """Minimise `loss` over the trainable weights of `module` through all phases, resuming checkpoint `name`.

    Pictures, learning rate and every random choice depend on the seed and the step alone: a resumed run repeats the
    uninterrupted one. Raises TrainingError with the batch's file names where the loss is not finite.
    """
    weights = [p for p in module.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(weights, fused=True)
    state = run.load(name)
    start = 0
    if state is not None:
        module.load_state_dict(state["module"])
        optimiser.load_state_dict(state["optimiser"])
        start = int(state["step"])

    def save(step: int) -> None:
        run.save(name, {"module": module.state_dict(), "optimiser": optimiser.state_dict(), "step": step})

    total = sum(phase.steps for phase in phases)
    saved, means, first = time.monotonic(), {}, 0
    with _bar() as bar:
        task = bar.add_task(name, total=total, completed=start, loss="")
        for phase in phases:
            for step in range(max(start, first), first + phase.steps):
                for group in optimiser.param_groups:
                    group["lr"] = phase.rate_at(step - first)
                pictures, files = data.batch(step, phase.batch, phase.size)
                parts = loss(phase, pictures.to(run.device), step)
                whole = torch.stack(list(parts.values())).sum()
                if not bool(torch.isfinite(whole)):
                    raise TrainingError(f"step {step}: the loss is not finite, with {', '.join(files)}; lower the rate or remove them")
                optimiser.zero_grad(set_to_none=True)
                whole.backward()
                norm = nn.utils.clip_grad_norm_(weights, phase.clip)
                if bool(torch.isfinite(norm)):
                    optimiser.step()
                for key, value in parts.items():
                    number = float(value.detach())
                    means[key] = 0.98 * means.get(key, number) + 0.02 * number
                bar.update(task, advance=1, loss=" ".join(f"{k} {v:.4f}" for k, v in means.items()))
                if (step + 1) % 50 == 0:
                    row = {"run": name, "step": step + 1, "seconds": round(time.time()), "unreadable": len(data.unreadable)}
                    run.log(row | {k: round(v, 6) for k, v in means.items()} | {"norm": float(norm)})
                if time.monotonic() - saved > SAVE_EVERY:
                    save(step + 1)
                    saved = time.monotonic()
            first += phase.steps
    if start < total:
        save(total)
