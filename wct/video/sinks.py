"""Where results go: a film, or numbered pictures. Both appear whole, at the end."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import torch

from wct.errors import OutputError, UsageError
from wct.files import check_file
from wct.images import check_output, read_comment
from wct.images.label import label, one_line
from wct.video.coding import CRF, Coding, Piece
from wct.video.film import Colours, Film
from wct.video.frame import Array, Clip, Frame
from wct.video.mux import mux
from wct.video.sequence import files_of, is_sequence, numbered
from wct.video.targets import container_of, is_pattern, numbered_name, target_of
from wct.video.work import Work

__all__ = ["FilmSink", "PictureSink", "Sink", "check_target", "sink_for"]

SRGB = Colours(primaries=1, transfer=13, matrix=1, range=1)
"""A film made of pictures."""

FRAME = ", a frame by wct video"
"""How the comments of all pictures end that may be removed where a new film has fewer."""


class Sink(Protocol):
    """Takes results in pieces, which are kept by a `Work`, and publishes them."""

    def add(self, frame: Frame, result: Array) -> None:
        """Append the result (H, W, 3) in 0..1 of a frame."""

    def close(self) -> bytes:
        """The piece of all that was added since the last one."""

    def publish(self) -> None:
        """Make the output from all pieces. Raises OutputError; an old output stays as it was."""


def check_target(
    output: str, source: str, overwrite: bool, *, inputs: Iterable[str] = (), keep_metadata: bool = False
) -> None:
    """Refuse an output that cannot work, before any time goes into it.

    Args:
        inputs: files beside the source that are never replaced or removed, whatever `overwrite` says.

    Raises:
        UsageError: the extension is unknown, it is "-", or it or the source is no film, whose metadata could be kept.
        OutputError: it exists, is an input or would replace one, or its folder is missing or cannot be written.
        InputError: the source is a sequence without pictures.
    """
    if output == "-":
        raise UsageError("-: a film cannot be written to standard output; name a file or a folder")
    target, files = target_of(output), files_of(source)
    kept: list[str | Path] = [*files, *inputs]
    if keep_metadata and (is_pattern(target) or is_sequence(source)):
        raise UsageError("--keep-metadata: found a sequence of pictures; needs a film made from a film: leave it out")
    if not is_pattern(target):
        container_of(output)
        check_file(target, overwrite=overwrite, inputs=kept)
        return
    folder = target.parent
    home = folder if folder.exists() else folder.parent
    check_output(home / numbered_name(target.name, 1), overwrite=True)
    old = numbered(target) if folder.exists() else []
    if is_sequence(source) and folder.exists() and os.path.samefile(files[0].parent, folder):
        raise OutputError(f"{label(output)}: is the folder of the input, which is never written to; choose another")
    known = {os.path.realpath(path): path for path in kept}
    for _, path in old:
        if (found := known.get(os.path.realpath(path))) is not None:
            raise OutputError(
                f"{label(path)}: is the input {label(found)}, which is never overwritten; choose another name"
            )
    if old and not overwrite:
        raise OutputError(f"{label(output)}: exists already; choose another name or allow overwriting")


def sink_for(
    output: str, clip: Clip, work: Work, *, crf: int | None, comment: str, overwrite: bool, keep_metadata: bool
) -> Sink:
    """The sink of an output that `check_target` let pass."""
    target = target_of(output)
    if is_pattern(target):
        return PictureSink(target, work, comment)
    return FilmSink(target, clip, work, crf=crf, comment=comment, overwrite=overwrite, keep_metadata=keep_metadata)


class FilmSink:
    """A film, with the audio, times and colours of the clip that it is made from."""

    def __init__(
        self,
        target: Path,
        clip: Clip,
        work: Work,
        *,
        crf: int | None,
        comment: str,
        overwrite: bool,
        keep_metadata: bool,
    ) -> None:
        self._target, self._clip, self._work = target, clip, work
        self._comment, self._overwrite, self._keep_metadata = comment, overwrite, keep_metadata
        self._container, self._encoder = container_of(str(target))
        self._crf = CRF[self._encoder] if crf is None else crf
        self._piece: Piece | None = None

    def add(self, frame: Frame, result: Array) -> None:
        if self._piece is None:
            self._piece = Piece(self._coding((result.shape[0], result.shape[1])))
        self._piece.add(result, frame.pts)

    def close(self) -> bytes:
        assert self._piece is not None
        done, self._piece = self._piece.close(), None
        return done

    def publish(self) -> None:
        film = self._clip if isinstance(self._clip, Film) else None
        mux(
            [self._work.piece(i) for i in range(self._work.pieces)],
            str(self._target),
            self._container,
            self._coding((1, 1)),
            audio=film.path if film is not None and film.audio and not film.is_stream else None,
            metadata={**(film.metadata if film and self._keep_metadata else {}), "comment": self._comment},
            overwrite=self._overwrite,
            keep_metadata=self._keep_metadata,
        )

    def _coding(self, size: tuple[int, int]) -> Coding:
        clip = self._clip
        colours, deep, aspect = SRGB, False, clip.rate / clip.rate
        if isinstance(clip, Film):
            colours, deep, aspect = clip.colours, clip.deep, clip.aspect
        if aspect != 1 and self._container == "webm":
            raise UsageError(
                f"{label(self._target)}: pixels of {clip.name} are {aspect} times as wide as high, which cannot be "
                "written to WebM; choose .mp4, .mov or .mkv"
            )
        return Coding(self._encoder, self._crf, size, clip.time_base, clip.rate, colours, deep, aspect)


class PictureSink:
    """Numbered pictures, kept in the work folder until all are there."""

    def __init__(self, pattern: Path, work: Work, comment: str) -> None:
        self._pattern, self._work, self._comment = pattern, work, comment + FRAME

    def add(self, frame: Frame, result: Array) -> None:
        rgb = torch.from_numpy(result).permute(2, 0, 1).contiguous()
        picture = replace(frame.picture, rgb=rgb)
        path = self._work.folder / numbered_name(self._pattern.name, frame.number)
        picture.save(path, overwrite=True, comment=self._comment)

    def close(self) -> bytes:
        return b"pictures"

    def publish(self) -> None:
        folder = self._pattern.parent
        try:
            folder.mkdir(exist_ok=True)
            made = {path.name for _, path in numbered(self._work.folder / self._pattern.name)}
            names = self._work.published(made)
            for name in names & made:
                os.replace(self._work.folder / name, folder / name)
            for _, path in numbered(self._pattern):
                if path.name not in names and (read_comment(path) or "").endswith(FRAME):
                    path.unlink()
        except OSError as error:
            raise OutputError(
                f"{label(folder)}: cannot be written ({one_line(error)}); make room and try again"
            ) from error
