"""The supervisor behind ``streamer serve``: a media host and a web process side by side.

It binds the listening sockets itself and gives them to the web process, so that clients find a listener during its
restart. With ``server.web_processes`` it gives them to front processes instead, each its own. With ``server.standby``
there are two web processes: one acts, the other is started and waits for the first one's lock. Each child is restarted
without the others. A media host that outlived a former ``serve`` is adopted with its rooms; one that another ``serve``
runs (``--role media``) is used and left alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import structlog

from streamer import data_folder
from streamer.control import process_files, run_folder
from streamer.descriptors import raise_limit
from streamer.errors import EXIT_FAILED, StreamerError
from streamer.host import spawn
from streamer.host.media_host import EXIT_ALREADY_RUNNING, run_host
from streamer.links import public_url
from streamer.settings import Settings
from streamer.supervision import start_kept

Role = Literal["all", "web", "media"]

SERVE_LOCK = "serve.lock"
MEDIA_ROLE_LOCK = "serve-media.lock"
WEB_SETTINGS = "web-settings.json"
_BACKLOG = 4096
_BIND_LIMIT_S = 5.0
_FIRST_RETRY_S = 0.1
_LAST_RETRY_S = 5.0
_FIRST_ATTEMPTS = 3
_STEADY_S = 30.0
"""After this time a child's next crash has the shortest wait again."""
_KILL_MARGIN_S = 10.0
"""The time that a child gets besides ``server.shutdown_s`` before it is killed."""
_POLL_S = 0.05

_log = structlog.get_logger(__name__)


class ServeError(StreamerError):
    """The reason why ``serve`` cannot start; the message is for the operator."""

    code, status = "cannot_serve", 500


def prepare_data(settings: Settings) -> None:
    """Create the data folder, closed to others. Raises ServeError."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        run_folder.make_run_dir(settings.run_dir)
    except OSError as error:
        raise ServeError(f"The data folder {settings.data} cannot be used: {error.strerror}.") from error


def close_data(settings: Settings) -> None:
    """Close an existing data folder that is open to others. Raises ServeError if it is not ours."""
    try:
        found = data_folder.tighten(settings.data)
    except OSError as error:
        raise ServeError(f"The data folder {settings.data} cannot be closed to others: {error.strerror}.") from error
    for one in found:
        if one.exposed:
            raise ServeError(
                f"{one.path} is another user's (number {one.owner}) and open to everybody: "
                f"give it to the service's user (chown {os.geteuid()}) or close it (chmod o=)."
            )
        told = _log.warning if one.foreign else _log.info
        told("data_not_ours" if one.foreign else "data_closed", path=str(one.path), mode=f"{one.mode:04o}")


def require_links(settings: Settings) -> None:
    """Raises ServeError if recordings could not be kept."""
    if (why := data_folder.apart(settings.data)) is not None:
        raise ServeError(f"{why[0].upper()}{why[1:]}. Put both on one file system.")


def lock_data(settings: Settings, name: str) -> int:
    """The descriptor that locks the folder for this process. Raises ServeError if another process has it."""
    lock = process_files.try_lock(settings.run_dir / name)
    if lock is None:
        raise ServeError(f"Another streamer serves the data folder {settings.data} already.")
    return lock


async def bind(settings: Settings) -> list[socket.socket]:
    """Listening sockets on every address of ``server.host``; all on one port. Raises ServeError.

    Waits a moment for a port whose former owner is about to end.
    """
    host, port = settings.server.host, settings.server.port
    deadline = time.monotonic() + _BIND_LIMIT_S
    while True:
        opened: list[socket.socket] = []
        try:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            for family, _, _, _, address in dict.fromkeys(found):
                if port == 0 and opened:
                    address = (address[0], opened[0].getsockname()[1], *address[2:])
                opened.append(_listening(family, address))
            return opened
        except OSError as error:
            for sock in opened:
                sock.close()
            if isinstance(error, socket.gaierror) or time.monotonic() > deadline:
                raise ServeError(f"Cannot listen on {host or '*'}:{port}: {error.strerror or error}.") from error
            await asyncio.sleep(0.2)


def _listening(family: int, address: Any, *, shared: bool = False) -> socket.socket:
    """Raises OSError. ``shared``: others listen at the same address, and the system deals out connections."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def listen_apart(listening: list[socket.socket], processes: int) -> list[list[socket.socket]]:
    """Sockets at the same addresses for each of several processes, instead of ``listening``. Where all share one, the
    process that wakes first takes nearly all connections. Raises ServeError."""
    addresses = [(sock.family, sock.getsockname()) for sock in listening]
    for sock in listening:
        # Bound without SO_REUSEPORT, it has shown that nobody else listens there.
        sock.close()
    dealt: list[list[socket.socket]] = []
    try:
        for _ in range(processes):
            dealt.append([])
            for family, address in addresses:
                dealt[-1].append(_listening(family, address, shared=True))
    except OSError as error:
        for sock in (sock for group in dealt for sock in group):
            sock.close()
        raise ServeError(f"Several processes cannot listen on one port: {error.strerror or error}.") from error
    return dealt


