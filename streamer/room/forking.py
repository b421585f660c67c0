"""A room program that gets its room later: the fork server forks a process for each (``host/fork_server.py``)."""

from __future__ import annotations

import os
import socket
import sys
from contextlib import suppress

from streamer.control import run_folder
from streamer.errors import EXIT_FAILED
from streamer.starting import program_files

_ORDER_BYTES = 256
_PID_BYTES = 32


def fork_rooms() -> str | None:
    """Fork a process for each room that the media host names, and return the room in each of them.

    None in the fork server itself, when the host is gone or files of the program or its libraries have changed. It has
    no loop, and no threads but those that their library ends at a fork by itself (OpenBLAS).
    """
    files = program_files()
    with _channel() as channel:
        while True:
            # CLOEXEC: the relay process must not hold the room's lock.
            order, descriptors, _, _ = socket.recv_fds(channel, _ORDER_BYTES, 2, socket.MSG_CMSG_CLOEXEC)
            if not order or len(descriptors) != 2 or program_files() != files:
                return None
            lock, asker = descriptors
            with socket.socket(fileno=asker) as answers:
                pid = _fork_orphan()
                if pid:
                    with suppress(OSError):
                        answers.send(str(pid).encode())
                elif answers.recv(_ORDER_BYTES):
                    # The lock's descriptor stays open, and with it the lock, until this process ends.
                    os.setsid()
                    _close_stdin()
                    return run_folder.check_room_id(order.decode())
                else:
                    # The host gave this process up, and has started a program instead.
                    os._exit(EXIT_FAILED)
            os.close(lock)


def wait_for_room() -> str | None:
    """Wait for one room and be its process: a media host from before an upgrade may ask for that.

    None when the host is gone. The room's lock comes with it, as above.
    """
    with _channel() as channel:
        order, locks, _, _ = socket.recv_fds(channel, _ORDER_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    _close_stdin()
    return run_folder.check_room_id(order.decode()) if order and locks else None


def _fork_orphan() -> int:
    """Fork a process that is not our child. Returns its pid, and 0 in it. Raises SystemExit if none can be forked.

    When this returns, the process between the two has ended, and the other one's parent is the media host.
    """
    reader, writer = os.pipe()
    with open(reader, "rb") as told, open(writer, "wb", buffering=0) as teller:
        try:
            between = os.fork()
        except OSError:
            sys.exit(EXIT_FAILED)
        if not between:
            pid = -1
            with suppress(OSError):
                pid = os.fork()
                if pid > 0:
                    teller.write(str(pid).encode())
            if pid:
                os._exit(0)
            return 0
        teller.close()
        os.waitpid(between, 0)
        pid_told = told.read(_PID_BYTES)
    if not pid_told:
        sys.exit(EXIT_FAILED)
    return int(pid_told)


def _channel() -> socket.socket:
    """Our standard input, which is a socket to the media host."""
    return socket.socket(fileno=os.dup(_stdin()))


def _close_stdin() -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, _stdin())
    os.close(nothing)


def _stdin() -> int:
    return sys.stdin.fileno() if sys.stdin is not None else 0
