"""What the page says."""

from __future__ import annotations

from html import escape

__all__ = ["WELCOME", "face", "line", "link"]


def line(text: str, kind: str = "next") -> str:
    """One line above the picture: what to do "next", that it is "done", or an "error"."""
    return f'<p class="{kind}" role="{"alert" if kind == "error" else "status"}">{escape(text)}</p>'


def face(name: str, url: str) -> str:
    """A style in use."""
    return f'<img src="{escape(url)}" alt="{escape(name)}" title="{escape(name)}">'


def link(token: str, name: str, size: tuple[int, int]) -> str:
    """The link to a result."""
    height, width = size
    return f'<a href="result/{escape(token)}" download="{escape(name)}">Download PNG, {width}x{height}</a>'


WELCOME = line("First add a photo: drop one, or choose a sample.")
