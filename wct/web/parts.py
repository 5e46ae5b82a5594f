"""What Gradio has no component for. Pictures travel within events, as data URLs: no file is written for them."""

from __future__ import annotations

from base64 import b64encode
from importlib.resources import files
from typing import Any

from wct.web.libraries import gradio as gr

__all__ = ["asset", "brush", "data_url", "drop", "picks"]

_DROP = """<label class="drop">
<input type="file" accept="{{accept}}" aria-label="{{title}}" {{#if multiple}}multiple{{/if}}>
{{#if value}}<img src="{{value}}" alt="">{{/if}}<span><b>{{title}}</b><br>{{hint}}</span></label>"""

_PICKS = """<div class="picks">{{#each value}}<button type="button" data-kind="{{this.kind}}" data-name="{{this.name}}"
title="{{this.name}}"><img src="{{this.src}}" alt=""><span>{{this.name}}</span></button>{{/each}}</div>"""

_BRUSH = """{{#if value}}<div class="brush">
<div class="paint"><img src="{{value}}" alt="the photo, to paint on"><canvas></canvas></div>
<div class="tools"><label>Brush <input type="range" min="2" max="40" value="14" aria-label="Brush size"></label>
<button type="button" name="erase" aria-pressed="false">Erase</button><button type="button" name="clear">Clear</button>
</div></div>{{else}}<p>Add a photo first.</p>{{/if}}"""


def asset(name: str) -> str:
    """The text of a file in `static`."""
    return (files(__package__) / "static" / name).read_text(encoding="utf-8")


def data_url(jpeg: bytes) -> str:
    """A JPEG as an address that holds it."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"


def drop(title: str, hint: str, *, accept: str, multiple: bool, most: int) -> Any:
    """A place to drop files on. Value: a picture to show. Events: file (name, data) and refused (name)."""
    props: dict[str, Any] = {"title": title, "hint": hint, "accept": accept, "multiple": multiple, "most": most}
    return gr.HTML(
        html_template=_DROP, js_on_load=asset("drop.js"), elem_classes="drops", apply_default_css=False, **props
    )


def picks() -> Any:
    """Small pictures to choose from. Value: a list of {kind, name, src}. Event: pick (kind, name)."""
    return gr.HTML([], html_template=_PICKS, js_on_load=asset("picks.js"), apply_default_css=False)


def brush() -> Any:
    """Painting on a photo. Value: the photo. Event: paint (png)."""
    return gr.HTML(html_template=_BRUSH, js_on_load=asset("brush.js"), elem_classes="painter", apply_default_css=False)
