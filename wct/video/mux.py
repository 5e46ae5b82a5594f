"""Muxing: pieces of video and the audio of the film they come from, as one film. Video is never compressed twice."""

from __future__ import annotations

import heapq
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wct.errors import OutputError
from wct.files import appearing
from wct.images.label import label
from wct.video.coding import Coding
from wct.video.libraries import av, cause

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet

__all__ = ["mux"]

Timed = tuple[Fraction, "Packet[Any]"]
"""When a packet belongs into the film, in seconds, and the packet."""

Take = Callable[["Packet[Any]"], "list[Packet[Any]]"]
"""What makes the packets of the film out of one of its source."""


def mux(
    pieces: Sequence[Path],
    target: str,
    container: str,
    coding: Coding,
    *,
    audio: str | None,
    metadata: Mapping[str, str],
    overwrite: bool,
    keep_metadata: bool = False,
) -> None:
    """Join pieces of one coding into the film `target`, with the audio of the film `audio`.

    Audio is copied as it is; where the container cannot carry it, it is compressed anew (Opus in WebM, else AAC).
    Of what is said about its streams the language is kept, and with `keep_metadata` all.

    Raises:
        OutputError: it cannot be written; an old file stays as it was.
    """
    # MP4 players can start before the whole film has arrived.
    options = {"movflags": "+faststart"} if container in ("mp4", "mov") else {}
    with appearing(target, overwrite=overwrite) as temporary:
        try:
            with av.open(str(temporary), "w", format=container, options=options) as out:
                out.metadata.update(metadata)
                streams = [_video(out, pieces, coding)]
                if audio is not None:
                    streams.append(_audio(out, audio, keep_metadata))
                for _, packet in heapq.merge(*streams, key=lambda timed: timed[0]):
                    out.mux(packet)
        except (av.FFmpegError, OSError) as error:
            found = cause(error)
            raise OutputError(f"{label(target)}: cannot be written ({found}); make room or choose a folder") from error


def _video(out: OutputContainer, pieces: Sequence[Path], coding: Coding) -> Iterator[Timed]:
    with av.open(str(pieces[0]), "r") as first:
        stream = out.add_stream_from_template(first.streams.video[0])
    # What a piece does not tell of itself.
    stream.sample_aspect_ratio = coding.aspect
    stream.color_primaries, stream.color_trc = coding.colours.primaries, coding.colours.transfer
    stream.colorspace, stream.color_range = coding.colours.matrix, coding.colours.range

    def packets() -> Iterator[Timed]:
        for path in pieces:
            with av.open(str(path), "r") as piece:
                for packet in piece.demux(video=0):
                    if packet.pts is not None:
                        packet.stream = stream
                        yield packet.pts * coding.time_base, packet

    return packets()


def _audio(out: OutputContainer, path: str, keep_metadata: bool) -> Iterator[Timed]:
    """The audio of a film; its streams are added to `out` before the first packet is asked for."""
    source = av.open(os.path.abspath(path), "r", metadata_errors="replace")
    into: dict[int, Take] = {}
    for stream in source.streams.audio:
        known = stream.codec_context.codec.canonical_name in out.supported_codecs
        said = {key: text for key, text in stream.metadata.items() if keep_metadata or key == "language"}
        into[stream.index] = (_copied if known else _encoded)(out, stream, said)
    return _packets(source, into)


def _packets(source: InputContainer, into: Mapping[int, Take]) -> Iterator[Timed]:
    last = Fraction(0)
    with source:
        demuxed = source.demux(*source.streams.audio) if into else iter(())
        while True:
            try:
                packet = next(demuxed, None)
            except (av.FFmpegError, OSError):  # a film that is cut short keeps the audio it has
                packet = None
            if packet is None:
                return
            for ready in into[packet.stream.index](packet):
                if ready.dts is not None and ready.time_base:
                    last = max(last, ready.dts * ready.time_base)
                yield last, ready


def _copied(out: OutputContainer, stream: AudioStream, metadata: Mapping[str, str]) -> Take:
    copy = out.add_stream_from_template(stream)
    copy.metadata.update(metadata)

    def take(packet: Packet[Any]) -> list[Packet[Any]]:
        if packet.dts is None:
            return []
        packet.stream = copy
        return [packet]

    return take


def _encoded(out: OutputContainer, stream: AudioStream, metadata: Mapping[str, str]) -> Take:
    """Decode and compress anew; a packet that cannot be decoded leaves a gap."""
    codec = "libopus" if out.format.name == "webm" else "aac"
    rate = 48000 if codec == "libopus" else stream.rate
    coded = out.add_stream(codec, rate=rate, layout=stream.layout.name)
    assert isinstance(coded, av.AudioStream)
    coded.metadata.update(metadata)
    resampler = av.AudioResampler(coded.codec_context.format, stream.layout, rate)

    def take(packet: Packet[Any]) -> list[Packet[Any]]:
        try:
            frames = stream.decode(packet)
        except (av.FFmpegError, OSError):
            return []
        ready = [one for frame in frames for one in resampler.resample(frame)]
        done = [one for frame in ready for one in coded.encode(frame)]
        return done if packet.size else done + coded.encode(None)

    return take
