"""The gate: of all that Gradio answers, what the page needs. ASGI, around the application."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from wct.web.studio import Studio

__all__ = ["Gate"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

# Gradio also answers requests for files and addresses, uploads, functions of components, a proxy and an editor of
# source code. Nothing of that is needed, for files come in and go out within events.
_READ = re.compile(r"/|/config|/theme\.css|/favicon\.ico|/manifest\.json|/(assets|static)/[\w./-]+")
_STREAM = "/gradio_api/queue/data"
"""All answers to the events of a page; it ends when the page is closed."""
_ALIVE = re.compile(r"/gradio_api/heartbeat/\w+")
_WRITE = re.compile(r"/gradio_api/queue/join")
_RESULT = re.compile(r"/result/([\w-]{20,60})")

_HEADERS = {
    b"content-security-policy": b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; "
    b"style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; frame-ancestors 'self'",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
"""Whatever a script of a library tries, the browser asks no other server."""

_ENVELOPE = 2**16
"""Bytes of a request beside a file."""


class Gate:
    """Lets requests through that the page makes, and answers those for results itself.

    Args:
        application: what is behind the gate.
        studio: has the results, and the limits.
        hosts: names under which the page may be asked for; None for any. Other names on a local address are those of
            foreign pages that try to reach it ("DNS rebinding").
    """

    def __init__(self, application: Application, studio: Studio, hosts: Iterable[str] | None) -> None:
        self.application, self.studio = application, studio
        self.hosts = None if hosts is None else frozenset(hosts)
        self.most = studio.limits.bytes * 4 // 3 + _ENVELOPE

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.application(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, _with_headers(send))

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        if not self._is_own(scope):
            await _refuse(send, 403, "this page is not reached under that name")
        elif method in ("GET", "HEAD") and (found := _RESULT.fullmatch(path)):
            await self._give(found[1], send)
        elif method == "GET" and path == _STREAM:
            try:
                await self.application(scope, receive, send)
            finally:
                self.studio.leave(parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0])
        elif method == "GET" and _ALIVE.fullmatch(path):
            # Gradio would hold this open as well, and browsers have six connections to a server, over all tabs.
            await _send(send, 200, b"data: ALIVE\n\n", "text/event-stream", {})
        elif method in ("GET", "HEAD") and _READ.fullmatch(path) and ".." not in path:
            await self.application(scope, receive, send)
        elif method == "POST" and _WRITE.fullmatch(path):
            await self._pass_on(scope, receive, send)
        else:
            await _refuse(send, 404, "there is no such page")

    def _is_own(self, scope: Message) -> bool:
        """Whether a request comes to a name of ours, and from a page of ours if from any."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        try:
            known = self.hosts is None or urlsplit(f"//{host}").hostname in self.hosts
            return known and (not origin or urlsplit(origin).netloc == host)
        except ValueError:  # no address at all
            return False

    async def _give(self, token: str, send: Send) -> None:
        result = self.studio.result(token)
        if result is None:
            await _refuse(send, 404, "this result is gone; make it again")
            return
        name = result.name.encode("ascii", "replace").decode().replace('"', "_").replace("?", "_")
        await _send(send, 200, result.png, "image/png", {b"content-disposition": f'attachment; filename="{name}"'})

    async def _pass_on(self, scope: Message, receive: Receive, send: Send) -> None:
        """An event of the page, once it has come in whole and is not too large."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > self.most:
                await _refuse(send, 413, f"more than {self.studio.limits.bytes / 2**20:g} MB")
                return
            if not message.get("more_body"):
                break
        try:
            named = _names_file(json.loads(body))
        except (ValueError, RecursionError):
            named = True
        if named:
            await _refuse(send, 400, "requests must not name files or addresses")
            return
        whole: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

        async def again() -> Message:
            return whole.pop() if whole else await receive()

        await self.application(scope, again, send)


def _names_file(value: Any) -> bool:
    """Whether there is anywhere what Gradio takes for a file: a path that it opens, or an address that it fetches."""
    if isinstance(value, dict):
        return "path" in value or any(map(_names_file, value.values()))
    return isinstance(value, list) and any(map(_names_file, value))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *_HEADERS.items()]}
        await send(message)

    return sending


async def _refuse(send: Send, status: int, why: str) -> None:
    await _send(send, status, f"{why}\n".encode(), "text/plain; charset=utf-8", {})


async def _send(send: Send, status: int, body: bytes, kind: str, more: dict[bytes, str]) -> None:
    headers = {b"content-type": kind, b"content-length": str(len(body)), b"cache-control": "no-store"} | more
    encoded = [(name, value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body})
