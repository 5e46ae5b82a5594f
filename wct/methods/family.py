"""Every method of the family behind one call: a photo and a style picture in, the stylised photo out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wct.errors import UsageError
from wct.images import Picture
from wct.images.label import label
from wct.methods.stylenet import StyleNet
from wct.progress import Progress
from wct.stylizer import Stylizer

__all__ = ["METHODS", "Studio", "stylized"]


@dataclass(frozen=True)
class Studio:
    """What methods need besides the two pictures.

    Attributes:
        stylizer: the model of `gatys` and `wct`.
        networks: trained ones, of which `feedforward` takes one that knows the style alone and `cin` one that knows
            several.
        seed: of the methods that choose at random.
        progress: called with how far a method is.
    """

    stylizer: Stylizer
    networks: Sequence[StyleNet] = ()
    seed: int = 0
    progress: Callable[[Progress], None] = field(default=lambda _: None)

    def network(self, style: Picture, several: bool) -> tuple[StyleNet, str]:
        """The network that has learnt the style, and what it calls it: the name of the picture's file.

        Raises:
            UsageError: none has learnt it.
        """
        name = Path(style.name).stem
        for net in self.networks:
            if name in net.spec.styles and (len(net.spec.styles) > 1) == several:
                return net, name
        kind = "network for several styles" if several else "network for this style alone"
        raise UsageError(f"{label(name)}: no {kind} has learnt it; wct train feedforward trains one, --net names it")


def stylized(method: str, content: Picture, style: Picture, studio: Studio) -> Picture:
    """The content in the style by a method's name; the same size and alpha.

    Raises:
        UsageError: there is no such method, or it cannot do this style.
        Stopped: by Ctrl-C, where the method can leave what it has.
    """
    if method not in METHODS:
        raise UsageError(f"method {method!r}: no such method; needs one of {', '.join(METHODS)}")
    return METHODS[method](content, style, studio)


def _quilting(content: Picture, style: Picture, studio: Studio) -> Picture:
    from wct.methods.quilting import quilting

    return quilting(content, style, seed=studio.seed, progress=studio.progress)


def _analogies(content: Picture, style: Picture, studio: Studio) -> Picture:
    from wct.methods.analogies import analogies

    return analogies(content, style, progress=studio.progress)


def _gatys(content: Picture, style: Picture, studio: Studio) -> Picture:
    from wct.methods.gatys import gatys

    return gatys(studio.stylizer, content, style, seed=studio.seed, progress=studio.progress)


def _feedforward(content: Picture, style: Picture, studio: Studio) -> Picture:
    net, name = studio.network(style, several=False)
    return net.stylize(content, name)


def _cin(content: Picture, style: Picture, studio: Studio) -> Picture:
    net, name = studio.network(style, several=True)
    return net.stylize(content, name)


def _wct(content: Picture, style: Picture, studio: Studio) -> Picture:
    return studio.stylizer(content, style, progress=studio.progress)


METHODS: dict[str, Callable[[Picture, Picture, Studio], Picture]] = {
    "quilting": _quilting,
    "analogies": _analogies,
    "gatys": _gatys,
    "feedforward": _feedforward,
    "cin": _cin,
    "wct": _wct,
}
"""By name, in the order of their years."""
