"""Files and processes of the media plane: settings for children, room records, pid files, starting and adopting.

Who is alive is told by locks, not by pids, which are reused: a process of the media plane holds an exclusive
``flock`` on its file in ``DIR/run`` from its first instruction to its last, however it ends. A room process
inherits its lock from the media host that starts it (``room-{id}.pid``) and keeps it when the host is gone.
Blocking file calls, all of them short.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from streamer.control import run_folder
from streamer.control.messages import RoomConfig
from streamer.errors import EXIT_FAILED
from streamer.settings import Settings

SETTINGS_FILE = "settings.json"
HOST_LOCK = "media.lock"
HOST_PID = "media.pid"
WEB_PID = "web.pid"
WEB_LOCK = "web.lock"
EPOCH_FILE = "epoch"
_PR_SET_PDEATHSIG = 1
ROOM_MODULE = "streamer.room.process"
HOST_MODULE = "streamer.host.media_host"


def write_atomically(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """A reader finds the old file or the new one, whole. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    fresh.rename(path)


def write_settings(settings: Settings) -> Path:
    """Leave the settings for the media plane's processes, without the admin token. Returns the file."""
    run_folder.make_run_dir(settings.run_dir)
    path = settings.run_dir / SETTINGS_FILE
    write_atomically(path, settings.model_dump_json(exclude={"admin_token"}).encode())
    return path


def read_settings(path: Path) -> Settings:
    """Raises OSError or pydantic.ValidationError."""
    return Settings.model_validate_json(path.read_bytes())


def child_environment() -> dict[str, str]:
    """Ours without settings: children have theirs from the file, and the admin token is not for them."""
    return {name: value for name, value in os.environ.items() if not name.upper().startswith("STREAMER_")}


# --- what is kept of a room between processes -----------------------------------------------------


def save_room(settings: Settings, config: RoomConfig) -> None:
    """Keep what a restarted room process must know, in ``DIR/rooms/{id}/room.json``."""
    write_atomically(settings.room_dir(config.id) / "room.json", msgspec.json.encode(config))


def load_room(settings: Settings, room: str) -> RoomConfig | None:
    """None if there is none or it cannot be read."""
    try:
        config = msgspec.json.decode((settings.room_dir(room) / "room.json").read_bytes(), type=RoomConfig)
    except (OSError, msgspec.MsgspecError):
        return None
    return config if config.id == room else None


def save_epoch(settings: Settings, room: str, epoch: int) -> None:
    """Keep the highest epoch that a room has obeyed. Raises OSError."""
    write_atomically(settings.room_dir(room) / EPOCH_FILE, f"{epoch}\n".encode())


def load_epoch(settings: Settings, room: str) -> int:
    """0 where none is kept."""
    return read_pid(settings.room_dir(room) / EPOCH_FILE) or 0


def highest_epoch(settings: Settings) -> int:
    """Of all rooms of this machine."""
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


# --- locks and pid files ---------------------------------------------------------------------------


def try_lock(path: Path) -> int | None:
    """An open descriptor that holds the exclusive lock on ``path``, or None if somebody else does."""
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


def is_locked(path: Path) -> bool:
    """Whether a process lives that holds the lock."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
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


# --- processes ---------------------------------------------------------------------------------------


def host_command(settings: Settings, settings_file: Path) -> list[str]:
    """How ``streamer serve`` starts a media host of its own."""
    return [sys.executable, "-m", HOST_MODULE, "--data", str(settings.data), "--settings", str(settings_file)]


Warm = Callable[[str, int], "subprocess.Popen[bytes] | None"]
"""Takes a room and the descriptor of its lock; answers a waiting process that is the room's from now on, if any."""


def no_spare(room: str, lock: int) -> subprocess.Popen[bytes] | None:
    return None


def launch(
    command: Sequence[str], *, stdin: int = subprocess.DEVNULL, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """A process of the media plane, in a session of its own, which outlives us. Raises OSError."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and slugs
        command,
        stdin=stdin,
        stdout=sys.stderr.fileno() if _has_stderr() else subprocess.DEVNULL,
        env=child_environment(),
        pass_fds=pass_fds,
        start_new_session=True,
    )


class RoomProcess:
    """A room process, our child or a former host's. Loop only."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self._child = child
        # A pidfd names this very process: no signal ever reaches one that has got its number.
        self._pidfd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    @classmethod
    def start(
        cls, settings: Settings, room: str, settings_file: Path, program: Sequence[str], warm: Warm = no_spare
    ) -> RoomProcess | None:
        """Start ``program --data --room --settings`` in a session of its own. None if the room's process is alive.

        ``warm`` may have a process at hand that becomes the room's. Raises OSError if none can be started.
        """
        path = room_pid_file(settings.run_dir, room)
        lock = try_lock(path)
        if lock is None:
            return None
        try:
            os.ftruncate(lock, 0)
            command = [*program, "--data", str(settings.data), "--room", room, "--settings", str(settings_file)]
            child = warm(room, lock) or launch(command, pass_fds=(lock,))
            os.pwrite(lock, f"{child.pid}\n".encode(), 0)
        finally:
            os.close(lock)
        return cls(child.pid, child)

    @classmethod
    def adopt(cls, settings: Settings, room: str) -> RoomProcess | None:
        """Take over the process that a former media host started. None if there is none."""
        path = room_pid_file(settings.run_dir, room)
        if not is_locked(path):
            return None
        pid = _holder(path, read_pid(path))
        if pid is None:
            return None
        with contextlib.suppress(ProcessLookupError):
            return cls(pid, None)
        return None

    @property
    def adopted(self) -> bool:
        return self._child is None

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """Negative: the signal that ended it. None while it lives, and for an adopted one."""
        return self._child.returncode if self._child is not None else None

    def send_signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> None:
        """Until it has ended and, as our child, is reaped. The caller sets the limit."""
        await self._ended.wait()

    async def stop(self, limit_s: float) -> None:
        """SIGTERM, and SIGKILL for one that is still there after ``limit_s``."""
        self.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limit_s):
                await self.wait()
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self.wait()

    def detach(self) -> None:
        """Watch it no longer; it lives on."""
        if self.alive:
            self._release()
            if self._child is not None:
                # A child that outlives its parent on purpose: no warning about it.
                self._child.returncode = 0

    def _on_end(self) -> None:
        self._release()
        if self._child is not None:
            self._child.wait()
        self._ended.set()

    def _release(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)


def _holder(path: Path, told: int | None) -> int | None:
    """The process that has the locked file open: the one whose pid the file tells, else whichever does."""
    if told is not None and _has_open(told, path):
        return told
    # A media host that was killed between starting a room and writing its pid leaves an empty file.
    others = (int(name) for name in os.listdir("/proc") if name.isdecimal())
    return next((pid for pid in others if pid != os.getpid() and _has_open(pid, path)), None)


def _has_open(pid: int, path: Path) -> bool:
    folder = f"/proc/{pid}/fd"
    try:
        wanted = path.stat()
        for name in os.listdir(folder):
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.stat(f"{folder}/{name}"), wanted):
                    return True
    except OSError:
        return False
    return False


def _has_stderr() -> bool:
    try:
        sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    return True


def die_with_parent(parent: int) -> None:
    """End at once when the process that started us is killed. SystemExit if it is gone already."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(EXIT_FAILED)