class WatchedProcess:
    """A process by its pidfd: our child, or one that we adopted."""

    def __init__(self, pid: int, child: subprocess.Popen[bytes] | None) -> None:
        """Raises ProcessLookupError."""
        self.pid = pid
        self.exit_code: int | None = None
        self._child = child
        self._pidfd = os.pidfd_open(pid)
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._pidfd, self._on_end)

    async def wait(self) -> None:
        """Returns when it has ended. The caller sets the limit."""
        await self._ended.wait()

    def send_signal(self, number: signal.Signals) -> None:
        if not self._ended.is_set():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    def _on_end(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        if self._child is not None:
            self.exit_code = self._child.wait()
        self._ended.set()


class Child:
    """One supervised process: started, watched, restarted with back-off, drained. Loop only."""

    def __init__(self, name: str, start: Callable[[], Awaitable[WatchedProcess | None]], *, drain_s: float) -> None:
        """``start`` returns None if there is nothing to watch any more."""
        self.name = name
        self.restarts = 0
        self.last_exit_code: int | None = None
        self._start = start
        self._drain_s = drain_s
        self._process: WatchedProcess | None = None
        self._leaving = False

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    async def keep(self) -> None:
        """Run it until :meth:`drain`."""
        retry_s = _FIRST_RETRY_S
        while not self._leaving:
            began = time.monotonic()
            try:
                self._process = await self._start()
            except OSError as error:
                _log.error("child_cannot_start", child=self.name, error=str(error))
            if self._process is not None:
                await self._process.wait()
                if self._leaving:
                    return
                self.last_exit_code = self._process.exit_code
                _log.error("child_ended", child=self.name, code=self.last_exit_code)
                self._process = None
            self.restarts += 1
            if time.monotonic() - began > _STEADY_S:
                retry_s = _FIRST_RETRY_S
            await asyncio.sleep(retry_s)
            retry_s = min(retry_s * 2, _LAST_RETRY_S)

    async def drain(self) -> None:
        """Send SIGTERM, and SIGKILL if it takes too long."""
        self._leaving = True
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(self._drain_s):
                await process.wait()
        except TimeoutError:
            _log.error("child_killed", child=self.name)
            process.send_signal(signal.SIGKILL)
            await process.wait()

    def signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


Ready = Callable[[str, Settings], Awaitable[Sequence[Child]]]
"""Called when the server answers, with the public URL and the settings in use (with the bound port). The returned
children are kept running beside the others and drained first."""


class Supervisor:
    """``serve`` in the roles ``all`` and ``web``. ``listening``: the sockets of each process that takes connections."""

    def __init__(self, settings: Settings, role: Role, listening: list[list[socket.socket]]) -> None:
        port = listening[0][0].getsockname()[1]
        self._settings = settings.model_copy(update={"server": settings.server.model_copy(update={"port": port})})
        self._companions: list[Child] = []
        self._owns_host = False
        self._settings_file = settings.run_dir / WEB_SETTINGS
        limit_s = settings.server.shutdown_s + _KILL_MARGIN_S
        fronts = listening if settings.server.web_processes else []
        self.webs = [
            Child(name, partial(self._start_web, name, [] if fronts else listening[0]), drain_s=limit_s)
            for name in ("web", "web-2")[: 1 + settings.server.standby]
        ]
        self.fronts = [
            Child(f"front-{number}", partial(self._start_front, number, sockets), drain_s=limit_s)
            for number, sockets in enumerate(fronts, 1)
        ]
        self.host = Child("media", self._start_host, drain_s=limit_s + _KILL_MARGIN_S) if role == "all" else None
        self._leaving = asyncio.Event()

    async def run(self, ready: Ready) -> int:
        """Runs until SIGTERM or SIGINT; then everything is drained. ``ready`` is called when the web process serves.

        Raises ServeError if the web process cannot start at all.
        """
        self._write_settings()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._leave)
        loop.add_signal_handler(signal.SIGHUP, self._renew)
        children = [child for child in (self.host, *self.webs, *self.fronts) if child is not None]
        keepers = [start_kept(f"keep-{child.name}", child.keep) for child in children]
        waiter = asyncio.create_task(self._leaving.wait(), name="leaving")
        announcer = asyncio.create_task(self._announce(ready, keepers), name="announce")
        try:
            await asyncio.wait({waiter, announcer}, return_when=asyncio.FIRST_COMPLETED)
            if announcer.done():
                announcer.result()
            await waiter
        finally:
            waiter.cancel()
            announcer.cancel()
            self._leaving.set()
            # The one that waits is told before the one that acts, and does not take over.
            children.sort(key=self._acts)
            # The publishers first, so that nobody sees a camera lose its server.
            for group in (self._companions, children):
                await asyncio.gather(*(child.drain() for child in group), return_exceptions=True)
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(waiter, announcer, *keepers, return_exceptions=True)
            if self._owns_host:
                await self._end_rooms()
        return 0

    def _renew(self) -> None:
        for child in (*self.webs, *self.fronts):
            child.signal(signal.SIGHUP)

    def _leave(self) -> None:
        if self._leaving.is_set():
            # The second Ctrl-C: the operator does not want to wait.
            for child in (*self._companions, self.host, *self.webs, *self.fronts):
                if child is not None:
                    child.signal(signal.SIGKILL)
        self._leaving.set()

    async def _announce(self, ready: Ready, keepers: list[asyncio.Task[None]]) -> None:
        fronts = {child: process_files.FRONT_PID.format(number=number) for number, child in enumerate(self.fronts, 1)}
        first = (self.webs[0], *self.fronts)
        while not any(map(self._acts, self.webs)) or not all(map(self._serves, fronts, fronts.values())):
            # This exit code means that another attempt would not help; after all others it is started again.
            if any(child.last_exit_code == EXIT_FAILED or child.restarts >= _FIRST_ATTEMPTS for child in first):
                raise ServeError("The web process cannot start; its messages stand above.")
            await asyncio.sleep(_POLL_S)
        self._companions += await ready(public_url(self._settings), self._settings)
        keepers += [start_kept(f"keep-{child.name}", child.keep) for child in self._companions]

    def _serves(self, child: Child, pid_file: str) -> bool:
        return child.pid is not None and process_files.read_pid(self._settings.run_dir / pid_file) == child.pid

    def _acts(self, child: Child) -> bool:
        """Whether it is the web process that serves, of two."""
        return child in self.webs and self._serves(child, process_files.WEB_PID)

    def _write_settings(self) -> None:
        process_files.write_atomically(
            self._settings_file, self._settings.model_dump_json(exclude={"admin_token"}).encode("utf-8")
        )

    async def _start_web(self, name: str, sockets: list[socket.socket]) -> WatchedProcess | None:
        module = ["streamer.web"]
        other = next((child for child in self.webs if child.name != name), None)
        if other is not None and other.pid is not None:
            module.append("--standby")
            # It is up sooner if nobody else begins beside it.
            while other.pid is not None and not self._acts(other):
                if self._leaving.is_set():
                    return None
                await asyncio.sleep(_POLL_S)
        environment = process_files.child_environment()
        if self._settings.admin_token:
            environment["STREAMER_ADMIN_TOKEN"] = self._settings.admin_token
        return self._start_child(module, sockets, environment)

    async def _start_front(self, number: int, sockets: list[socket.socket]) -> WatchedProcess:
        return self._start_child(["streamer.web", "--number", str(number)], sockets, process_files.child_environment())

    def _start_child(
        self, module: list[str], sockets: list[socket.socket], environment: dict[str, str]
    ) -> WatchedProcess:
        descriptors = [sock.fileno() for sock in sockets]
        command = [sys.executable, "-m", *module, "--settings", str(self._settings_file)]
        command += ["--parent", str(os.getpid())]
        for descriptor in descriptors:
            command += ["--listen-fd", str(descriptor)]
        child = subprocess.Popen(  # noqa: S603 - our own interpreter; a fork takes a millisecond
            command,
            stdin=subprocess.DEVNULL,
            env=environment,
            pass_fds=descriptors,
            # Ctrl-C in the terminal is for the supervisor, which drains us.
            process_group=0,
        )
        return WatchedProcess(child.pid, child)

    async def _start_host(self) -> WatchedProcess | None:
        """Start a media host, or adopt the one that a former ``serve`` left."""
        run_dir = self._settings.run_dir
        if process_files.host_is_running(run_dir):
            if process_files.is_locked(run_dir / MEDIA_ROLE_LOCK):
                return None
            pid = process_files.read_pid(run_dir / process_files.HOST_PID)
            if pid is None:
                return None
            with contextlib.suppress(ProcessLookupError):
                adopted = WatchedProcess(pid, None)
                self._owns_host = True
                _log.info("media_host_adopted", pid=pid)
                return adopted
            return None
        settings_file = process_files.write_settings(self._settings)
        child = subprocess.Popen(  # noqa: S603, ASYNC220 - our own interpreter; a fork takes a millisecond
            spawn.host_command(self._settings, settings_file),
            stdin=subprocess.DEVNULL,
            env=process_files.child_environment(),
            # A session of its own: it outlives us if we are killed, and the next ``serve`` finds it.
            start_new_session=True,
        )
        self._owns_host = True
        return WatchedProcess(child.pid, child)

    async def _end_rooms(self) -> None:
        """A media host that had to be killed leaves its rooms; end them, too."""
        for room in process_files.rooms_running(self._settings.run_dir):
            process = spawn.RoomProcess.adopt(self._settings, room)
            if process is not None:
                await process.stop(self._settings.server.shutdown_s)


