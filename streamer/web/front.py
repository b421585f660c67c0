"""A front process: ``python -m streamer.web --number N --settings FILE --listen-fd N``, started by
``streamer serve --web``.

It takes connections, serves public live media, published replays and the built pages' files, holds WebSockets of
Socket.IO and delivers events to them (:mod:`streamer.realtime.in_front`), and passes everything else to the core
(:mod:`.core`). It knows no grant and no database: it decides nothing that the rooms or the core have not decided.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import structlog
import uvloop
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from streamer.api import malformed
from streamer.api.addresses import HSTS, Proxies
from streamer.api.assets import add_files
from streamer.api.plain_pages import plain_page
from streamer.broadcast.media_events import PUBLIC
from streamer.bus.adapters import front_bus
from streamer.control import process_files
from streamer.control.client import MediaPlaneClient
from streamer.control.media_plane import MediaPlane
from streamer.control.server import wait_cancelled
from streamer.delivery import responses
from streamer.delivery.routes import REPLAY_STATS, setup_public
from streamer.descriptors import budget, raise_limit
from streamer.errors import StreamerError
from streamer.links import public_url
from streamer.observe.health import livez
from streamer.observe.logs import configure_logging
from streamer.realtime.engine import PATH
from streamer.realtime.in_front import SocketsInFront
from streamer.realtime.sockets import origins_of
from streamer.sections import Section
from streamer.settings import Settings
from streamer.supervision import start_kept
from streamer.web.connections import Connections, ConnectionStats
from streamer.web.core import UNAVAILABLE, Core
from streamer.web.fronts import EVERY_S, FrontReport
from streamer.web.http_server import HttpServer
from streamer.web.replays import PublicReplays
from streamer.web.serving import serve_until

_log = structlog.get_logger(__name__)

CONNECTIONS = web.AppKey("connections", ConnectionStats)
RUNNER_OPTIONS: dict[str, Any] = {"handler_cancellation": True, "auto_decompress": False}
"""A client that has gone ends its request, here and in the core; bodies go on as they came."""


def front_application(settings: Settings, plane: MediaPlane, core: Core, number: int = 1) -> web.Application:
    """Starts and closes ``plane`` and ``core``."""
    proxies = Proxies(settings.server.trusted_proxies)
    sockets = SocketsInFront(
        settings.realtime,
        origins_of(public_url(settings), settings.server.allowed_origins),
        front_bus(settings),
        f"{number}-{secrets.token_hex(4)}",
        headers_of=lambda request: core.headers(request).items(),
    )

    @web.middleware
    async def local(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answers of this process's own get the headers that all answers have. A person who opens an address without
        media gets the core's page about it."""
        try:
            response = await handler(request)
            if response.status == 404 and not response.prepared and _navigates(request):
                response = await core.forward(request)
        except StreamerError as error:
            away = error.code == UNAVAILABLE and request.method == hdrs.METH_GET and _navigates(request)
            response = _away(request) if away else responses.error_response(error)
        if response.prepared:
            return response
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        if proxies.is_https(request):
            response.headers.setdefault(hdrs.STRICT_TRANSPORT_SECURITY, HSTS)
        return response

    async def socket_io(request: web.Request) -> web.StreamResponse:
        if sockets.takes(request):
            return await sockets.handle(request, proxies.client_address(request))
        return await core.forward(request)

    app = web.Application(middlewares=[local])
    app[CONNECTIONS] = ConnectionStats()
    live = setup_public(
        app, plane, settings, proxies.client_household, PublicReplays(core.told), elsewhere=core.forward
    )
    app.router.add_get("/livez", livez)
    add_files(app, settings)
    app.router.add_get(PATH, socket_io, allow_head=False)
    app.router.add_route("*", "/{tail:.*}", core.forward)

    async def report() -> None:
        while True:
            said = FrontReport(
                number,
                os.getpid(),
                {room: live.viewers.of(room, PUBLIC) for room in plane.rooms},
                live.stats,
                app[CONNECTIONS],
                sockets.stats,
                app[REPLAY_STATS],
            )
            try:
                await core.report(msgspec.json.encode(said))
            except (StreamerError, aiohttp.ClientError) as error:
                _log.debug("front_not_reported", error=str(error))
            await asyncio.sleep(EVERY_S)

    async def connected(_app: web.Application) -> AsyncIterator[None]:
        await core.start()
        await plane.start()
        await sockets.start()
        reporting = start_kept("front report", report)
        yield
        await wait_cancelled(reporting)
        await sockets.close()
        await plane.close()
        await core.close()

    async def release(_app: web.Application) -> None:
        core.release()

    app.cleanup_ctx.append(connected)
    app.on_shutdown.append(release)
    app.on_shutdown.append(sockets.let_go)
    return app


def own_part(settings: Settings) -> Settings:
    """The settings of one front process: its part of each limit that holds for all of them together. The system deals
    connections out evenly, so each has about its part of a household's; whoever is refused by one may find a place at
    another."""

    def part(section: Section, *limits: str) -> dict[str, int]:
        return {name: -(-getattr(section, name) // settings.server.web_processes) for name in limits}

    server, hls = settings.server, settings.hls
    return settings.model_copy(
        update={
            "server": server.model_copy(update=part(server, "max_connections", "max_connections_per_household")),
            "hls": hls.model_copy(update=part(hls, "max_held_total", "max_held_per_address")),
        }
    )


def _navigates(request: web.Request) -> bool:
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _away(request: web.Request) -> web.Response:
    """The page of an address that only the core knows. It asks again by itself."""
    response = plain_page(request, 503, "away", "away_text", again=True)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    response.headers[hdrs.RETRY_AFTER] = "2"
    return response


async def run_front(settings: Settings, sockets: Sequence[socket.socket], number: int) -> int:
    """Serve until SIGTERM. Returns the exit code."""
    leaving = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leaving.set)
    malformed.install()
    core = Core(settings.run_dir)
    app = front_application(settings, MediaPlaneClient(settings), core, number)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=settings.server.shutdown_s, **RUNNER_OPTIONS
    )
    server = settings.server

    def make_server() -> HttpServer:
        connections = Connections(
            budget(raise_limit(), server.max_connections),
            app[CONNECTIONS],
            per_household=server.max_connections_per_household,
        )
        is_proxy = Proxies(server.trusted_proxies).trusts
        return HttpServer(
            runner, server, connections, is_proxy=is_proxy, proof=core.is_crew, refuse=responses.error_response
        )

    pid_file = process_files.FRONT_PID.format(number=number)
    return await serve_until(leaving, settings, sockets, lambda: (runner, make_server), tls=True, pid_file=pid_file)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="streamer.web.front")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, action="append", required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--number", type=int, required=True)
    options = parser.parse_args(arguments)
    process_files.die_with_parent(options.parent)
    # Only the supervisor sends signals: Ctrl-C reaches it, and it drains this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = own_part(process_files.read_settings(options.settings))
    configure_logging(settings.log, role=f"front-{options.number}")
    sockets = [socket.socket(fileno=fd) for fd in options.listen_fd]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_front(settings, sockets, options.number))
