"""`wct doctor`: is everything here that the engine needs, and does it work?"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib import import_module, metadata
from typing import Any

import typer

from wct import __version__
from wct.cli.models import Named
from wct.cli.options import AsJson, Device
from wct.cli.terminal import note, show_json, show_table
from wct.errors import WctError
from wct.images.label import label, one_line

__all__ = ["doctor"]

PACKAGES = {
    "torch": "torch",
    "torchvision": "torchvision",
    "numpy": "numpy",
    "scipy": "scipy",
    "pillow": "PIL",
    "safetensors": "safetensors",
    "typer": "typer",
    "rich": "rich",
}
"""What is imported to see that it works, by the name it is installed under."""

RUN_SIZE = 64


def doctor(named: Named = None, device: Device = "auto", as_json: AsJson = False) -> None:
    """Check versions, devices, the models' weights and their sha256, and run every model once."""
    packages = [_package(name, module) for name, module in PACKAGES.items()]
    rows = list(_models(named or [], device))
    problems = [row["problem"] for row in (*packages, *rows) if "problem" in row]
    if not any(row["state"] == "works" for row in rows):
        problems.append("no model works; install wct again, or name a model folder")
    versions = {"wct": __version__, "python": platform.python_version()}
    versions |= {row["name"]: row["version"] for row in packages}
    report = {"versions": versions, "devices": _devices(), "models": rows, "problems": problems}
    if as_json:
        show_json(report)
    else:
        _show(report)
    for problem in problems:
        note(f"problem: {problem}")
    if problems:
        raise typer.Exit(1)


def _package(name: str, module: str) -> dict[str, str]:
    try:
        import_module(module)
        return {"name": name, "version": metadata.version(name)}
    except Exception as error:  # a broken installation raises anything
        problem = f"{name}: does not load ({one_line(error)}); install it again"
        return {"name": name, "version": "broken", "problem": problem}


def _devices() -> dict[str, str]:
    """{device: what it is} for every device there is."""
    import torch

    from wct.bench.ceilings import gain
    from wct.bench.clock import Clock
    from wct.devices import has_kernels

    faster = gain(torch.bfloat16, Clock(torch.device("cpu")))
    found = {"cpu": f"{platform.machine()}, {torch.get_num_threads()} threads; bfloat16 is {faster:.1f} times as fast"}
    for index in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(index)
        usable = "" if has_kernels(index) else ", not used: this torch has no kernels for it"
        found[f"cuda:{index}"] = f"{about.name}, {about.total_memory / 2**30:.0f} GiB{usable}"
    if torch.backends.mps.is_available():
        found["mps"] = "Apple GPU"
    return found


def _models(named: list[str], device: str) -> Iterator[dict[str, str]]:
    """Per model its name, its state ("works", "absent", "broken"), and what is to say about it."""
    from wct.models import find, names
    from wct.models.model import ENCODER

    for name in named or names():
        try:
            card = find(name)
            if ENCODER in card.missing():  # VGG-19's are for users to bring
                about = f"optional; wct models fetch puts its encoder's weights to {label(card.file(ENCODER))}"
                yield {"name": card.name, "state": "absent", "about": about}
            else:
                yield {"name": card.name, "state": "works", "about": _run(name, device)}
        except WctError as error:
            yield {"name": label(name), "state": "broken", "about": "see below", "problem": str(error)}


def _run(name: str, device: str) -> str:
    """Load a model, which checks its sha256, and stylise one small picture of noise; what was checked, in words."""
    import torch

    from wct.cli.engine import load

    generator = torch.Generator().manual_seed(0)
    content, painting = torch.rand((2, 3, RUN_SIZE, RUN_SIZE), generator=generator)
    stylizer = load(name, device)
    style = stylizer.style(painting)
    card = stylizer.model.card
    checked = "sha256 as promised" if all(card.sha256(part) for part in card.parts) else "sha256 not promised"
    if not card.spec.stages:
        return f"{checked}; encodes on {stylizer.model.device}"
    stylizer(content, style)
    return f"{checked}; stylises on {stylizer.model.device}"


def _show(report: dict[str, Any]) -> None:
    show_table("versions", ("package", "version"), report["versions"].items())
    show_table("devices", ("device", "what"), report["devices"].items())
    rows = [[row["name"], row["state"], row["about"]] for row in report["models"]]
    show_table("models", ("model", "state", "about"), rows)
