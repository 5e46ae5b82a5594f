"""Films for tests, made by PyAV: moving noise with cuts, in any codec, with or without sound."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def scene(seed: int, size: tuple[int, int]) -> Array:
    """(2H, 2W, 3) uint8: smooth noise around a colour of its own, to pan over."""
    rng = np.random.default_rng(seed)
    noise = (rng.random((6, 10, 3)) - 0.5) * 0.6 + rng.permutation([0.2, 0.5, 0.8])
    wide = cv2.resize(noise.astype(np.float32), (size[1] * 2, size[0] * 2), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.rint(wide.clip(0, 1) * 255), np.uint8)


def pan(count: int, size: tuple[int, int], seed: int = 0) -> list[Array]:
    """Frames (H, W, 3) uint8 of a camera that moves a pixel a frame, to and fro."""
    wide = scene(seed, size)
    places = [[side - abs(i % (2 * side) - side) for side in size] for i in range(count)]
    return [wide[y:, x:][: size[0], : size[1]].copy() for y, x in places]


def cut(count: int, size: tuple[int, int], every: int) -> list[Array]:
    """Frames with another scene after `every` frames."""
    return [frame for k in range(0, count, every) for frame in pan(min(every, count - k), size, seed=k)]


@dataclass(frozen=True)
class Sound:
    codec: str
    seconds: float = 1.0


def write_film(
    path: Path,
    frames: Sequence[Array],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 12800),
    fps: int = 25,
    tags: tuple[int, int, int, int] = (1, 1, 1, 1),
    rotation: float | None = None,
    sound: Sound | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Write frames (H, W, 3) uint8 with times in units of `time_base`, and a tone of 440 Hz; `metadata` are of both."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=fps, options={"crf": "10"} if codec == "libx264" else {})
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.time_base = time_base
        context.color_primaries, context.color_trc, context.colorspace, context.color_range = tags
        if rotation is not None:
            stream.set_display_rotation(rotation)
        tone = out.add_stream(sound.codec, rate=48000, layout="mono") if sound else None
        for holder in (out, tone):
            if holder is not None:
                holder.metadata.update(metadata or {})
        for i, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
                format=pix_fmt, dst_colorspace={1: 1, 9: 9}.get(tags[2], 5), src_color_range=2, dst_color_range=tags[3]
            )
            frame.pts = i * time_base.denominator // fps if pts is None else pts[i]
            frame.time_base = time_base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if sound and isinstance(tone, av.AudioStream):
            wave = np.sin(np.arange(int(48000 * sound.seconds)) * 2 * np.pi * 440 / 48000).astype(np.float32)
            for start in range(0, len(wave), 960):
                part = av.AudioFrame.from_ndarray(wave[None, start : start + 960].copy(), "fltp", "mono")
                part.rate, part.pts, part.time_base = 48000, start, Fraction(1, 48000)
                resampled = av.AudioResampler(tone.codec_context.format, "mono", 48000).resample(part)
                out.mux([packet for one in resampled for packet in tone.encode(one)])
            out.mux(tone.encode(None))
    return path


@dataclass(frozen=True)
class Seen:
    """What a player sees of a film."""

    size: tuple[int, int]
    times: list[float]
    tags: tuple[int, int, int, int]
    pix_fmt: str
    rotation: int
    frames: list[Array]
    audio: list[str]
    packets: list[bytes]


def look(path: Path) -> Seen:
    """Read a film: frames as they are stored, and the audio's compressed packets."""
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        frames = list(film.decode(video))
        assert video.time_base is not None
        last = frames[-1]
        times = [float(frame.pts * video.time_base) for frame in frames if frame.pts is not None]
    with av.open(str(path)) as film:
        audio = [stream.codec_context.codec.canonical_name for stream in film.streams.audio]
        packets = [bytes(packet) for packet in film.demux(audio=0)] if audio else []
    return Seen(
        (last.height, last.width),
        times,
        (last.color_primaries, last.color_trc, last.colorspace, last.color_range),
        last.format.name,
        last.rotation,
        [np.asarray(frame.to_ndarray(format="rgb24")) for frame in frames],
        audio,
        [packet for packet in packets if packet],
    )


def sound_only(path: Path) -> Path:
    """A film without pictures."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        tone = out.add_stream("aac", rate=48000, layout="mono")
        part = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        part.rate = 48000
        out.mux(tone.encode(part))
        out.mux(tone.encode(None))
    path.write_bytes(buffer.getvalue())
    return path
