"""The media host: one per machine and data folder. It starts, watches and restarts room processes, and answers requests
about them on ``DIR/run/media.sock``.

It is small on purpose: it touches no media, so a bad stream cannot bring it down. It outlives a killed ``serve`` that
started it; the next ``serve`` connects to it. When the host itself is killed, its rooms live on and the next host
adopts them.

``python -m streamer.host --data DIR --settings FILE`` runs one.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import structlog

from streamer.control import process_files, run_folder
from streamer.control.messages import PROTOCOL_VERSION, RoomConfig, RoomEntry
from streamer.control.server import ControlServer, typed
from streamer.errors import NotFound, StreamerError, Unavailable
from streamer.host import memory, spawn
from streamer.host.fork_server import ForkServer
from streamer.host.supervisor import RoomKeeper
from streamer.observe.logs import configure_logging
from streamer.settings import Settings
from streamer.supervision import start_kept

log = structlog.get_logger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_ALREADY_RUNNING = 75
"""Another media host holds the data folder (EX_TEMPFAIL): connect to that one."""
ENSURE_LIMIT_S = 12.0
LOCK_ATTEMPTS = 20
LOCK_POLL_S = 0.1


class StopParams(msgspec.Struct):
    room: str


class ShutdownParams(msgspec.Struct):
    rooms: bool = True


class MediaHost:
    """The rooms of a machine. All on the loop; the caller of :meth:`start` holds the folder's lock."""

    def __init__(
        self,
        settings: Settings,
        *,
        program: Sequence[str] = (sys.executable, "-m", spawn.ROOM_MODULE),
    ) -> None:
        self._settings = settings
        self._program = program
        self._settings_file = settings.run_dir / process_files.SETTINGS_FILE
        self._fork_server = ForkServer(settings, self._settings_file, program)
        self._groups = memory.RoomGroups.of_service(settings.room.memory_mb)
        self._rooms: dict[str, RoomKeeper] = {}
        self._tasks: dict[RoomKeeper, asyncio.Task[None]] = {}
        self._leaving = asyncio.Event()
        self._leave_rooms = False
        self._server = ControlServer(
            settings.run_dir / run_folder.MEDIA_SOCKET,
            {
                "hello": self._hello,
                "ensure": typed(RoomConfig, self.ensure),
                "list": self._list,
                "stop": typed(StopParams, self._stop),
                "shutdown": typed(ShutdownParams, self._shutdown),
            },
        )

    async def start(self) -> None:
        """Write the children's settings, find the rooms of a former host and listen. Raises OSError."""
        # The epochs of closed rooms count, too.
        self._server.epoch = await asyncio.to_thread(process_files.highest_epoch, self._settings)
        process_files.write_settings(self._settings)
        run_dir = self._settings.run_dir
        alive = process_files.rooms_running(run_dir)
        for room in sorted({*alive, *process_files.rooms_marked_open(self._settings, now_s=time.time())}):
            config = process_files.load_room(self._settings, room)
            if config is None:
                log.error("room_record_unreadable", room=room)
                config = RoomConfig(id=room, name=room)
            self._keep(config)
        await self._server.start()
        if self._settings.room.warm_spare:
            self._fork_server.start()

    async def run(self) -> None:
        """Runs until :meth:`leave`; then the rooms are drained (or left alone) and the socket is closed."""
        await self._leaving.wait()
        await self._fork_server.close()
        if not self._leave_rooms:
            for keeper in self._rooms.values():
                keeper.stop(drain=True)
            if self._tasks:
                await asyncio.wait(self._tasks.values(), timeout=self._settings.server.shutdown_s + 5)
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        await self._server.close()

    def leave(self, *, rooms: bool = True) -> None:
        """End the host. ``rooms``: also end their processes in an orderly way; otherwise they wait for the next
        host."""
        self._leave_rooms = not rooms
        self._leaving.set()

    @property
    def entries(self) -> list[RoomEntry]:
        return [keeper.entry for keeper in self._rooms.values()]

    async def ensure(self, config: RoomConfig) -> RoomEntry:
        """Have the room running with this config. Returns when its sockets answer. Several callers at once are allowed.

        Errors: ``too_many_rooms`` 503, ``room_start_failed`` 503, ``bad_room_id`` 400.
        """
        run_folder.check_room_id(config.id)
        try:
            async with asyncio.timeout(ENSURE_LIMIT_S):
                while not self._leaving.is_set():
                    keeper = self._rooms.get(config.id)
                    if keeper is not None and keeper.stopping:
                        await keeper.wait_closed()
                        keeper = None
                    if keeper is None or keeper.closed:
                        if len(self._tasks) >= self._settings.room.max_rooms:
                            raise Unavailable(
                                f"This machine runs {self._settings.room.max_rooms} rooms at once.",
                                code="too_many_rooms",
                                headers={"Retry-After": "30"},
                            )
                        keeper = self._keep(config)
                    else:
                        keeper.configure(config)
                    entry = await keeper.wait_settled()
                    if entry.state == "up":
                        return entry
        except TimeoutError:
            pass
        raise Unavailable("The room could not be started.", code="room_start_failed", headers={"Retry-After": "5"})

    def _keep(self, config: RoomConfig) -> RoomKeeper:
        fork = self._fork_server.fork if self._settings.room.warm_spare else spawn.no_fork
        keeper = RoomKeeper(
            self._settings, config, self._settings_file, self._program, self._changed, fork, self._groups
        )
        self._rooms[config.id] = keeper
        task = start_kept("room keeper", keeper.run, task_name=f"room {config.id}")
        self._tasks[keeper] = task
        task.add_done_callback(lambda done: self._ended(keeper, done))
        return keeper

    def _ended(self, keeper: RoomKeeper, task: asyncio.Task[None]) -> None:
        self._tasks.pop(keeper, None)
        room = keeper.config.id
        if self._rooms.get(room) is keeper:
            del self._rooms[room]
            self._server.forget("room", key=room)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("room_keeper_failed", room=room, exc_info=error)

    def _changed(self, entry: RoomEntry) -> None:
        self._server.publish("room", entry, key=entry.room)

    # --- requests -------------------------------------------------------------------------------------

    async def _hello(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"version": PROTOCOL_VERSION, "pid": os.getpid()}

    async def _list(self, params: dict[str, Any]) -> list[RoomEntry]:
        return self.entries

    async def _stop(self, params: StopParams) -> None:
        keeper = self._rooms.get(params.room)
        if keeper is None:
            raise NotFound("This room is not open.", code="no_such_room")
        keeper.stop(drain=False)

    async def _shutdown(self, params: ShutdownParams) -> None:
        self.leave(rooms=params.rooms)


