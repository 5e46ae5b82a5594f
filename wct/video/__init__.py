"""Films and image sequences, shot by shot.

    schedule = Schedule([(0.0, style)])
    stylize_clip(stylizer, "in.mp4", schedule, "out.mp4", Settings())

Needs the extra `video` (PyAV and OpenCV). The names below load what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wct.lazy import lazy

if TYPE_CHECKING:
    from wct.video.job import Report, Settings, stylize_clip
    from wct.video.schedule import Schedule
    from wct.video.sinks import check_target

__all__ = ["Report", "Schedule", "Settings", "check_target", "stylize_clip"]

_HOME = {
    "Report": "wct.video.job",
    "Schedule": "wct.video.schedule",
    "Settings": "wct.video.job",
    "check_target": "wct.video.sinks",
    "stylize_clip": "wct.video.job",
}


__getattr__, __dir__ = lazy(__name__, _HOME, __all__)
