"""A spare room process waits for its room (``host/spare.py`` starts it and names the room)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys

from streamer.control import run_folder

_ORDER_BYTES = 256


def wait_for_room() -> str | None:
    """In the spare: block until the media host names the room. None when the host is gone.

    The room's lock comes with it; its descriptor stays open, and with it the lock, until this process ends.
    """
    stdin = sys.stdin.fileno() if sys.stdin is not None else 0
    with socket.socket(fileno=os.dup(stdin)) as channel:
        # CLOEXEC: the relay process must not hold the room's lock.
        order, locks, _, _ = socket.recv_fds(channel, _ORDER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, stdin)
    os.close(nothing)
    if not order or not locks:
        for descriptor in locks:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        return None
    return run_folder.check_room_id(order.decode())
