"""What Ctrl-C leaves of a long run."""

from __future__ import annotations

from wct.images import Picture

__all__ = ["Stopped"]


class Stopped(KeyboardInterrupt):
    """A method was stopped by Ctrl-C; `picture` is the best it had."""

    def __init__(self, picture: Picture) -> None:
        super().__init__("stopped")
        self.picture = picture
