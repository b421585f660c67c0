"""The web process: ``python -m streamer.web --settings FILE --listen-fd N``, started by ``streamer serve``.

The supervisor owns the listening sockets, so that clients queue in them while this process is replaced. With
``server.web_processes`` this is the core: front processes (:mod:`.front`) have those sockets, and reach it over a Unix
socket of its own. With ``--standby`` it does nothing until the process before it has died.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from streamer.api.addresses import Proxies
from streamer.api.auth import shows_crew
from streamer.api.context import SERVICES
from streamer.api.middlewares import error_response
from streamer.certificate import Certificate
from streamer.control import process_files, run_folder
from streamer.control.server import wait_cancelled
from streamer.descriptors import budget, raise_limit
from streamer.director.directorship import Directorship, this_process
from streamer.errors import EXIT_DONE, EXIT_FAILED, StreamerError
from streamer.links import public_url
from streamer.observe.health import waiting_application
from streamer.observe.logs import configure_logging
from streamer.settings import Settings
from streamer.starting import program_files
from streamer.store.database import Database, StoreUnavailable, database_url
from streamer.store.directors import DirectorHolder
from streamer.supervision import start_kept
from streamer.web.application import CONNECTIONS, make_app
from streamer.web.connections import Connections, ConnectionStats
from streamer.web.http_server import HttpServer
from streamer.web.serving import BACKLOG, serve_until

FOLDER_LOCK_TRIES, FOLDER_LOCK_POLL_S = 200, 0.05
HALT_LIMIT_S = 10.0
EXIT_REPLACED = 75
"""Another server directs (EX_TEMPFAIL): the supervisor starts this one again, and it waits."""

_log = structlog.get_logger(__name__)


async def run_web(settings: Settings, sockets: Sequence[socket.socket], lock: int) -> int:
    """Serve until SIGTERM, then drain for at most ``server.shutdown_s``. Returns the exit code. ``lock``:
    the data folder's, let go at the end."""
    loop = asyncio.get_running_loop()
    leaving = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, leaving.set)
    database = Database(database_url(settings.store.url, settings.data))
    try:
        async with AsyncExitStack() as stack:
            stack.callback(os.close, lock)
            await database.open()
            stack.push_async_callback(database.close)
            # If a process of an older program directs, the tables are updated after its end.
            if not await database.has_directors():
                await database.migrate()
            floor = await asyncio.to_thread(process_files.highest_epoch, settings)
            directorship = Directorship(
                database,
                this_process(settings.data, settings.run_dir),
                absent_s=settings.store.director_absent_s,
                floor=floor,
            )
            if not await _take(directorship, settings, sockets, leaving):
                return EXIT_DONE
            stack.push_async_callback(directorship.release)
            await database.migrate()
            directorship.on_lost = leaving.set
            holding = start_kept("directorship", directorship.run)
            stack.push_async_callback(asyncio.wait, (holding,), timeout=HALT_LIMIT_S)
            stack.callback(directorship.halt)
            code = await _serve(settings, sockets, database, directorship, leaving)
            return code if directorship.lost is None else EXIT_REPLACED
    except (StreamerError, OSError) as error:
        _log.error("web_cannot_start", error=str(error))
        return EXIT_FAILED


def _folder_lock(settings: Settings) -> int:
    """A descriptor of the lock that proves that a web process of this data folder lives and its former one does not.

    The supervisor starts one at a time; a former supervisor's may be just dying. Blocks. Raises StoreUnavailable.
    """
    for _ in range(FOLDER_LOCK_TRIES):
        if (lock := process_files.try_lock(settings.run_dir / process_files.WEB_LOCK)) is not None:
            return lock
        time.sleep(FOLDER_LOCK_POLL_S)
    raise StoreUnavailable(f"Another web process uses the data folder {settings.data}.")


def stand_by(settings: Settings) -> int | None:
    """The same lock, when the process that acts has ended; signals end this one. None if the program on the disk is
    another one by then: that shall be started. Blocks."""
    # No certificate has been read yet, so there is nothing to renew.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The driver, which the first connection would import.
    database_url(settings.store.url, settings.data).get_dialect().import_dbapi()
    files = program_files()
    _log.info("standby_waits", pid=os.getpid())
    lock = process_files.wait_for_lock(settings.run_dir / process_files.WEB_LOCK)
    if program_files() == files:
        return lock
    os.close(lock)
    return None


