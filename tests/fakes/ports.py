"""Ports for servers that cannot be given a socket."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

_CHANCE = random.SystemRandom()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of 127.0.0.1, below those that the system gives to other sockets meanwhile."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    for port in _CHANCE.sample(range(10_000, first), 100):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind) as sock:
            sock.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
