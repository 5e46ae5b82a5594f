"""wct: a picture made to look like another picture, by whitening and coloring of VGG features.

`import wct` is cheap: the names below load what they need when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wct.heap import settle
from wct.lazy import lazy

if TYPE_CHECKING:
    from wct.augment import Stylize
    from wct.errors import WctError
    from wct.gaussian import Gaussian
    from wct.images import Picture
    from wct.look import Look
    from wct.maps import AffineMap
    from wct.models import Model
    from wct.regions import Region
    from wct.sheet import compare
    from wct.style import Style
    from wct.stylizer import Stylizer

settle()

__version__ = "0.1.0"
__all__ = [
    "AffineMap",
    "Gaussian",
    "Look",
    "Model",
    "Picture",
    "Region",
    "Style",
    "Stylize",
    "Stylizer",
    "WctError",
    "__version__",
    "compare",
]

_HOME = {
    "AffineMap": "wct.maps",
    "Gaussian": "wct.gaussian",
    "Look": "wct.look",
    "Model": "wct.models",
    "Picture": "wct.images",
    "Region": "wct.regions",
    "Style": "wct.style",
    "Stylize": "wct.augment",
    "Stylizer": "wct.stylizer",
    "WctError": "wct.errors",
    "compare": "wct.sheet",
}


__getattr__, __dir__ = lazy(__name__, _HOME, __all__)
