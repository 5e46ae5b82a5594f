"""The libraries of the extra `web`, or one line that says how to get them."""

from __future__ import annotations

import atexit
import os
import tempfile

from wct.errors import MissingExtraError

# Read by Gradio when it is imported. It would report to its makers, and leave folders behind.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_OFFLINE"] = "1"
_FOLDER = tempfile.TemporaryDirectory(prefix="wct-web-")
os.environ["GRADIO_TEMP_DIR"] = _FOLDER.name
atexit.register(_FOLDER.cleanup)

try:
    import gradio
    import uvicorn
    from fastapi import FastAPI
except ImportError as error:
    raise MissingExtraError(f"wct web needs {error.name}, which is not installed; pip install 'wct[web]'") from error

__all__ = ["FastAPI", "gradio", "uvicorn"]
