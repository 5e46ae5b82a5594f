"""The stylisation as ONNX files, for runtimes without PyTorch. Needs the extra `onnx`.

write_onnx(Model.load("compact"), "wct.onnx", styles=2)
"""

from __future__ import annotations

import os

from wct.files import write_file
from wct.models import Model
from wct.onnx.stylization import WEIGHTS, parts, whole

__all__ = ["WEIGHTS", "parts", "whole", "write_onnx"]


def write_onnx(model: Model, path: str | os.PathLike[str], *, styles: int = 1, overwrite: bool = False) -> int:
    """Write `whole(model, styles)` to a file; how many bytes it has.

    Raises UsageError and ModelError as `whole` does, OutputError where the file cannot be written.
    """
    data = whole(model, styles).SerializeToString()
    write_file(data, path, overwrite=overwrite)
    return len(data)
