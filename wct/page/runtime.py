"""onnxruntime-web, which runs ONNX in browsers: from the npm registry, or from its tarball at hand."""

from __future__ import annotations

import base64
import os
import tarfile
from pathlib import Path

from wct.download import Published, Tell, alone, download
from wct.errors import InputError
from wct.images.label import label, one_line
from wct.models.shelf import home

__all__ = ["RUNTIME", "VERSION", "load_runtime"]

VERSION = "1.30.0"
INTEGRITY = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""The sha512 that the registry publishes: `npm view onnxruntime-web@1.30.0 dist.integrity`."""
SIZE = 33_106_585

RUNTIME = (
    "ort.wasm.min.mjs",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
    # The build with WebGPU that knows float64 as well; the newer one, ort.webgpu.min.mjs, does not.
    "ort.min.mjs",
    "ort-wasm-simd-threaded.jsep.mjs",
    "ort-wasm-simd-threaded.jsep.wasm",
)
"""What the page needs of it: without WebGPU, and with it."""


def load_runtime(tell: Tell, file: Path | None = None, *, offline: bool = False) -> dict[str, bytes]:
    """The files of `RUNTIME` by name, from the tarball `file`, or one that is downloaded once and kept in `home()`.

    From the registry that npm is set to by `npm_config_registry`, else from npm's own. `tell` hears of megabytes.

    Raises InputError where the tarball is missing, another one or cannot be had, OutputError where it cannot be kept.
    """
    source = _source()
    if file is None:
        file = home() / "onnxruntime-web" / source.url.rpartition("/")[2]
        if not file.is_file():
            if offline:
                raise InputError(
                    f"onnxruntime-web: is not at {label(file)}; leave out --offline to download it, or {source.by_hand}"
                )
            _fetch(source, file, tell)
    if (found := source.found(file)) != source.digest:
        what = "no file" if found is None else f"sha512 {found[:16]}…"
        raise InputError(f"{label(file)}: found {what}, needs onnxruntime-web {VERSION} as published at {source.url}")
    return _unpacked(file)


def _source() -> Published:
    registry = os.environ.get("npm_config_registry") or "https://registry.npmjs.org"  # noqa: SIM112, npm's spelling
    url = f"{registry.rstrip('/')}/onnxruntime-web/-/onnxruntime-web-{VERSION}.tgz"
    return Published(url, base64.b64decode(INTEGRITY).hex(), SIZE, "name it with --runtime FILE")


def _fetch(source: Published, file: Path, tell: Tell) -> None:
    with alone(file):
        if not file.is_file():
            part = file.with_suffix(".part")
            download(source, part, tell)
            part.replace(file)


def _unpacked(file: Path) -> dict[str, bytes]:
    try:
        with tarfile.open(file) as archive:
            members = {name: archive.extractfile(f"package/dist/{name}") for name in RUNTIME}
            return {name: member.read() for name, member in members.items() if member is not None}
    except (OSError, tarfile.TarError, KeyError) as error:
        raise InputError(f"{label(file)}: cannot be unpacked ({one_line(error)}); download it anew") from error
