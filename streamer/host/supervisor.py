"""Starts, watches, restarts, adopts and stops the process of one room."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog

from streamer.control import process_files, run_folder
from streamer.control.channel import Channel
from streamer.control.messages import RoomConfig, RoomEntry
from streamer.errors import StreamerError
from streamer.host import memory, spawn
from streamer.settings import Settings

log = structlog.get_logger(__name__)

START_LIMIT_S = 20.0
"""A process that does not answer by then is killed and started again."""
START_POLL_S = 0.02
PING_EVERY_S = 5.0
PING_LIMIT_S = 15.0
"""A room whose loop has not answered for this long serves nobody: it is killed and restarted."""
CLOSE_LIMIT_S = 10.0
MAX_BACKOFF_S = 10.0
GOOD_RUN_S = 60.0
"""After this time up, a crash counts as the first one again."""


class RoomKeeper:
    """Keeps one room's process running until it closes by itself (exit code 0) or is stopped.

    The task ``run`` alone owns the process; the other methods ask it. All on the loop. ``on_change`` is called with
    each new :class:`RoomEntry`.
    """

    def __init__(
        self,
        settings: Settings,
        config: RoomConfig,
        settings_file: Path,
        program: Sequence[str],
        on_change: Callable[[RoomEntry], None],
        fork: spawn.Fork = spawn.no_fork,
        groups: memory.RoomGroups | None = None,
    ) -> None:
        self.config = config
        self._settings = settings
        self._settings_file = settings_file
        self._program = program
        self._on_change = on_change
        self._fork = fork
        self._groups = groups or memory.RoomGroups(None, 0)
        self._outgrown = False
        """Whether the process was ended because of its memory."""
        self._process: spawn.RoomProcess | None = None
        self._channel: Channel | None = None
        self._state = "starting"
        self._since_ms = int(time.time() * 1000)
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._config_changed = asyncio.Event()
        self._drain = False
        self.restarts = 0

    # --- for the host ------------------------------------------------------------------------------

    @property
    def entry(self) -> RoomEntry:
        pid = self._process.pid if self._process is not None and self._process.alive else 0
        return RoomEntry(
            room=self.config.id, pid=pid, state=self._state, restarts=self.restarts, since_ms=self._since_ms
        )

    @property
    def closed(self) -> bool:
        return self._state == "closed"

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    async def wait_settled(self) -> RoomEntry:
        """Returns when the room is up or closed. The caller sets the limit."""
        while self._state not in ("up", "closed"):
            changed = self._changed
            await changed.wait()
        return self.entry

    async def wait_closed(self) -> None:
        while not self.closed:
            await self._changed.wait()

    def configure(self, config: RoomConfig) -> None:
        """Keep the new config and send it to the room, now or when it is up."""
        if config != self.config:
            self.config = config
            self._save()
            self._config_changed.set()

    def stop(self, *, drain: bool) -> None:
        """End the process. ``drain``: only for now, the next media host opens the room again."""
        self._drain = self._drain or drain
        self._stopping.set()

    # --- the task -----------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until the room is closed. If it is cancelled, the process is left alone and lives on."""
        self._save()
        backoff_s = self._settings.room.restart_backoff_s
        orderly = False
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                orderly = await self._one_life()
                if orderly or self._stopping.is_set():
                    break
                if time.monotonic() - began > GOOD_RUN_S:
                    backoff_s = self._settings.room.restart_backoff_s
                self.restarts += 1
                self._become("backing_off")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(backoff_s):
                        await self._stopping.wait()
                backoff_s = min(max(backoff_s * 2, 0.1), MAX_BACKOFF_S)
        except asyncio.CancelledError:
            if self._process is not None:
                self._process.detach()
            raise
        if not self._drain:
            process_files.mark_closed(self._settings, self.config.id)
        self._become("closed")

    async def _one_life(self) -> bool:
        """One process, from its start or adoption to its end. True: it ended in an orderly way and is not needed
        again."""
        room = self.config.id
        self._become("starting")
        try:
            process = spawn.RoomProcess.adopt(self._settings, room) or await spawn.RoomProcess.start(
                self._settings, room, self._settings_file, self._program, self._fork
            )
        except OSError as error:
            log.error("room_not_started", room=room, error=str(error))
            return False
        if process is None:
            log.error("room_not_adoptable", room=room)
            return False
        self._process = process
        self._outgrown = False
        self._groups.confine(room, process.pid)
        log.info("room_adopted" if process.adopted else "room_started", room=room, pid=process.pid)
        try:
            ended = asyncio.create_task(process.wait(), name=f"room {room} end")
            care = asyncio.create_task(self._care(process), name=f"room {room} care")
            try:
                await asyncio.wait((ended, care), return_when=asyncio.FIRST_COMPLETED)
                if not process.alive:
                    care.cancel()
                await asyncio.wait((care,))
                if not care.cancelled() and (failure := care.exception()) is not None:
                    log.error("room_watch_failed", room=room, exc_info=failure)
                    await process.kill()
            finally:
                ended.cancel()
                care.cancel()
                await asyncio.gather(ended, care, return_exceptions=True)
        finally:
            if self._channel is not None:
                await self._channel.close()
                self._channel = None
        return self._was_orderly(process)

    def _was_orderly(self, process: spawn.RoomProcess) -> bool:
        room = self.config.id
        run_dir = self._settings.run_dir
        code = process.exit_code
        # The exit code of a process that is not our child is unknown, but a process that ends in an orderly way removes
        # its control socket.
        orderly = not (run_dir / run_folder.control_socket(room)).exists() if code is None else code == 0
        if self._groups.release(room) or self._outgrown:
            process_files.note_out_of_memory(self._settings, room)
            log.error("room_out_of_memory", room=room, pid=process.pid, limit_mb=self._settings.room.memory_mb)
        level = logging.INFO if orderly or self._stopping.is_set() else logging.ERROR
        log.log(level, "room_process_ended", room=room, pid=process.pid, code=code)
        with contextlib.suppress(FileNotFoundError):
            process_files.room_pid_file(run_dir, room).unlink()
        return orderly

    async def _care(self, process: spawn.RoomProcess) -> None:
        """Everything from the start of the process to its end. Returns when the process must go."""
        stop = asyncio.create_task(self._stopping.wait(), name=f"room {self.config.id} stop")
        work = asyncio.create_task(self._watch(), name=f"room {self.config.id} watch")
        weigh = asyncio.create_task(self._weigh(process), name=f"room {self.config.id} memory")
        tasks = (stop, work, weigh)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            self._outgrown = weigh.done()
        finally:
            for task in tasks:
                task.cancel()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if self._stopping.is_set():
            await self._end(process)
            return
        if process.alive and self._outgrown:
            await process.kill()
        elif process.alive:
            log.error("room_killed_silent", room=self.config.id, reason=repr(outcomes[1]))
            await process.kill()

    async def _weigh(self, process: spawn.RoomProcess) -> None:
        """Returns when the process takes more memory than it may."""
        limit = self._settings.room.memory_mb * 1024 * 1024
        while True:
            await asyncio.sleep(memory.WATCH_S)
            if memory.resident_bytes(process.pid) > limit:
                return

    async def _watch(self) -> None:
        """Returns or raises when the process is of no more use."""
        async with asyncio.timeout(START_LIMIT_S):
            await self._reach()
        self._become("up")
        while True:
            if self._channel is None or not self._channel.up:
                # It may have cut us off while the machine was stalled: only a process that cannot be reached is dead.
                async with asyncio.timeout(PING_LIMIT_S):
                    await self._reach()
            assert self._channel is not None
            try:
                await self._channel.request("hello", limit_s=PING_LIMIT_S)
                process_files.mark_open(self._settings, self.config.id)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PING_EVERY_S):
                        await self._config_changed.wait()
                if self._config_changed.is_set():
                    await self._send_config()
            except StreamerError as error:
                if error.code != "connection_lost":
                    raise
                await asyncio.sleep(START_POLL_S)

    async def _reach(self) -> None:
        """Connect to the room and send its config. The caller sets the limit."""
        name = run_folder.control_socket(self.config.id)
        while True:
            try:
                channel = await Channel.open(self._settings.run_dir, name)
            except OSError:
                await asyncio.sleep(START_POLL_S)
                continue
            if self._channel is not None:
                await self._channel.close()
            self._channel = channel
            try:
                await channel.request("hello")
                await self._send_config()
            except StreamerError as error:
                if error.code not in ("connection_lost", "timed_out"):
                    raise
                await asyncio.sleep(START_POLL_S)
                continue
            return

    async def _send_config(self) -> None:
        self._config_changed.clear()
        assert self._channel is not None
        try:
            await self._channel.request("configure", self.config, epoch=self.config.epoch)
        except StreamerError as error:
            if error.code == "connection_lost":
                raise
            log.warning("room_config_refused", room=self.config.id, error=error.message)

    async def _end(self, process: spawn.RoomProcess) -> None:
        if not self._drain and self._channel is not None and self._channel.up:
            try:
                await self._channel.request("close", limit_s=CLOSE_LIMIT_S)
                async with asyncio.timeout(CLOSE_LIMIT_S):
                    await process.wait()
            except (StreamerError, TimeoutError) as error:
                log.warning("room_not_closing", room=self.config.id, error=str(error))
        if process.alive:
            await process.stop(self._settings.server.shutdown_s)

    def _save(self) -> None:
        try:
            process_files.save_room(self._settings, self.config)
            process_files.mark_open(self._settings, self.config.id)
        except OSError as error:
            # A full disk is no reason to keep a room dark; only a restarted host would miss the record.
            log.error("room_record_not_written", room=self.config.id, error=str(error))

    def _become(self, state: str) -> None:
        if state == "closed":
            self._process = None
        self._state = state
        self._since_ms = int(time.time() * 1000)
        self._changed.set()
        self._changed = asyncio.Event()
        self._on_change(self.entry)
