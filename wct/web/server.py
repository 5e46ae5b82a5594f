"""From the command to the browser: the page behind its gate, on an address of this machine."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable

from wct.errors import UsageError, WctError
from wct.images.label import one_line
from wct.web.gate import Gate
from wct.web.libraries import uvicorn
from wct.web.page import application
from wct.web.studio import Studio

__all__ = ["LOCAL", "serve"]

LOCAL = ("127.0.0.1", "localhost", "::1")


def serve(studio: Studio, host: str, port: int, tell: Callable[[str], None], *, browser: bool = False) -> None:
    """Serve the page until Ctrl-C.

    Args:
        studio: what it works with; it is made ready while the page loads.
        host: address to listen on; on those of `LOCAL` only this machine's browsers reach it, under these names.
        port: to listen on, 0 for any free one.
        tell: told the address when the page can be opened.
        browser: open it, too.

    Raises:
        UsageError: the address cannot be listened on.
        WctError: what making the studio ready raised.
    """
    listener = _listener(host, port)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    failed: list[WctError] = []

    def prepare() -> None:
        try:
            studio.prepare()
        except WctError as error:
            failed.append(error)
            server.should_exit = True

    def started() -> None:
        tell(address)
        threading.Thread(target=prepare, daemon=True).start()
        if browser:
            webbrowser.open(address)

    with listener:
        gate = Gate(application(studio, started), studio, LOCAL if host in LOCAL else None)
        settings = uvicorn.Config(gate, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(settings)
        server.run(sockets=[listener])
    if failed:
        raise failed[0]


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UsageError(f"{host}:{port}: cannot be listened on ({one_line(error)}); choose another --port") from error
    return listener
