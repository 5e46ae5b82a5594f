"""`wct train`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wct.cli.options import Device, EncoderFile, ModelName, Overwrite, VggFile
from wct.cli.terminal import note
from wct.errors import OutputError, TrainingError, UsageError
from wct.images.label import one_line

if TYPE_CHECKING:
    from wct.models.encoder import Encoder
    from wct.training.loop import Run
    from wct.training.pictures import PictureSet
    from wct.training.recipe import Recipe

__all__ = ["train"]

train = typer.Typer(name="train", help="Train a model from a recipe: its encoder, then its decoders.")

RecipeFile = Annotated[Path, typer.Argument(metavar="RECIPE", help="A toml file, as decoders/recipes/compact.toml.")]
Data = Annotated[
    list[Path], typer.Option(metavar="PATH", help="A folder of pictures or a tar file of them; may be given again.")
]
RunFolder = Annotated[Path, typer.Option("--run", metavar="FOLDER", help="Where checkpoints and the log are kept.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the run's last checkpoint.")]
EncoderWeights = Annotated[
    Path | None, typer.Option("--encoder", metavar="FILE", help="Encoder weights to use instead of the run's own.")
]
Start = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Start from this model's decoders and encoder (or --encoder), to train on."),
]
NetStart = Annotated[
    Path | None, typer.Option("--start", metavar="FOLDER", help="The network to teach a style, given by --add.")
]
Add = Annotated[
    Path | None, typer.Option(metavar="STYLE", help="Teach --start this picture's style, by scales and shifts alone.")
]
Export = Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write the model folder when training is done.")]
ModelFolder = Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="The model folder to write.")]


@train.command()
def encoder(
    recipe: RecipeFile, data: Data, run: RunFolder, vgg: VggFile = None, resume: Resume = False, device: Device = "auto"
) -> None:
    """Distil VGG-19 into the recipe's narrower encoder."""
    from wct.cli.engine import load_vgg
    from wct.training.encoder import train_encoder
    from wct.training.processes import joined

    with joined():
        plan, pictures, place = _prepare(recipe, data, run, "encoder", resume, device)
        eye = load_vgg(vgg, str(place.device))
        with _running(pictures, place):
            train_encoder(plan, eye.encoder, pictures, place)


@train.command()
def decoders(
    recipe: RecipeFile,
    data: Data,
    run: RunFolder,
    vgg: VggFile = None,
    encoder: EncoderWeights = None,
    start: Start = None,
    resume: Resume = False,
    device: Device = "auto",
    export: Export = None,
    overwrite: Overwrite = False,
) -> None:
    """Train the recipe's decoders for the encoder of the same run."""
    from wct.cli.engine import load_vgg
    from wct.training.decoders import train_decoders
    from wct.training.encoder import load_teacher
    from wct.training.processes import is_main, joined
    from wct.training.start import started

    if export is not None:
        _check_export(export, overwrite)
    with joined():
        plan, pictures, place = _prepare(recipe, data, run, "decoder", resume, device)
        if not plan.spec.stages:
            raise TrainingError(f"{recipe}: has no [stages], so there are no decoders to train; add them to the recipe")
        if start is not None:
            body, chain = started(plan, pictures, place, start, encoder)
        else:
            body, chain = _encoder(plan, place, encoder), None
        # Only where the encoder goes on learning does it need its teacher.
        learns = any(phase.distil for phase in plan.decoder)
        judged = any(phase.looks for phase in plan.decoder)
        eye = load_vgg(vgg, str(place.device)).encoder if learns or judged else None
        with _running(pictures, place):
            teacher = load_teacher(plan, eye, place, pictures) if eye and learns else None
            train_decoders(plan, body, teacher, pictures, place, chain, eye)
        if export is not None and is_main():
            _write(plan, place, export)


