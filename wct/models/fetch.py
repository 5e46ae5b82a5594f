"""Weights that do not come with wct: downloaded once, or imported from a file, checked and put into `home()`."""

from __future__ import annotations

from pathlib import Path

from wct.download import Published, Tell, alone, download
from wct.errors import ModelError
from wct.images.label import label
from wct.models.model import ENCODER, Card, find, load_encoder
from wct.models.weights import save_tensors

__all__ = ["SOURCES", "fetch", "import_file"]

SOURCES = {
    "vgg19": Published(
        "https://storage.googleapis.com/tensorflow/keras-applications/vgg19/"
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
        80_134_624,
        "run `wct models import vgg19 FILE`",
    )
}
"""What Keras publishes (`keras.applications.vgg19`): the original weights without the classifier."""


def fetch(name: str, tell: Tell, *, offline: bool = False) -> Path:
    """The file with the encoder of the model `name`, downloaded, checked and converted where it is not in place.

    Any number of processes may ask at once: one downloads, the others wait. What a stopped one has received is
    gone on with. `tell` hears of megabytes: how many of how many.

    Raises ModelError where the model has nothing to fetch, or it is not in place and `offline`; InputError where the
    network fails or the file is another one; OutputError where it cannot be written.
    """
    card, source = find(name), _source(name)
    target = card.cached(ENCODER)
    if _in_place(card, target):
        return target
    if offline:
        raise ModelError(f"model {name!r}: its encoder is not at {label(target)}; leave out --offline to download it")
    with alone(target):
        if not _in_place(card, target):
            part = target.with_name(f"{source.digest}.part")
            download(source, part, tell)
            _install(card, part, target)
            part.unlink()
    return target


def import_file(name: str, file: Path) -> Path:
    """Put the encoder of the model `name` in place from a file that `load_encoder` reads; returns where it lies.

    Raises ModelError where the model has nothing to import or the file is not its encoder, OutputError where it
    cannot be written.
    """
    card = find(name)
    _source(name)
    target = card.cached(ENCODER)
    with alone(target):
        _install(card, file, target)
    return target


def _source(name: str) -> Published:
    if name not in SOURCES:
        raise ModelError(f"model {name!r}: has nothing to fetch or import; {', '.join(SOURCES)} has")
    return SOURCES[name]


def _in_place(card: Card, target: Path) -> bool:
    """Whether the encoder lies there and is right; one that is not is replaced."""
    try:
        return target.is_file() and bool(load_encoder(card.spec.encoder, target))
    except ModelError:
        return False


def _install(card: Card, file: Path, target: Path) -> None:
    encoder = load_encoder(card.spec.encoder, file)
    for stale in target.parent.glob(f".{target.name}.*"):  # of processes that were killed: nobody else is here
        stale.unlink(missing_ok=True)
    save_tensors(encoder.state_dict(), target)
