"""A VGG-19 of few channels in the place of the original, published by a server of the test's own."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain
from pathlib import Path

import h5py
import tomli_w
import torch
from torch import Tensor

from wct.download import Published
from wct.models import fetch, model, vgg
from wct.models.spec import EncoderSpec

SPEC = EncoderSpec([[8, 8], [16, 16], [16] * 4, [32] * 4, [32]], [])
LAYERS = ["1_1", "1_2", "2_1", "2_2", *(f"3_{k}" for k in range(1, 5)), *(f"4_{k}" for k in range(1, 5)), "5_1"]
INDICES = dict(zip(LAYERS, (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28), strict=True))


def published(seed: int = 0) -> dict[str, Tensor]:
    """Random weights in torchvision's naming, for BGR in 0..255 minus the means."""
    generator = torch.Generator().manual_seed(seed)
    tensors, below = {}, 3
    for name, width in zip(LAYERS, chain(*SPEC.widths), strict=True):
        weight = torch.randn((width, below, 3, 3), generator=generator) * (2 / below / 9) ** 0.5
        tensors |= {f"features.{INDICES[name]}.weight": weight}
        tensors |= {f"features.{INDICES[name]}.bias": torch.randn(width, generator=generator)}
        below = width
    return tensors


def write_keras(path: Path, tensors: dict[str, Tensor], names: Callable[[str], tuple[str, str]] | None = None) -> Path:
    """Write the layout of Keras' file; `names` says what the kernel and bias of a layer are called."""
    with h5py.File(path, "w") as file:
        for name, index in INDICES.items():
            layer = f"block{name[0]}_conv{name[2]}"
            kernel, bias = names(layer) if names else (f"{layer}_W_1:0", f"{layer}_b_1:0")
            file[f"{layer}/{kernel}"] = tensors[f"features.{index}.weight"].permute(2, 3, 1, 0).numpy()
            file[f"{layer}/{bias}"] = tensors[f"features.{index}.bias"].numpy()
        file.create_group("block1_pool")
    return path


def source_at(url: str, md5: str, size: int) -> Published:
    """The original's source, but another file."""
    return dataclasses.replace(fetch.SOURCES["vgg19"], url=url, digest=md5, size=size)


def replace(set_attribute: Callable[[object, str, object], None], shelf: Path, source: Published) -> None:
    """Let this process take the narrow model for the original one, published at `source`."""
    (shelf / "vgg19").mkdir(parents=True, exist_ok=True)
    card = {"name": "vgg19", "encoder": {"widths": SPEC.widths, "ranks": SPEC.ranks}}
    (shelf / "vgg19" / "model.toml").write_text(tomli_w.dumps(card))
    tensors = vgg.from_torchvision_names(published(), "narrow")
    set_attribute(model, "shelf", lambda: shelf)
    set_attribute(model, "VGG19", SPEC)
    set_attribute(vgg, "TRAITS", {name: vgg.traits(tensor) for name, tensor in tensors.items()})
    set_attribute(fetch, "SOURCES", {"vgg19": source})


@dataclass
class Server:
    """Serves `data` and remembers what was asked; a request takes its manner from `manners`, the last one stays."""

    data: bytes
    manners: list[str] = field(default_factory=lambda: ["well"])
    ranges: list[str | None] = field(default_factory=list)
    halfway: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    def source(self) -> Published:
        return source_at(self.url, hashlib.md5(self.data).hexdigest(), len(self.data))

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        manner = self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]
        asked = request.headers["Range"]
        self.ranges.append(asked)
        page = b"<!DOCTYPE html><title>Log in</title>" if manner == "page" else self.data
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and manner != "whole" else 0
        body = {"other": b"\0" * len(page)}.get(manner, page)[start:]
        if manner == "missing" or (start and not body):
            request.send_error(404 if manner == "missing" else 416)
            return
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if manner in ("cut", "wait"):
            request.wfile.write(body[: len(body) // 2])
            request.wfile.flush()
            self.halfway.set()
            if manner == "cut" or not self.go_on.wait(60):
                return
            body = body[len(body) // 2 :]
        request.wfile.write(body)

    @contextmanager
    def running(self) -> Iterator[Server]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                with suppress(ConnectionError):  # where the client was killed
                    self.answer(handler)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}/vgg19.h5"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield self
        finally:
            self.go_on.set()
            server.shutdown()
            thread.join()
            server.server_close()


def main() -> int:
    """`wct` as a process of its own that takes the narrow model for the original one."""
    from wct.cli import main

    shelf, url, md5, size, *arguments = sys.argv[1:]
    replace(setattr, Path(shelf), source_at(url, md5, int(size)))
    return main(arguments)


if __name__ == "__main__":
    sys.exit(main())
