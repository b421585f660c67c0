"""Files that the processes of both planes share: settings for children, room records, locks, pid files.

Locks tell which processes are alive; pids are reused and cannot. A process of the media plane holds an exclusive
``flock`` on its file in ``DIR/run`` from its first instruction to its last, however it ends. A room process inherits
its lock from the media host that starts it (``room-{id}.pid``) and keeps it when the host is gone. The file calls
block, but are short.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from streamer.control import run_folder
from streamer.control.messages import RoomConfig
from streamer.errors import EXIT_FAILED

if TYPE_CHECKING:
    from streamer.settings import Settings

SETTINGS_FILE = "settings.json"
HOST_LOCK = "media.lock"
HOST_PID = "media.pid"
WEB_PID = "web.pid"
WEB_LOCK = "web.lock"
FRONT_PID = "front-{number}.pid"
EPOCH_FILE = "epoch"
TOLD_FOR_S = 600.0
"""The crew is told for this long that a room was ended because of its memory."""
_PR_SET_PDEATHSIG = 1


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A reader finds the old file or the new one, complete. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    fresh.rename(path)


def write_settings(settings: Settings) -> Path:
    """Write the settings for the processes of the media plane, without the admin token. Returns the file."""
    run_folder.make_run_dir(settings.run_dir)
    path = settings.run_dir / SETTINGS_FILE
    write_atomically(path, settings.model_dump_json(exclude={"admin_token"}).encode())
    return path


def read_settings(path: Path) -> Settings:
    """Raises OSError or pydantic.ValidationError."""
    # A decoder lives for a tenth of a second, and reads no settings: to import them would double that.
    from streamer.settings import Settings

    return Settings.model_validate_json(path.read_bytes())


def child_environment() -> dict[str, str]:
    """Our environment without settings: children read them from the file, and must not get the admin token."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("STREAMER_")}


# --- records of rooms -----------------------------------------------------------------------------


def save_room(settings: Settings, config: RoomConfig) -> None:
    """Store the config for a restart of the room process, in ``DIR/rooms/{id}/room.json``."""
    write_atomically(settings.room_dir(config.id) / "room.json", msgspec.json.encode(config))


def load_room(settings: Settings, room: str) -> RoomConfig | None:
    """None if the file is missing or cannot be read."""
    try:
        config = msgspec.json.decode((settings.room_dir(room) / "room.json").read_bytes(), type=RoomConfig)
    except (OSError, msgspec.MsgspecError):
        return None
    return config if config.id == room else None


def save_epoch(settings: Settings, room: str, epoch: int) -> None:
    """Store the highest epoch that a room has obeyed. Raises OSError."""
    write_atomically(settings.room_dir(room) / EPOCH_FILE, f"{epoch}\n".encode())


def load_epoch(settings: Settings, room: str) -> int:
    """0 if none is stored."""
    return read_pid(settings.room_dir(room) / EPOCH_FILE) or 0


def highest_epoch(settings: Settings) -> int:
    """The highest epoch of all rooms of this machine."""
    return max((read_pid(path) or 0 for path in settings.room_dir("x").parent.glob(f"*/{EPOCH_FILE}")), default=0)


def mark_open(settings: Settings, room: str) -> None:
    """Note that the room is open now: a media host that starts within ``close_after_s`` opens it again."""
    (settings.run_dir / f"room-{room}.open").touch(mode=0o600)


def mark_closed(settings: Settings, room: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        (settings.run_dir / f"room-{room}.open").unlink()


def rooms_marked_open(settings: Settings, *, now_s: float) -> list[str]:
    """Rooms that were open at most ``close_after_s`` ago. ``now_s`` is time.time()."""
    found = []
    for marker in sorted(settings.run_dir.glob("room-*.open")):
        room = marker.name.removeprefix("room-").removesuffix(".open")
        with contextlib.suppress(FileNotFoundError):
            if now_s - marker.stat().st_mtime <= settings.room.close_after_s:
                found.append(room)
            else:
                marker.unlink()
    return found


def _memory_marker(settings: Settings, room: str) -> Path:
    return settings.run_dir / f"room-{room}.memory"


def note_out_of_memory(settings: Settings, room: str) -> None:
    """Note for the room's next process that this one was ended because of its memory."""
    with contextlib.suppress(OSError):
        _memory_marker(settings, room).touch(mode=0o600)


def was_out_of_memory(settings: Settings, room: str) -> bool:
    """Whether this happened in the last ten minutes."""
    try:
        return time.time() - _memory_marker(settings, room).stat().st_mtime < TOLD_FOR_S
    except OSError:
        return False


# --- locks and pid files ---------------------------------------------------------------------------


def try_lock(path: Path) -> int | None:
    """An open descriptor that holds the exclusive lock on ``path``, or None if another process holds it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def wait_for_lock(path: Path) -> int:
    """As :func:`try_lock`, when the process that holds it has let it go or died. Blocks the whole process until then,
    but for signals."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return descriptor


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def host_is_running(run_dir: Path) -> bool:
    """Whether a media host holds the data folder."""
    return is_locked(run_dir / HOST_LOCK)


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def room_pid_file(run_dir: Path, room: str) -> Path:
    return run_dir / f"room-{run_folder.check_room_id(room)}.pid"


def rooms_running(run_dir: Path) -> list[str]:
    """Rooms whose process is alive, whoever started it."""
    rooms = []
    for path in sorted(run_dir.glob("room-*.pid")):
        room = path.name.removeprefix("room-").removesuffix(".pid")
        if is_locked(path):
            rooms.append(room)
    return rooms


def die_with_parent(parent: int) -> None:
    """Have this process end at once when its parent is killed. Raises SystemExit if the parent is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(EXIT_FAILED)
