"""What happens when something on the page is used: from the browser's values to a session's and back."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial, wraps
from inspect import isgeneratorfunction
from typing import TYPE_CHECKING, Any

from wct.errors import InputError, WctError
from wct.images.label import one_line
from wct.progress import Progress
from wct.web.incoming import bytes_of, file_of, settings_of, text_of
from wct.web.layout import Layout
from wct.web.libraries import gradio as gr
from wct.web.parts import data_url
from wct.web.studio import Studio
from wct.web.words import WELCOME, face, line, link

if TYPE_CHECKING:
    from wct.web.session import Session

__all__ = ["Events"]

Updates = dict[Any, Any]

_LATEST, _EACH = "always_last", "multiple"
"""Of events that come while one is at work: only the last counts, or all do."""

_PROGRESS = gr.Progress()
"""A default by which Gradio sees that a method tells its progress."""


class Events:
    """What the components of a page set off. Every method gives {component: its update}."""

    def __init__(self, studio: Studio, page: Layout) -> None:
        self.studio, self.page = studio, page

    def wire(self, blocks: Any) -> None:
        """Connect the components with the methods, within `blocks`."""
        page, listen, drawn = self.page, self._listen, self._then_preview
        listen(blocks.load, self.open, [], [page.photos, page.picks], limit=None)
        changes = [page.alpha.input, page.grain.input, page.levels.input, page.color.input, page.size.input]
        self._listen_to_moves([*changes, *(place.weight.input for place in page.places)])
        loaded = [page.photo, page.brush, page.size]
        taken = [part for place in page.places for part in (place.row, place.face, place.weight)]
        drawn(listen(page.photo.file, self.take_photo, [], loaded, mode=_EACH))
        drawn(listen(page.photos.pick, self.pick_photo, [], loaded, mode=_EACH))
        drawn(listen(page.style.file, self.take_style, [], taken, mode=_EACH))
        drawn(listen(page.picks.pick, self.pick_style, [], taken, mode=_EACH))
        for given in (page.photo, page.style):
            listen(given.refused, self.refuse, [], [], mode=_EACH)
        drawn(listen(page.brush.paint, self.paint, [], [], mode=_LATEST))
        for number, place in enumerate(page.places):
            drawn(listen(place.remove.click, self._remover(number), [], [place.row]))
        made = [page.viewer, page.run, page.cancel, page.download, page.status]
        listen(page.run.click, self.full, page.settings, made, limit=1, show_progress_on=page.viewer)
        listen(page.cancel.click, self.cancel, [], [page.status], limit=None)
        kept = [page.picks, page.name, page.status]
        listen([page.save.click, page.name.submit], self.keep, [page.name, *page.settings], kept)

    def _listen(
        self,
        triggers: Any,
        work: Any,
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        *,
        mode: str = "once",
        limit: int | None = 4,
        show_progress_on: Any = None,
    ) -> Any:
        """Call `work` with the values of `inputs` on the triggers, for at most `limit` visitors at a time."""
        listener = partial(gr.on, triggers) if isinstance(triggers, list) else triggers
        # What a component would make of a value before it is sent is done here: ImageSlider writes files.
        return listener(
            _friendly(work),
            list(inputs),
            list(outputs),
            trigger_mode=mode,
            concurrency_limit=limit,
            postprocess=False,
            api_visibility="private",
            show_progress="full" if show_progress_on else "hidden",
            show_progress_on=show_progress_on,
        )

    def _listen_to_moves(self, triggers: Any) -> None:
        """Draw a preview on the triggers."""
        page = self.page
        shown = [page.viewer, page.run, page.download, page.status]
        self._listen(triggers, self.preview, page.settings, shown, mode=_LATEST)

    def _then_preview(self, done: Any) -> None:
        self._listen_to_moves(done.success)

    def open(self) -> Updates:
        """The page is open: the samples, and the saved styles."""
        return {self.page.photos: self._cards("photo"), self.page.picks: self._cards("painting", "saved")}

    def take_photo(self, request: gr.Request, event: gr.EventData) -> Updates:
        """A photo was dropped."""
        session = self._session(request)
        session.take_photo(session.read(*file_of(event)))
        return self._with_photo(session)

    def take_style(self, request: gr.Request, event: gr.EventData) -> Updates:
        """A style picture was dropped."""
        session = self._session(request)
        picture = session.read(*file_of(event))
        return self._with_style(session, session.add_style(picture.name, picture))

    def refuse(self, event: gr.EventData) -> Updates:
        """A file was dropped that is too large to be sent."""
        most = self.studio.limits.bytes / 2**20
        raise InputError(f"{text_of(event, 'name')}: is larger than {most:g} MB, which is the most; make it smaller")

    def pick_photo(self, request: gr.Request, event: gr.EventData) -> Updates:
        """A sample photo was chosen."""
        session = self._session(request)
        session.take_photo(self.studio.photo(text_of(event, "name")))
        return self._with_photo(session)

    def pick_style(self, request: gr.Request, event: gr.EventData) -> Updates:
        """A sample style or a saved one was chosen."""
        session, name = self._session(request), text_of(event, "name")
        return self._with_style(session, session.add_style(name, self.studio.style(text_of(event, "kind"), name)))

    def paint(self, request: gr.Request, event: gr.EventData) -> Updates:
        """The mask was painted on."""
        self._session(request).take_mask(bytes_of(text_of(event, "png")))
        return {}

    def preview(self, request: gr.Request, *values: Any) -> Updates:
        """A control was moved: the picture follows."""
        session = self._session(request)
        if session.photo is None:
            return {self.page.status: WELCOME}
        if not session.ready:
            words = line("Now add one or more styles: drop pictures, or choose samples.")
            return {self.page.viewer: _shown((session.view,) * 2), self.page.status: words, **self._finish(session)}
        try:
            found = session.preview(settings_of(values))
        except WctError as error:  # in the one place for it: over the page, one would come with every move of a slider
            return {self.page.status: line(str(error), "error")}
        if found is None:
            return {}
        words = line("A small preview. Move the controls until you like it, then make the full picture.")
        return {self.page.viewer: _shown(found), self.page.status: words, **self._finish(session)}

    def full(self, request: gr.Request, *values: Any, progress: gr.Progress = _PROGRESS) -> Iterator[Updates]:
        """The full picture is wanted."""
        page, session = self.page, self._session(request)
        start = time.perf_counter()
        yield {
            page.run: gr.update(visible=False),
            page.cancel: gr.update(visible=True),
            page.download: gr.update(visible=False),
            page.status: line("The full picture is being made …"),
        }
        idle = {page.run: gr.update(visible=True), page.cancel: gr.update(visible=False)}

        def tell(step: Progress) -> None:
            progress(step.done / step.total, desc="Stylising")

        try:
            result = session.full(settings_of(values), tell)
        except Exception as error:
            yield idle | {page.status: line(_reason(error), "error")}
            return
        if result is None:
            yield idle | {page.status: line("Cancelled. Nothing was kept of it.")}
        else:
            seconds = time.perf_counter() - start
            words = line(f"Done in {seconds:.1f} seconds. Compare with the handle, download it, or go on.", "done")
            anchor = link(result.token, result.name, result.size)
            yield idle | {
                page.viewer: _shown(result.views),
                page.status: words,
                page.download: gr.update(value=anchor, visible=True),
            }

    def cancel(self, request: gr.Request) -> Updates:
        """The full picture is not wanted any more."""
        self._session(request).cancel()
        return {self.page.status: line("Stopping …")}

    def keep(self, request: gr.Request, name: str, *values: Any) -> Updates:
        """The styles in use shall be saved as one."""
        kept = self.studio.shelf.save(self._session(request).blend(settings_of(values)), name)
        words = line(f"Kept as {kept}: it is among the styles to choose from, and a file that wct takes.", "done")
        return {self.page.picks: self._cards("painting", "saved"), self.page.name: "", self.page.status: words}

    def _remover(self, number: int) -> Callable[[gr.Request], Updates]:
        def remove(request: gr.Request) -> Updates:
            self._session(request).drop_style(number)
            return {self.page.places[number].row: gr.update(visible=False)}

        return remove

    def _session(self, request: gr.Request) -> Session:
        return self.studio.session(str(request.session_hash))

    def _with_photo(self, session: Session) -> Updates:
        page, url = self.page, data_url(session.view)
        return {page.photo: url, page.brush: url, page.size: session.default_size}

    def _with_style(self, session: Session, number: int) -> Updates:
        place, style = self.page.places[number], session.styles[number]
        if style is None:  # removed meanwhile
            return {}
        shown = face(style.name, data_url(style.face))
        return {
            place.row: gr.update(visible=True),
            place.face: shown,
            place.weight: gr.update(label=style.name, value=1),
        }

    def _finish(self, session: Session) -> Updates:
        """The buttons below a preview: the last result is another picture than that."""
        return {self.page.run: gr.update(interactive=session.ready), self.page.download: gr.update(visible=False)}

    def _cards(self, *kinds: str) -> list[dict[str, str]]:
        """Pictures to choose from."""
        return [
            {"kind": kind, "name": name, "src": data_url(jpeg)}
            for kind in kinds
            for name, jpeg in self.studio.faces(kind).items()
        ]


def _friendly(work: Any) -> Any:
    """The same, with any error as one line over the page, and nothing further after it."""
    if isgeneratorfunction(work):
        return work

    @wraps(work)
    def call(*values: Any) -> Any:
        try:
            return work(*values)
        except Exception as error:
            raise gr.Error(_reason(error), title="", print_exception=False) from error

    return call


def _reason(error: Exception) -> str:
    """The one line that a visitor reads; what nobody expected goes to the server's terminal as well."""
    if isinstance(error, WctError):
        return str(error)
    sys.stderr.write(f"wct web: unexpected {type(error).__name__} ({one_line(error)})\n")
    return "something went wrong here; try another picture or a smaller size"


def _shown(pair: tuple[bytes, bytes]) -> list[dict[str, str]]:
    """Two JPEGs as the browser takes them."""
    return [{"url": data_url(jpeg)} for jpeg in pair]