@train.command()
def feedforward(
    recipe: RecipeFile,
    data: Data,
    run: RunFolder,
    model: ModelName = "compact",
    encoder: EncoderFile = None,
    start: NetStart = None,
    add: Add = None,
    resume: Resume = False,
    device: Device = "auto",
    export: Export = None,
    overwrite: Overwrite = False,
) -> None:
    """Train a feed-forward network for one style or several; or teach one, by --start and --add, a style more."""
    from wct.cli.engine import load
    from wct.methods.stylenet import CARD, StyleNet
    from wct.methods.training import NetRecipe, train_net
    from wct.training.processes import is_main, joined

    if (start is None) != (add is None):
        raise UsageError("--start and --add: found one of them; a style is added to a network, so both are needed")
    if export is not None and (export / CARD).exists() and not overwrite:
        raise OutputError(f"{export}: holds a network already; choose another folder or allow --overwrite")
    with joined():
        plan, net = NetRecipe.read(recipe), None
        if start is not None and add is not None:
            net = StyleNet.load(start)
            net = net.with_style(add.stem)
            plan = plan.adding(net.spec, add)
        pictures, place = _begun(data, plan.seed, run, "net", resume, device)
        eye = load(model, str(place.device), encoder).model
        with _running(pictures, place):
            made = train_net(plan, eye, pictures, place, net)
        if export is not None and is_main():
            made.save(export, plan.about)
            note(f"{export}: written")


@train.command()
def export(recipe: RecipeFile, run: RunFolder, output: ModelFolder, overwrite: Overwrite = False) -> None:
    """Write the model folder of a run's last checkpoint."""
    _check_export(output, overwrite)
    _write(_read(recipe), _run(run, "cpu"), output)


def _read(recipe: Path) -> Recipe:
    from wct.training.recipe import Recipe

    return Recipe.read(recipe)


def _run(folder: Path, device: str) -> Run:
    from wct.training.loop import Run
    from wct.training.processes import own_device

    return Run(folder, own_device(device))


def _prepare(
    recipe: Path, data: list[Path], folder: Path, name: str, resume: bool, device: str
) -> tuple[Recipe, PictureSet, Run]:
    """What a training needs; TrainingError where --resume and what the run's folder holds do not fit together."""
    plan = _read(recipe)
    return plan, *_begun(data, plan.seed, folder, name, resume, device)


def _begun(data: list[Path], seed: int, folder: Path, name: str, resume: bool, device: str) -> tuple[PictureSet, Run]:
    """As `_prepare`, for any recipe."""
    from wct.training.pictures import PictureSet

    run = _run(folder, device)
    begun = run.has(name)
    if begun and not resume:
        raise TrainingError(f"{folder}: holds a checkpoint of the {name}; go on with --resume or name another --run")
    if resume and not begun:
        raise TrainingError(f"{folder}: holds no checkpoint of the {name} to resume; leave --resume out to start")
    return PictureSet(data, seed), run


@contextmanager
def _running(pictures: PictureSet, run: Run) -> Iterator[None]:
    """Make the run's folder, say what training is on, and at the end what was skipped or how to go on."""
    from wct.files import claim, remove_stale
    from wct.heap import TRAINING, keep
    from wct.training.processes import is_main

    keep(TRAINING)
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        claimed = claim(run.folder) if is_main() else nullcontext()
    except BlockingIOError as error:
        raise OutputError(
            f"{run.folder}: another training works in it; wait for that, or name another --run"
        ) from error
    except OSError as error:
        raise OutputError(f"{run.folder}: cannot be made ({one_line(error)}); name another --run") from error
    try:
        with claimed:
            if is_main():
                remove_stale(run.folder)
                note(f"{len(pictures)} pictures, on {run.device}, checkpoints in {run.folder}")
            yield
    except KeyboardInterrupt as stop:
        raise type(stop)(f"--resume goes on from the last checkpoint in {run.folder}") from stop
    if pictures.unreadable and is_main():
        note(f"warning: {len(pictures.unreadable)} pictures were unreadable and skipped")


def _encoder(plan: Recipe, run: Run, file: Path | None) -> Encoder:
    """The encoder to train decoders for: from `file`, else the one that the run has trained."""
    from wct.devices import placed
    from wct.models.encoder import Encoder
    from wct.models.model import load_encoder
    from wct.models.weights import fill

    if file is not None:
        found = load_encoder(plan.spec.encoder, file)
    else:
        state = run.load("encoder")
        if state is None:
            raise TrainingError(f"{run.folder}: holds no encoder; run wct train encoder first, or give --encoder")
        found = Encoder(plan.spec.encoder)
        fill(found, state["module"], f"{run.folder} and the recipe")
    return placed(found, run.device)


def _check_export(folder: Path, overwrite: bool) -> None:
    if (folder / "model.toml").exists() and not overwrite:
        raise OutputError(f"{folder}: holds a model already; choose another folder or allow --overwrite")


def _write(plan: Recipe, run: Run, folder: Path) -> None:
    """Write the model of the run's decoder checkpoint, which holds the encoder it was trained with."""
    from wct.training.export import export_run

    export_run(plan, run, folder)
    note(f"{folder}: written")
