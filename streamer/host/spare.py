"""A spare room process, which is started before it is needed, so that a publication does not wait for its imports.

The spare is the ordinary room program. It has done everything that needs no room, and waits on its standard input, a
socket, for a room's id and the descriptor that holds the room's lock. From then on it is that room's process, as if it
had been started with ``--room``. It ends when the media host closes the socket or is gone.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import structlog

from streamer.host import spawn
from streamer.settings import Settings
from streamer.supervision import TASKS

log = structlog.get_logger(__name__)

REFILL_S = 4.0
"""The next spare starts this long after a room took the last one: that room's opening comes first."""
RETRY_S = 30.0
"""The next spare starts this long after one that ended unused or could not be started."""


class Spare:
    """At most one process that waits for its room. Used on the loop only."""

    def __init__(self, settings: Settings, settings_file: Path, program: Sequence[str]) -> None:
        self._settings = settings
        self._settings_file = settings_file
        self._program = program
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None
        self._pidfd = -1
        self._refill: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """None if there is no spare now."""
        return self._child.pid if self._child is not None else None

    def prepare(self) -> None:
        """Start a spare unless there is one."""
        self._cancel_refill()
        if self._child is not None:
            return
        command = [*self._program, "--data", str(self._settings.data), "--settings", str(self._settings_file)]
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                child = spawn.launch([*command, "--spare"], stdin=theirs.fileno())
            pidfd = os.pidfd_open(child.pid)
        except OSError as error:
            ours.close()
            log.warning("spare_not_started", error=str(error))
            self._refill_in(RETRY_S)
            return
        ours.setblocking(False)
        self._child, self._channel, self._pidfd = child, ours, pidfd
        asyncio.get_running_loop().add_reader(pidfd, self._on_end)

    def hand_over(self, room: str, lock: int) -> subprocess.Popen[bytes] | None:
        """Make the spare the process of ``room``, whose lock it inherits. None: there is no spare, so start a process.

        The next one is started a little later.
        """
        self._refill_in(REFILL_S)
        if self._child is None or self._channel is None:
            return None
        try:
            # One message: a spare that is killed now has not received half of it.
            socket.send_fds(self._channel, [room.encode()], [lock])
        except OSError:
            return None  # it has just ended; the code that watches it handles that
        child = self._child
        self._release()
        return child

    async def close(self, limit_s: float = 5.0) -> None:
        """End the spare. It holds no data, so it is killed if it does not leave by itself."""
        self._cancel_refill()
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
        log.warning("spare_ended", pid=child.pid, code=child.wait())
        self._refill_in(RETRY_S)

    def _release(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._channel is not None:
            self._channel.close()
        self._child, self._channel, self._pidfd = None, None, -1

    def _refill_in(self, delay_s: float) -> None:
        self._cancel_refill()
        self._refill = asyncio.get_running_loop().call_later(delay_s, self._refill_now)

    def _refill_now(self) -> None:
        try:
            self.prepare()
        except Exception:
            TASKS.note("spare")
            log.exception("spare_not_prepared")
            self._refill_in(RETRY_S)

    def _cancel_refill(self) -> None:
        if self._refill is not None:
            self._refill.cancel()
            self._refill = None
