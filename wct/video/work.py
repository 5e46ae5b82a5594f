"""Work in progress: a folder beside the output that holds what is finished, so that a stopped run can go on."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from wct.errors import OutputError
from wct.files import LOCK, claim, let_go_on_windows, write_file
from wct.images.label import label, one_line
from wct.video.frame import Array

__all__ = ["Work"]

SETTINGS, SHOTS, NAMES = "settings", "shots.json", "names.json"


class Work:
    """The folder of one job. Every file in it is whole; a piece counts as finished once its file is there.

    It is this run's alone until the end of a `with`.

    Attributes:
        folder: hidden, beside the output.
        pieces: how many pieces an earlier run with the same settings has finished.

    Args:
        output: the film, pattern or folder that will be made.
        settings: all that decides what it will be. What was begun with others is thrown away.

    Raises:
        OutputError: the folder cannot be written, or another run works in it.
    """

    def __init__(self, output: Path, settings: Mapping[str, Any]) -> None:
        self.folder = output.with_name(f".{output.name}.wct")
        key = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = claim(self.folder)
            if not self._is_of(key):
                for path in self.folder.iterdir():
                    if path.name != LOCK:
                        path.unlink()
                write_file(key.encode(), self.folder / SETTINGS)
        except BlockingIOError as error:
            raise OutputError(f"{label(output)}: another run is making it; wait for that, or choose another") from error
        except OSError as error:
            raise OutputError(
                f"{label(output)}: cannot be written beside ({one_line(error)}); choose another"
            ) from error
        self.pieces = 0
        while self.piece(self.pieces).exists():
            self.pieces += 1

    def __enter__(self) -> Work:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def piece(self, number: int) -> Path:
        """Where a piece is kept."""
        return self.folder / f"{number:06}.piece"

    def seal(self, data: bytes, last: tuple[Array, Array]) -> None:
        """Keep the next piece, and the last frame and result that the piece after it will need."""
        # State first: once the piece is there, the next run goes on after it.
        buffer = io.BytesIO()
        np.savez(buffer, *last)
        write_file(buffer.getvalue(), self._state(self.pieces + 1), overwrite=True)
        write_file(data, self.piece(self.pieces), overwrite=True)
        if self.pieces > 0:
            self._state(self.pieces).unlink()
        self.pieces += 1

    def last(self) -> tuple[Array, Array] | None:
        """The last frame and result of the finished pieces."""
        if self.pieces == 0:
            return None
        with np.load(self._state(self.pieces)) as stored:
            return stored["arr_0"], stored["arr_1"]

    def keep_shots(self, starts: list[int], count: int) -> None:
        """Keep where the shots start, and how many frames there are."""
        write_file(json.dumps([starts, count]).encode(), self.folder / SHOTS, overwrite=True)

    def shots(self) -> tuple[list[int], int] | None:
        """What `keep_shots` kept."""
        path = self.folder / SHOTS
        if not path.exists():
            return None
        starts, count = json.loads(path.read_bytes())
        return starts, count

    def published(self, names: set[str]) -> set[str]:
        """The names that were told here first: all of them, also where a run was stopped while it published them."""
        path = self.folder / NAMES
        if not path.exists():
            write_file(json.dumps(sorted(names)).encode(), path)
        return set(json.loads(path.read_bytes()))

    def remove(self) -> None:
        """Leave nothing behind."""
        let_go_on_windows(self._lock)
        shutil.rmtree(self.folder)

    def _is_of(self, key: str) -> bool:
        path = self.folder / SETTINGS
        return path.is_file() and path.read_bytes() == key.encode()

    def _state(self, pieces: int) -> Path:
        return self.folder / f"{pieces:06}.state"
