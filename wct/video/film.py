"""Films: what PyAV can open, as upright pictures with their times."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from wct.errors import InputError
from wct.images import DEFAULT_MAX_PIXELS, Picture
from wct.images.array import check_size, to_rgb
from wct.images.label import label
from wct.video.frame import Frame
from wct.video.libraries import av, cause

if TYPE_CHECKING:
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

__all__ = ["Colours", "Film"]

UNKNOWN, MATRIX_RGB, BT709 = 2, 0, 1

TRIES = 20
"""Damaged places after which the rest of a film is given up."""

LONGEST = 60
"""Seconds in one unit of a film's times, above which they are damage: no container could hold them again."""


@dataclass(frozen=True)
class Colours:
    """What the numbers of a film's pixels mean, by the codes of ITU-T H.273 (range: 1 limited, 2 full)."""

    primaries: int = UNKNOWN
    transfer: int = UNKNOWN
    matrix: int = UNKNOWN
    range: int = 0


class Film:
    """A film, device or stream; see `wct.video.frame.Clip`.

    Attributes:
        path: where it is.
        colours: its tags; like `deep` and `aspect`, of a stream known with its first frame.
        deep: True for more than 8 bits per channel.
        aspect: width of a pixel over its height, upright.
        metadata: its title and the like.
        audio: the codecs of its audio streams.

    Raises:
        InputError: it is missing, empty, damaged, no film, or has no video or no pictures that can be decoded.
    """

    def __init__(self, path: str, size: int | None = None) -> None:
        self.path, self.name, self._size = path, label(path), size
        container = self._open()
        try:
            if container.format.name == "tty":  # what libavformat makes of any text
                raise InputError(f"{self.name}: is a text file; name a film")
            stream = _video(container, self.name)
            self.time_base = stream.time_base or Fraction(1, 1000)
            if self.time_base > LONGEST:
                found = f"{float(self.time_base):.0f} s between two frames"
                raise InputError(f"{self.name}: found {found}; needs {LONGEST} s or less: repair or convert it")
            self.rate = stream.average_rate or stream.guessed_rate or Fraction(25)
            self.count = stream.frames or round(_length(container, stream) * self.rate) or None
            self._aspect = stream.sample_aspect_ratio or Fraction(1)
            self.metadata = dict(container.metadata)
            self.audio = [one.codec_context.name for one in container.streams.audio]
        except InputError:
            container.close()
            raise
        self.colours, self.deep, self.aspect = Colours(), False, Fraction(1)
        self._container: InputContainer | None = container
        if not self.is_stream:
            first = next(self._decoded(), None)
            if first is None:
                raise InputError(f"{self.name}: no frame can be decoded; it is cut short or damaged, fetch it again")
            self._look_at(first)

    @property
    def is_stream(self) -> bool:
        """True where it can be read once only."""
        return not os.path.isfile(self.path)

    def frames(self) -> Iterator[Frame]:
        """All frames. Those that cannot be decoded are `broken`.

        Raises:
            InputError: the film cannot be opened any more, or nothing of it can be decoded.
        """
        last: Picture | None = None
        pts, number, early = -1, 0, list[int]()
        for found, decoded in self._all():
            picture = None if decoded is None else self._picture(decoded)
            if decoded is not None and last is None:
                self._look_at(decoded)
            if picture is not None and last is not None and picture.size != last.size:
                picture = None
            time = found if found is not None else pts + round(1 / (self.rate * self.time_base))
            if picture is None and last is None:
                early.append(time)
                continue
            last = picture or last
            assert last is not None
            for when, broken in (*((one, True) for one in early), (time, picture is None)):
                # Times that do not increase cannot be stored.
                pts, number = max(when, pts + 1) if number else when, number + 1
                yield Frame(last, pts, number, broken)
            early = []

    def _open(self) -> InputContainer:
        try:
            if self.path != "-" and os.path.isfile(self.path) and os.path.getsize(self.path) == 0:
                raise InputError(f"{self.name}: is empty (0 bytes); make or fetch it again")
            if self.path == "-":
                return av.open(sys.stdin.buffer, "r")
            if not os.path.exists(self.path):
                return av.open(self.path, "r", metadata_errors="replace")
            # By its whole path, lest a colon in its name look like a protocol.
            camera = "v4l2" if stat.S_ISCHR(os.stat(self.path).st_mode) else None
            return av.open(os.path.abspath(self.path), "r", camera, metadata_errors="replace")
        except FileNotFoundError as error:
            raise InputError(f"{self.name}: no such file; check the name and the folder") from error
        except (av.FFmpegError, OSError, ValueError) as error:
            found = cause(error)
            raise InputError(
                f"{self.name}: is no film, or is cut short or damaged ({found}); fetch it again"
            ) from error

    def _decoded(self) -> Iterator[VideoFrame]:
        return (frame for _, frame in self._all() if frame is not None)

    def _all(self) -> Iterator[tuple[int | None, VideoFrame | None]]:
        """(time, frame) in the order in which they are shown, None for frames that cannot be decoded."""
        container, self._container = self._container or self._open(), None
        with container:
            stream = _video(container, self.name)
            stream.thread_type = "AUTO"
            broken: list[int] = []
            for pts, frame in _packets(container, stream):
                if frame is None:
                    broken += [] if pts is None else [pts]
                    continue
                for late in sorted(one for one in broken if pts is not None and one < pts):
                    broken.remove(late)
                    yield late, None
                yield pts, frame
            yield from ((late, None) for late in sorted(broken))

    def _look_at(self, frame: VideoFrame) -> None:
        """Take over what only a decoded frame tells for sure."""
        matrix = BT709 if frame.colorspace == MATRIX_RGB else frame.colorspace
        self.colours = Colours(frame.color_primaries, frame.color_trc, matrix, frame.color_range)
        self.deep = _bits(frame) > 8
        self.aspect = 1 / self._aspect if _turned(frame) else self._aspect

    def _picture(self, frame: VideoFrame) -> Picture:
        check_size(frame.height, frame.width, self.name, DEFAULT_MAX_PIXELS)
        if _bits(frame) > 8:
            deep = frame.to_ndarray(format="rgb48le")
            rgb = to_rgb(deep.astype(np.float32) / np.float32(65535))
        else:
            rgb = to_rgb(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
        picture = Picture(_upright(rgb, frame), name=self.name)
        return picture if self._size is None else picture.resized(self._size)


def _video(container: InputContainer, name: str) -> VideoStream:
    """The first stream of moving pictures; a cover picture is none."""
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover:
            return stream
    raise InputError(f"{name}: holds no video stream; name a film")


def _length(container: InputContainer, stream: VideoStream) -> float:
    """Seconds of video that the film says it has; 0 where it does not say."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tagged = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    if tagged:
        return int(tagged[1]) * 3600 + int(tagged[2]) * 60 + float(tagged[3])
    return 0.0 if container.streams.audio else (container.duration or 0) / av.time_base


def _packets(container: InputContainer, stream: VideoStream) -> Iterator[tuple[int | None, VideoFrame | None]]:
    """What comes out of the decoder; the end of what can be read counts as the end."""
    packets, errors = container.demux(stream), 0
    while errors < TRIES:
        try:
            packet = next(packets, None)
        except (av.FFmpegError, OSError):
            packets, errors = container.demux(stream), errors + 1
            continue
        if packet is None:
            return
        try:
            frames = packet.decode()
        except (av.FFmpegError, OSError):
            yield packet.pts, None
            continue
        for frame in frames:
            yield frame.pts, None if frame.is_corrupt else frame


def _bits(frame: VideoFrame) -> int:
    return max(component.bits for component in frame.format.components)


def _upright(rgb: torch.Tensor, frame: VideoFrame) -> torch.Tensor:
    """Pixels (3, H, W) as the display matrix of the frame wants them shown: turned by quarters and mirrored."""
    a, b, c, d = _matrix(frame)
    if _turned(frame):
        rgb, a, d = rgb.transpose(1, 2), c, b
    flips = [axis for axis, sign in ((2, a), (1, d)) if sign < 0]
    return rgb.flip(flips).contiguous()


def _turned(frame: VideoFrame) -> bool:
    a, b, _, _ = _matrix(frame)
    return abs(b) > abs(a)


def _matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """a, b, c, d of the display matrix: the pixel at (x, y) is shown at (a x + c y, b x + d y)."""
    found = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
    if found is None:
        return 1, 0, 0, 1
    a, b, _, c, d = (int(one) for one in np.frombuffer(bytes(found), np.int32)[:5])
    return a, b, c, d
