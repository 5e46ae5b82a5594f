"""Memory: the peak of a fresh process that stylises one picture.

python -m wct.bench.memory '{"model": "compact", "encoder": null, "device": "cpu", "precision": "float32", …}'
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from wct.errors import WctError

__all__ = ["Task", "peak"]

# A process counts the memory of the one that started it as its own peak: what is measured starts from a small one.
LAUNCHER = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))"


@dataclass(frozen=True)
class Task:
    """What the process shall do.

    Attributes:
        model: name or folder; None for the original algorithm with random weights.
        encoder: file of the encoder's weights, or None.
        device: where to compute.
        precision: in which the model's networks compute.
        threads: of torch.
        folder: of `wct.bench.work.Files`; the style is taken from its file, by the original algorithm from its picture.
    """

    model: str | None
    encoder: str | None
    device: str
    precision: str
    threads: int
    folder: str


def peak(task: Task) -> dict[str, float]:
    """Peak resident memory in MB (10^6 bytes): of importing torch, and above that; on CUDA of the device's besides.

    Raises WctError with the last line of what the process said where it fails.
    """
    command = [sys.executable, "-c", LAUNCHER, sys.executable, "-m", __name__, json.dumps(asdict(task))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise WctError(f"the process whose memory is measured failed: {said}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _resident() -> float:
    """Peak resident memory of this process so far, in MB."""
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset / 1e6)
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _do(task: Task) -> None:
    """Load what the task needs and stylise once."""
    from pathlib import Path

    import torch

    from wct.bench.reference import Reference
    from wct.bench.work import Files, reference_run
    from wct.models import Model
    from wct.stylizer import Stylizer

    device, files = torch.device(task.device), Files(Path(task.folder))
    torch.set_num_threads(task.threads)
    if task.model is None:
        reference_run(Reference().to(device), files, device)()
    else:
        model = Model.load(task.model, device=device, encoder=task.encoder, precision=task.precision)
        stylizer = Stylizer(model)
        stylizer(files.content, files.saved).save(files.result, overwrite=True)


def _main() -> None:
    import torch

    task = Task(**json.loads(sys.argv[1]))
    alone = _resident()
    _do(task)
    found = {"import_torch_mb": round(alone, 1), "above_mb": round(_resident() - alone, 1)}
    if task.device.startswith("cuda"):
        found["device_mb"] = round(torch.cuda.max_memory_allocated(task.device) / 1e6, 1)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    _main()
