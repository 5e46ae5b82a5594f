"""The studio: what all visitors share, and who is there."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from wct.errors import InputError, MissingExtraError
from wct.web.settings import Limits

if TYPE_CHECKING:
    from wct.images import Picture
    from wct.style import Style
    from wct.stylizer import Stylizer
    from wct.web.session import Result, Session
    from wct.web.shelf import Shelf

__all__ = ["MOST_VISITORS", "Studio"]

MOST_VISITORS, _MOST_AWAY = 32, 4
"""How many are remembered with all that they have, and of those that closed the page or lost the connection."""


class Studio:
    """The model, the samples, the shelf of saved styles and the visitors' sessions.

    Making one loads nothing: the page can be open before the model is there.

    Args:
        load: makes the Stylizer, when it is first needed.
        shelf: makes the shelf, likewise.
        limits: for each visitor.
    """

    def __init__(self, load: Callable[[], Stylizer], shelf: Callable[[], Shelf], limits: Limits) -> None:
        self.limits = limits
        self._load, self._shelf = load, shelf
        self._loading, self._painting, self._counting = threading.Lock(), threading.Lock(), threading.Lock()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._away: OrderedDict[str, Session] = OrderedDict()

    def prepare(self) -> None:
        """Load what visitors will need, in the order in which they do; raises what loading the model raises."""
        with self._painting:
            _ = self.photos, self.paintings
        _ = self.stylizer

    @property
    def stylizer(self) -> Stylizer:
        """The model at work; whoever asks first loads it, and all others wait."""
        with self._loading:
            return self._made

    @cached_property
    def _made(self) -> Stylizer:
        return self._load()

    @cached_property
    def shelf(self) -> Shelf:
        """Saved styles."""
        return self._shelf()

    @cached_property
    def photos(self) -> Mapping[str, Picture]:
        """Sample photos by name, none where scikit-image, which carries them, is not installed."""
        from wct.samples import PHOTOS, photo

        try:
            return {name: photo(name) for name in PHOTOS}
        except MissingExtraError:
            return {}

    @cached_property
    def paintings(self) -> Mapping[str, Picture]:
        """Sample styles by name."""
        from wct.samples import PAINTINGS, paint

        return {name: paint(name) for name in PAINTINGS}

    def faces(self, kind: str) -> Mapping[str, bytes]:
        """What there is to choose from, "photo", "painting" or "saved": JPEGs to recognise them by, by name."""
        from wct.web.session import FACE, jpeg

        with self._painting:
            found = self.shelf.pictures() if kind == "saved" else self._samples(kind)
        return {name: jpeg(picture, FACE) for name, picture in found.items()}

    def photo(self, name: str) -> Picture:
        """A sample photo; InputError where there is none such."""
        return self._sample("photo", name)

    def style(self, kind: str, name: str) -> Picture | Style:
        """A "painting" or a "saved" style; InputError where there is none such."""
        return self.shelf.load(name) if kind == "saved" else self._sample("painting", name)

    def _samples(self, kind: str) -> Mapping[str, Picture]:
        return self.photos if kind == "photo" else self.paintings

    def _sample(self, kind: str, name: str) -> Picture:
        found = self._samples(kind)
        if name not in found:
            raise InputError(f"{kind} {name!r}: is no sample; choose another")
        return found[name]

    def session(self, visitor: str) -> Session:
        """The session of a visitor: a new one for a new visitor, their own for one that comes back soon."""
        from wct.web.session import Session

        with self._counting:
            found = self._sessions.pop(visitor, None) or self._away.pop(visitor, None) or Session(self)
            self._sessions[visitor] = found
            _forget(self._sessions, MOST_VISITORS)
            return found

    def leave(self, visitor: str) -> None:
        """A visitor closed the page, or lost the connection and may come back: their work is given up."""
        with self._counting:
            found = self._sessions.pop(visitor, None)
            if found:
                found.cancel()
                self._away[visitor] = found
                _forget(self._away, _MOST_AWAY)

    def result(self, token: str) -> Result | None:
        """The result that was given this token, while its visitor is remembered and has no newer one."""
        with self._counting:
            results = [session.result for session in (*self._sessions.values(), *self._away.values())]
        return next((one for one in results if one is not None and one.token == token), None)


def _forget(sessions: OrderedDict[str, Session], most: int) -> None:
    """Let those go that came first, where there are too many."""
    while len(sessions) > most:
        sessions.popitem(last=False)[1].cancel()
