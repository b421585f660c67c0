"""The fork server: a room program that has done its imports once, and forks a process for each room that opens.

Imports take half a second of CPU and most of an idle room's memory; forked rooms share both. The fork server waits on
its standard input, a socket. An order is a room's id with two descriptors: the room's lock, and a socket of this one
order. There the fork server tells the new process's pid, and the new process waits for our word before it begins: a
fork that comes too late does nothing. The process is our child, as if we had started it with ``--room``.

The fork server ends when the media host closes the socket or is gone, and when files of the program or of its libraries
have changed: what an upgrade brings is not mixed with what was loaded before. Whenever it does not fork, rooms are
started as programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import structlog

from streamer.host import spawn
from streamer.settings import Settings
from streamer.supervision import TASKS

log = structlog.get_logger(__name__)

FORK_LIMIT_S = 6.0
"""A fork server that has not forked by then, its imports included, is killed."""
RENEW_S = 4.0
"""The next fork server starts this long after one that ended because of an upgrade: the room's opening comes first."""
RETRY_S = 30.0
"""The next fork server starts this long after one that was killed or could not be started."""
_PID_BYTES = 32
_PR_SET_CHILD_SUBREAPER = 36


class ForkServer:
    """At most one process that forks rooms. Used on the loop only."""

    def __init__(self, settings: Settings, settings_file: Path, program: Sequence[str]) -> None:
        self._settings = settings
        self._settings_file = settings_file
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._pidfd = -1
        self._again: asyncio.TimerHandle | None = None
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """None if there is no fork server now."""
        return self._child.pid if self._child is not None else None

    def start(self) -> None:
        """Start the fork server unless there is one. It does its imports while rooms may already be ordered."""
        self._cancel_timer()
        if self._child is not None:
            return
        command = [*self._program, "--data", str(self._settings.data), "--settings", str(self._settings_file)]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                child = spawn.launch([*command, "--fork-server"], stdin=theirs.fileno())
            pidfd = os.pidfd_open(child.pid)
        except OSError as error:
            ours.close()
            log.warning("fork_server_not_started", error=str(error))
            self._start_in(RETRY_S)
            return
        ours.setblocking(False)
        self._child, self._channel, self._pidfd = child, ours, pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._on_end)

    async def fork(self, room: str, lock: int) -> int | None:
        """The pid of a new process for ``room``, our child, which inherits the lock. None: start it as a program."""
        async with self._turn:
            child = self._child
            if child is None or self._channel is None:
                return None
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with ours, contextlib.suppress(OSError, ValueError):
                ours.setblocking(False)
                with theirs:
                    # One message: a process that is killed now has not received half of it.
                    socket.send_fds(self._channel, [room.encode()], [lock, theirs.fileno()])
                try:
                    with _orphans_are_ours():
                        async with asyncio.timeout(FORK_LIMIT_S):
                            told = await asyncio.get_running_loop().sock_recv(ours, _PID_BYTES)
                    pid = int(told)
                    ours.send(b"begin")
                    return pid
                except TimeoutError:
                    log.warning("fork_server_silent", pid=child.pid)
                    child.kill()
            return None

    async def close(self, limit_s: float = 5.0) -> None:
        """End the fork server; its rooms live on. It holds no data, so it is killed if it does not leave by itself."""
        self._cancel_timer()
        child = self._child
        if child is None:
            return
        self._release()
        # During its imports it does not read the socket.
        child.terminate()
        try:
            await asyncio.to_thread(child.wait, limit_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()

    def _on_end(self) -> None:
        child = self._child
        assert child is not None
        self._release()
        code = child.wait()
        log.log(logging.WARNING if code else logging.INFO, "fork_server_ended", pid=child.pid, code=code)
        self._start_in(RENEW_S if code == 0 else RETRY_S)

    def _release(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._channel is not None:
            self._channel.close()
        self._child, self._channel, self._pidfd = None, None, -1

    def _start_in(self, delay_s: float) -> None:
        self._cancel_timer()
        self._again = asyncio.get_running_loop().call_later(delay_s, self._start_now)

    def _start_now(self) -> None:
        try:
            self.start()
        except Exception:
            TASKS.note("fork server")
            log.exception("fork_server_failed")
            self._start_in(RETRY_S)

    def _cancel_timer(self) -> None:
        if self._again is not None:
            self._again.cancel()
            self._again = None


@contextlib.contextmanager
def _orphans_are_ours() -> Iterator[None]:
    """Meanwhile a descendant whose parent ends becomes our child, so that we can wait for it (prctl(2)).

    Not for longer: the relay of a room that was killed is an orphan, too, and init waits for it.
    """
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
