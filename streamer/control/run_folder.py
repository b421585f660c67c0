"""Unix sockets in ``DIR/run``.

Only the service's user can open them (file 0600 in a folder 0700). A Unix address holds 107 bytes and a data
folder may lie deeper than that, so addresses are ``/proc/self/fd/N/name`` with N an open folder.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import BadRequest

MEDIA_SOCKET = "media.sock"
CORE_SOCKET = "core.sock"
BUS_SOCKET = "bus.sock"
_ROOM_ID = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?")
_CONTROL_NAME = re.compile(r"room-(.+)\.control\.sock")
_BACKLOG = 64


def check_room_id(room: str) -> str:
    """A room's id becomes part of file names, so only a slug of at most 64 characters passes.

    Raises BadRequest ``bad_room_id``.
    """
    if not _ROOM_ID.fullmatch(room):
        raise BadRequest("A room's id is a slug: a-z, 0-9, - and _.", code="bad_room_id")
    return room


def control_socket(room: str) -> str:
    return f"room-{check_room_id(room)}.control.sock"


def data_socket(room: str) -> str:
    return f"room-{check_room_id(room)}.data.sock"


def rooms_with_sockets(run_dir: Path) -> list[str]:
    """Rooms that have a control socket in the folder, whether or not a process listens."""
    try:
        names = sorted(os.listdir(run_dir))
    except FileNotFoundError:
        return []
    found = (_CONTROL_NAME.fullmatch(name) for name in names)
    return [match.group(1) for match in found if match and _ROOM_ID.fullmatch(match.group(1))]


def make_run_dir(run_dir: Path) -> Path:
    """Make the folder if it is missing, and close it to others in any case."""
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    run_dir.chmod(0o700)
    return run_dir


@contextlib.contextmanager
def short_address(run_dir: Path, name: str) -> Iterator[str]:
    """An address for ``run_dir/name`` of bounded length; valid within the block only."""
    folder = os.open(run_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{name}"
    finally:
        os.close(folder)


def listen(run_dir: Path, name: str) -> socket.socket:
    """A listening, non-blocking stream socket at ``run_dir/name``, instead of any file that was there.

    The socket is bound under another name and renamed when it listens. So a process that finds the file finds a
    listener, and the file of a killed process is never in the way. Raises OSError.
    """
    make_run_dir(run_dir)
    fresh = f".{name}.{os.getpid()}"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        # Linux takes a Unix socket file's mode from the socket's own inode, so the mode is never wider for a moment.
        os.fchmod(sock.fileno(), 0o600)
        with contextlib.suppress(FileNotFoundError):
            (run_dir / fresh).unlink()
        with short_address(run_dir, fresh) as address:
            sock.bind(address)
        sock.listen(_BACKLOG)
        (run_dir / fresh).rename(run_dir / name)
    except BaseException:
        sock.close()
        with contextlib.suppress(FileNotFoundError):
            (run_dir / fresh).unlink()
        raise
    return sock


def connect(run_dir: Path, name: str) -> socket.socket:
    """A connected, non-blocking stream socket. Never waits: a Unix socket connects or refuses at once.

    Raises OSError: FileNotFoundError (no file), ConnectionRefusedError (no listener), BlockingIOError (the listener's
    backlog is full).
    """
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        with short_address(run_dir, name) as address:
            sock.connect(address)
    except BaseException:
        sock.close()
        raise
    return sock


def remove(run_dir: Path, name: str) -> None:
    """Remove a socket file, if it is there."""
    with contextlib.suppress(FileNotFoundError):
        (run_dir / name).unlink()
