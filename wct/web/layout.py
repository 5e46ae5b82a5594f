"""The layout: what a visitor sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wct.look import COLORS, LOOK
from wct.web.libraries import gradio as gr
from wct.web.parts import brush, drop, picks
from wct.web.settings import DEFAULT_SIDE, LEAST_SIDE, MOST_STYLES, Limits
from wct.web.words import WELCOME

__all__ = ["Layout", "Place"]

_LEVELS = {"Shapes": 5, "Large strokes": 4, "Strokes": 3, "Grain": 2, "Colour": 1}
"""What each level moves."""
_COLORS = dict(zip(("The style's", "The photo's", "The photo's, only light changes"), COLORS, strict=True))
_PICTURES = "image/*,.tif,.tiff,.avif"


@dataclass(frozen=True)
class Place:
    """Where one of the styles in use is shown: all of it, its picture, its weight and a button that removes it."""

    row: Any
    face: Any
    weight: Any
    remove: Any


class Layout:
    """The components, made within a `gr.Blocks`.

    Args:
        limits: what sliders and places to drop files on allow.
    """

    def __init__(self, limits: Limits) -> None:
        gr.HTML("<h1>Any photo in the style of any picture</h1>", elem_id="title")
        self.status = gr.HTML(WELCOME, elem_id="status", apply_default_css=False)
        with gr.Row(elem_id="desk"):
            with gr.Column(scale=4, min_width=320, elem_id="controls"):
                self._inputs(limits)
                self._look(limits)
            with gr.Column(scale=6, min_width=320, elem_id="easel"):
                self._easel()

    @property
    def settings(self) -> list[Any]:
        """The controls that a picture depends on."""
        return [*(place.weight for place in self.places), self.alpha, self.grain, self.levels, self.color, self.size]

    def _inputs(self, limits: Limits) -> None:
        most = limits.bytes
        with gr.Column(elem_classes="card"):
            self.photo = drop("Photo", "drop one here, or click", accept=_PICTURES, multiple=False, most=most)
            self.photos = picks()
        with gr.Column(elem_classes="card"):
            self.style = drop(
                "Styles", f"drop up to {MOST_STYLES} pictures, or click", accept=_PICTURES, multiple=True, most=most
            )
            self.picks = picks()
            self.places = [self._place() for _ in range(MOST_STYLES)]

    def _place(self) -> Place:
        with gr.Row(visible=False, elem_classes="place") as row:
            face = gr.HTML(elem_classes="face", apply_default_css=False)
            weight = gr.Slider(0, 1, 1, step=0.01, label="Weight", min_width=100, scale=1)
            remove = gr.Button("Remove", size="sm", min_width=70, scale=0)
        return Place(row, face, weight, remove)

    def _look(self, limits: Limits) -> None:
        with gr.Column(elem_classes="card"):
            self.alpha = gr.Slider(0, 1.5, LOOK.alpha, step=0.01, label="Strength", info="0: the photo, 1: the style")
            self.grain = gr.Slider(
                0,
                12,
                LOOK.grain,
                step=0.5,
                label="Plain areas",
                info="0: skies and walls stay smooth, 4: they take strokes",
            )
            self.size = gr.Slider(
                LEAST_SIDE, limits.side, DEFAULT_SIDE, step=1, label="Size", info="Short side of the result, in pixels"
            )
            self.color = gr.Radio(list(_COLORS.items()), value=LOOK.color, label="Colours")
            self.levels = gr.CheckboxGroup(list(_LEVELS.items()), value=list(LOOK.levels), label="What changes")

    def _easel(self) -> None:
        self.viewer = gr.ImageSlider(
            label="Before and after", show_label=False, interactive=False, buttons=["fullscreen"], elem_id="viewer"
        )
        with gr.Row(elem_id="actions"):
            self.run = gr.Button("Make the full picture", variant="primary", interactive=False)
            self.cancel = gr.Button("Cancel", variant="stop", visible=False)
            self.download = gr.HTML(visible=False, elem_id="download", apply_default_css=False)
        with gr.Accordion("Only a part of the photo", open=False):
            gr.HTML("<p>Paint what the style shall change; the rest of the photo stays.</p>")
            self.brush = brush()
        with gr.Accordion("Keep these styles", open=False), gr.Row(equal_height=True):
            self.name = gr.Textbox(label="Name", placeholder="Blue waves", max_lines=1, max_length=40, scale=3)
            self.save = gr.Button("Keep", scale=1, min_width=80)
