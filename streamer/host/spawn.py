"""Room processes: started, adopted, watched and ended by the media host."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from streamer.control.process_files import child_environment, is_locked, read_pid, room_pid_file, try_lock
from streamer.settings import Settings

ROOM_MODULE = "streamer.room.process"
HOST_MODULE = "streamer.host"


def host_command(settings: Settings, settings_file: Path) -> list[str]:
    """The command by which ``streamer serve`` starts its media host."""
    return [sys.executable, "-m", HOST_MODULE, "--data", str(settings.data), "--settings", str(settings_file)]


Fork = Callable[[str, int], Awaitable[int | None]]
"""Takes a room and the descriptor of its lock; returns the pid of our child that is the room's process, if it forked
one."""


async def no_fork(room: str, lock: int) -> int | None:
    return None


def launch(
    command: Sequence[str], *, stdin: int = subprocess.DEVNULL, pass_fds: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a process of the media plane in a session of its own, so that it outlives us. Raises OSError."""
    return subprocess.Popen(  # noqa: S603 - our own interpreter and slugs
        command,
        stdin=stdin,
        stdout=sys.stderr.fileno() if _has_stderr() else subprocess.DEVNULL,
        env=child_environment(),
        pass_fds=pass_fds,
        start_new_session=True,
    )


class RoomProcess:
    """A room process, our child or a former host's. Used on the loop only."""

    def __init__(self, pid: int, *, ours: bool) -> None:
        self.pid = pid
        self._ours = ours
        self._exit_code: int | None = None
        # A pidfd names this very process: no signal can reach another process that got its number later.
        self._pidfd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    @classmethod
    async def start(
        cls, settings: Settings, room: str, settings_file: Path, program: Sequence[str], fork: Fork = no_fork
    ) -> RoomProcess | None:
        """Start ``program --data --room --settings`` in a session of its own, or what ``fork`` has at hand instead.

        None if the room's process is alive. Raises OSError if none can be started.
        """
        path = room_pid_file(settings.run_dir, room)
        lock = try_lock(path)
        if lock is None:
            return None
        try:
            os.ftruncate(lock, 0)
            pid = await fork(room, lock)
            if pid is None:
                command = [*program, "--data", str(settings.data), "--room", room, "--settings", str(settings_file)]
                child = launch(command, pass_fds=(lock,))
                # We wait for it ourselves, as for a forked one.
                child.returncode = 0
                pid = child.pid
            os.pwrite(lock, f"{pid}\n".encode(), 0)
        finally:
            os.close(lock)
        return cls(pid, ours=True)

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
            return cls(pid, ours=False)
        return None

    @property
    def adopted(self) -> bool:
        return not self._ours

    @property
    def alive(self) -> bool:
        return not self._ended.is_set()

    @property
    def exit_code(self) -> int | None:
        """The exit code; if negative, the signal that ended it. None while it lives, and for an adopted process."""
        return self._exit_code

    def send_signal(self, number: signal.Signals) -> None:
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def wait(self) -> None:
        """Returns when it has ended and, if it is our child, is reaped. The caller sets the limit."""
        await self._ended.wait()

    async def stop(self, limit_s: float) -> None:
        """Send SIGTERM, and SIGKILL if it is still there after ``limit_s``."""
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

    def _on_end(self) -> None:
        self._release()
        if self._ours:
            with contextlib.suppress(ChildProcessError):
                self._exit_code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self._ended.set()

    def _release(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)


def _holder(path: Path, told: int | None) -> int | None:
    """The process that has the locked file open: the one whose pid is in the file, else any process that has it
    open."""
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
