"""The library of the extra `onnx`, or one line that says how to get it."""

from __future__ import annotations

from wct.errors import MissingExtraError

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise MissingExtraError(
        f"wct export needs {error.name}, which is not installed; pip install 'wct[onnx]'"
    ) from error

__all__ = ["helper", "numpy_helper", "onnx"]
