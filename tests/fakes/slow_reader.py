"""Clients that ask and do not read. Their segments and window are small: the kernel takes some kilobytes for them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit


class SlowReader:
    """A connection that has sent a request. ``at`` is the address that it comes from, one of 127.0.0.0/8."""

    def __init__(self, url: str, *, at: str = "127.0.0.1") -> None:
        parts = urlsplit(url)
        self._there = (parts.hostname, parts.port)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self.sock.bind((at, 0))
        self.sock.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def ask(self, path: str, headers: Iterable[str] = ()) -> None:
        """Connects, and sends a GET."""
        await self.connect()
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._there[0]}:{self._there[1]}", *headers, "", ""]
        await self.send("\r\n".join(lines).encode())

    async def connect(self) -> None:
        await asyncio.get_running_loop().sock_connect(self.sock, self._there)

    async def first_line(self) -> str:
        """The first line of the answer, a few bytes; the rest is not read."""
        got = await asyncio.get_running_loop().sock_recv(self.sock, 64)
        return got.split(b"\r\n")[0].decode()

    @property
    def cut(self) -> bool:
        """Whether the other side has ended the connection. Bytes that lie here unread do not hide a reset."""
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        state = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return bool(error) or state not in (1, 2, 3)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()