async def serve(settings: Settings, role: Role, ready: Ready) -> int:
    """Serve until SIGTERM. Returns the exit code. Raises ServeError with a message for the operator."""
    # For this process and all of its children.
    raise_limit()
    # New files of this process and its children are closed to other users.
    os.umask(0o077)
    prepare_data(settings)
    close_data(settings)
    require_links(settings)
    if role == "media":
        lock = lock_data(settings, MEDIA_ROLE_LOCK)
        try:
            code = await run_host(settings)
        finally:
            os.close(lock)
        if code == EXIT_ALREADY_RUNNING:
            raise ServeError(f"Another media host runs in the data folder {settings.data} already.")
        return code
    lock = lock_data(settings, SERVE_LOCK)
    listening: list[list[socket.socket]] = []
    try:
        listening = [await bind(settings)]
        if settings.server.web_processes:
            listening = listen_apart(listening[0], settings.server.web_processes)
        return await Supervisor(settings, role, listening).run(ready)
    finally:
        for sock in (sock for group in listening for sock in group):
            sock.close()
        os.close(lock)


def is_serving(data: Path) -> bool:
    """Whether a ``serve`` with a web process uses this folder now."""
    return process_files.is_locked(data / "run" / SERVE_LOCK)


def running_settings(data: Path) -> Settings | None:
    """The settings of the instance that serves this folder, or served it last; None if none did."""
    try:
        return process_files.read_settings(data / "run" / WEB_SETTINGS)
    except (OSError, ValueError):
        return None
