"""Coding: results as compressed video, piece by piece."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from wct.video.film import Colours
from wct.video.frame import Array
from wct.video.libraries import av

if TYPE_CHECKING:
    from av.video.stream import VideoStream

__all__ = ["CRF", "Coding", "Piece"]

X264 = {"preset": "medium"}
VP9 = {"b": "0", "row-mt": "1", "cpu-used": "3", "deadline": "good"}

CRF = {"libx264": 18, "libvpx-vp9": 24}
"""Constant quality where nobody says: hardly to be told from the frames themselves."""

_OPTIONS: Mapping[str, dict[str, str]] = {"libx264": X264, "libvpx-vp9": VP9}

_SWSCALE = {1: 1, 4: 4, 7: 7, 9: 9, 10: 9}
"""Matrices of H.273 by the numbers that the converter has for them; all others are its default, BT.601."""


@dataclass(frozen=True)
class Coding:
    """How a film's pictures are compressed. Equal codings give pieces that fit together.

    Attributes:
        encoder: of `wct.video.targets.CONTAINERS`.
        crf: constant quality, 0 (best) to 51, or 63 for VP9.
        size: (H, W).
        time_base: seconds in one unit of time.
        rate: nominal frames per second.
        colours: what the numbers mean.
        deep: 10 bits per channel in place of 8.
        aspect: width of a pixel over its height.
    """

    encoder: str
    crf: int
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    colours: Colours
    deep: bool
    aspect: Fraction

    @property
    def pix_fmt(self) -> str:
        """Halved colour planes, which every player knows; whole ones where a side is odd, which x264 cannot halve."""
        whole = self.encoder == "libx264" and any(side % 2 for side in self.size)
        return ("yuv444p" if whole else "yuv420p") + ("10le" if self.deep and self.encoder == "libx264" else "")


class Piece:
    """Some frames of a film, compressed so that pieces of equal coding can be joined as they are.

    Kept in memory as a NUT file, a container that takes any codec and time base.
    """

    def __init__(self, coding: Coding) -> None:
        self._coding = coding
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="nut")
        self._stream = self._add()

    def add(self, result: Array, pts: int) -> None:
        """Append a frame (H, W, 3) in 0..1."""
        if self._coding.deep:
            frame = av.VideoFrame.from_ndarray(np.rint(result * 65535).astype(np.uint16), "rgb48le")
        else:
            frame = av.VideoFrame.from_ndarray(np.rint(result * 255).astype(np.uint8), "rgb24")
        frame = frame.reformat(
            format=self._coding.pix_fmt,
            dst_colorspace=_SWSCALE.get(self._coding.colours.matrix, 5),
            src_color_range=2,
            dst_color_range=self._coding.colours.range or 1,
        )
        frame.pts, frame.time_base = pts, self._coding.time_base
        self._container.mux(self._stream.encode(frame))

    def close(self) -> bytes:
        """The whole piece."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._file.getvalue()

    def _add(self) -> VideoStream:
        coding = self._coding
        options = {**_OPTIONS[coding.encoder], "crf": str(coding.crf)}
        stream = self._container.add_stream(coding.encoder, rate=coding.rate, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = coding.size
        stream.pix_fmt = coding.pix_fmt
        context = stream.codec_context
        context.time_base = stream.time_base = coding.time_base
        context.sample_aspect_ratio = coding.aspect
        # Without B-frames packets are stored in the order in which they are shown, and pieces join without overlap.
        context.max_b_frames = 0
        context.color_primaries, context.color_trc = coding.colours.primaries, coding.colours.transfer
        context.colorspace, context.color_range = coding.colours.matrix, coding.colours.range
        context.flags |= av.codec.context.Flags.global_header
        return stream