async def run_host(settings: Settings, *, program: Sequence[str] = (sys.executable, "-m", spawn.ROOM_MODULE)) -> int:
    """A media host from its start to SIGTERM or SIGINT, which drain it. Returns the exit code.

    Runs in the main thread (signals). ``EXIT_ALREADY_RUNNING`` if another host holds the data folder.
    """
    run_dir = run_folder.make_run_dir(settings.run_dir)
    lock = await _take_lock(run_dir / process_files.HOST_LOCK)
    if lock is None:
        log.warning("media_host_already_running", data=str(settings.data))
        return EXIT_ALREADY_RUNNING
    pid_file = run_dir / process_files.HOST_PID
    loop = asyncio.get_running_loop()
    try:
        host = MediaHost(settings, program=program)
        await host.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, host.leave)
        process_files.write_atomically(pid_file, f"{os.getpid()}\n".encode())
        log.info("media_host_started", pid=os.getpid(), data=str(settings.data))
        try:
            await host.run()
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
        return EXIT_OK
    except (OSError, StreamerError) as error:
        log.error("media_host_failed", data=str(settings.data), error=str(error))
        return EXIT_FAILED
    finally:
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()
        os.close(lock)


async def _take_lock(path: Path) -> int | None:
    # Another process that only checks for a host holds the lock for a moment, so try more than once.
    for _ in range(LOCK_ATTEMPTS):
        if (lock := process_files.try_lock(path)) is not None:
            return lock
        await asyncio.sleep(LOCK_POLL_S)
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    """The process that ``serve`` starts (:func:`streamer.host.spawn.host_command`)."""
    parser = argparse.ArgumentParser(prog="streamer.host")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--settings", type=Path, required=True)
    options = parser.parse_args(arguments)
    settings = process_files.read_settings(options.settings)
    if settings.data != options.data:
        settings = settings.model_copy(update={"data": options.data})
    configure_logging(settings.log, role="media")
    return asyncio.run(run_host(settings))


if __name__ == "__main__":
    # A `serve` of an older program starts it by this name.
    sys.exit(main())