async def _take(
    directorship: Directorship, settings: Settings, sockets: Sequence[socket.socket], leaving: asyncio.Event
) -> bool:
    """Wait until this process directs. Meanwhile it serves nothing and names the director. False: it was told to leave
    first."""
    told: set[DirectorHolder] = set()
    runner: web.AppRunner | None = None
    listener: HttpServer | None = None
    latest = ""
    waits = asyncio.Event()

    def waiting(holder: DirectorHolder) -> None:
        nonlocal latest
        latest = f"{holder.host}, process {holder.pid}"
        known = replace(holder, sign=0)
        if known not in told:
            told.clear()
            told.add(known)
            _log.warning("another_directs", by=str(holder), waits_s=settings.store.director_absent_s)
            print(
                f"Another Streamer directs this database ({holder}). This one waits: it takes over when that one ends, "
                f"or gives no sign for {settings.store.director_absent_s:g} s.",
                file=sys.stderr,
                flush=True,
            )
        waits.set()

    taking = asyncio.create_task(directorship.take(waiting), name="take directorship")
    left = asyncio.create_task(leaving.wait(), name="leaving")
    first = asyncio.create_task(waits.wait(), name="another directs")
    try:
        await asyncio.wait({taking, left, first}, return_when=asyncio.FIRST_COMPLETED)
        if first.done() and not taking.done():
            runner = web.AppRunner(
                waiting_application(lambda: latest), access_log=None, handle_signals=False, shutdown_timeout=1.0
            )
            await runner.setup()
            listener = _waiting_server(runner, settings)
            listener.start(sockets, _tls(settings), backlog=BACKLOG)
            await asyncio.wait({taking, left}, return_when=asyncio.FIRST_COMPLETED)
        if taking.done():
            taking.result()
        return taking.done()
    finally:
        if listener is not None:
            await listener.close()
        if runner is not None:
            await runner.cleanup()
        for task in (taking, left, first):
            await wait_cancelled(task)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    server = settings.server
    if not _speaks_tls(settings) or server.tls_cert is None or server.tls_key is None:
        return None
    return Certificate(server.tls_cert, server.tls_key).context


def _speaks_tls(settings: Settings) -> bool:
    """Front processes take TLS off."""
    return not settings.server.web_processes


async def _serve(
    settings: Settings,
    sockets: Sequence[socket.socket],
    database: Database,
    directorship: Directorship,
    leaving: asyncio.Event,
) -> int:
    def make() -> tuple[web.AppRunner, Callable[[], HttpServer]]:
        app = make_app(settings, database, directorship, public_url=public_url(settings))
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=settings.server.shutdown_s,
        )
        return runner, partial(make_server, runner, settings)

    return await serve_until(
        leaving, settings, sockets, make, tls=_speaks_tls(settings), pid_file=process_files.WEB_PID
    )


def _waiting_server(runner: web.AppRunner, settings: Settings) -> HttpServer:
    """The same deadlines and limits, for a server that can check no grants."""

    async def proof(_request: web.BaseRequest) -> bool:
        return False

    server = settings.server
    places = budget(raise_limit(), server.max_connections)
    connections = Connections(places, ConnectionStats(), per_household=server.max_connections_per_household)
    is_proxy = Proxies(server.trusted_proxies, fronts=server.web_processes > 0).trusts
    return HttpServer(runner, server, connections, is_proxy=is_proxy, proof=proof, refuse=error_response)


def make_server(runner: web.AppRunner, settings: Settings) -> HttpServer:
    """The server of a runner that is set up, within the descriptors that this process may open."""
    services, server = runner.app[SERVICES], settings.server
    connections = Connections(
        budget(raise_limit(), server.max_connections),
        runner.app[CONNECTIONS],
        per_household=server.max_connections_per_household,
    )
    return HttpServer(
        runner,
        server,
        connections,
        is_proxy=services.proxies.trusts,
        proof=partial(shows_crew, services=services),
        refuse=error_response,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="streamer.web")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, action="append", default=[])
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--standby", action="store_true", help="Wait until the present web process has died.")
    options = parser.parse_args(arguments)
    # The next process needs the port.
    process_files.die_with_parent(options.parent)
    # Only the supervisor sends signals: Ctrl-C reaches it, and it drains this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = process_files.read_settings(options.settings)
    admin_token = os.environ.pop("STREAMER_ADMIN_TOKEN", "")
    settings = settings.model_copy(update={"admin_token": admin_token})
    configure_logging(settings.log, role="web")
    try:
        lock = stand_by(settings) if options.standby else _folder_lock(settings)
    except StoreUnavailable as error:
        _log.error("web_cannot_start", error=str(error))
        return EXIT_FAILED
    if lock is None:
        return EXIT_DONE
    if settings.server.web_processes:
        # Requests that come from now on wait in it until this process serves.
        sockets = [run_folder.listen(settings.run_dir, run_folder.CORE_SOCKET)]
    else:
        sockets = [socket.socket(fileno=fd) for fd in options.listen_fd]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_web(settings, sockets, lock))


if __name__ == "__main__":
    sys.exit(main())
