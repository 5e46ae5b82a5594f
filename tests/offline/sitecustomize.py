"""Imported by every Python that the tests start: no connection leaves this machine, and attempts are written down."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

import psutil

_connect, _lookup = socket.socket.connect, socket.getaddrinfo
_ours = {address.address.partition("%")[0] for found in psutil.net_if_addrs().values() for address in found}
_ours |= {"localhost", "127.0.0.1", "::1", "0.0.0.0", "::", "", socket.gethostname()}


def _only_here(host: object) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name is None or name in _ours or str(name).startswith("127."):
        return
    with open(os.environ["OFFLINE_LOG"], "a", encoding="utf-8") as log:
        log.write(f"{name} from {' '.join(sys.argv)}\n")
    raise OSError(f"the tests have no network, and something asked for {name}")


def connect(self: socket.socket, address: Any) -> None:
    # Connecting a datagram socket sends nothing: it is how programs ask which address is theirs.
    if self.family in (socket.AF_INET, socket.AF_INET6) and self.type & socket.SOCK_STREAM:
        _only_here(address[0])
    _connect(self, address)


def lookup(host: Any, *arguments: Any, **options: Any) -> Any:
    _only_here(host)
    return _lookup(host, *arguments, **options)


if "OFFLINE_LOG" in os.environ:
    socket.socket.connect = connect  # type: ignore[method-assign,assignment]
    socket.getaddrinfo = lookup
