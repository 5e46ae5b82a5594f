"""The page as an application: layout and events behind one address."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from wct.web.events import Events
from wct.web.layout import Layout
from wct.web.libraries import FastAPI
from wct.web.libraries import gradio as gr
from wct.web.parts import asset
from wct.web.studio import MOST_VISITORS, Studio

__all__ = ["application"]


def application(studio: Studio, started: Callable[[], None]) -> Any:
    """The page as an ASGI application; `started` is called when it can be opened."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        started()
        yield

    with gr.Blocks(title="wct", analytics_enabled=False) as blocks:
        Events(studio, Layout(studio.limits)).wire(blocks)
    blocks.queue(max_size=64)
    blocks.state_session_capacity = MOST_VISITORS
    blocks._queue.pending_event_ids_session = _Pending()
    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    return gr.mount_gradio_app(
        app,
        blocks,
        "/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=_theme(),
        css=asset("page.css"),
    )


class _Pending(dict[str, set[str]]):
    """Events by visitor, of which one never ends.

    Gradio ends its stream to a page when nothing is pending, and then what the page asks for at that very moment is
    never answered: a click while a preview arrives.
    """

    def __setitem__(self, visitor: str, events: set[str]) -> None:
        super().__setitem__(visitor, events | {"page"})


def _theme() -> Any:
    """Fonts of the system, for others would be fetched, and plain labels."""
    theme = gr.themes.Soft(primary_hue="orange", neutral_hue="stone", font="system-ui", font_mono="monospace")
    plain = {"block_title_background_fill": "none", "block_title_text_color": "*body_text_color"}
    return theme.set(**plain, block_title_padding="0", block_shadow="none")
