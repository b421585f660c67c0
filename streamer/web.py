"""The web process: ``python -m streamer.web --settings FILE --listen-fd N``, started by ``streamer serve``.

The listening sockets are the supervisor's, so that clients queue in them while this process is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from streamer.api.auth import shows_crew
from streamer.api.context import SERVICES
from streamer.api.links import public_url
from streamer.api.middlewares import error_response
from streamer.app import CONNECTIONS, make_app
from streamer.certificate import Certificate
from streamer.connections import Connections
from streamer.descriptors import budget, raise_limit
from streamer.errors import EXIT_DONE, EXIT_FAILED, StreamerError
from streamer.http_server import Server
from streamer.observe.logs import configure_logging
from streamer.room import spawn
from streamer.settings import Settings

_CERTIFICATE_CHECK_S = 60.0
_BACKLOG = 4096
"""Connections that wait to be taken. A hall of people comes back while this process is started again: who finds no
place is told nothing, and its system tries again after 1, 3, 7 and 15 s."""

_log = structlog.get_logger(__name__)


async def run_web(settings: Settings, sockets: Sequence[socket.socket]) -> int:
    """Serve until SIGTERM, then drain for at most ``server.shutdown_s``. Returns the exit code."""
    loop = asyncio.get_running_loop()
    leaving = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, leaving.set)
    server = settings.server
    try:
        certificate = None
        if server.tls_cert is not None and server.tls_key is not None:
            certificate = Certificate(server.tls_cert, server.tls_key)
            loop.add_signal_handler(signal.SIGHUP, certificate.reload_if_changed)
        else:
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
        app = make_app(settings, public_url=public_url(settings))
        runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            shutdown_timeout=server.shutdown_s,
        )
        await runner.setup()
        listener = make_server(runner, settings)
    except (StreamerError, OSError, ssl.SSLError) as error:
        _log.error("web_cannot_start", error=str(error))
        return EXIT_FAILED
    pid_file = settings.run_dir / spawn.WEB_PID
    try:
        listener.start(sockets, certificate.context if certificate else None, backlog=_BACKLOG)
        spawn.write_atomically(pid_file, f"{os.getpid()}\n".encode())
        _log.info("web_started", pid=os.getpid(), url=public_url(settings))
        while not leaving.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CERTIFICATE_CHECK_S):
                    await leaving.wait()
            if certificate is not None:
                certificate.reload_if_changed()
        _log.info("web_draining")
    finally:
        await listener.close()
        await runner.cleanup()
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()
    return EXIT_DONE


def make_server(runner: web.AppRunner, settings: Settings) -> Server:
    """The server of a runner that is set up, within what this process may open."""
    services, server = runner.app[SERVICES], settings.server
    connections = Connections(
        budget(raise_limit(), server.max_connections),
        runner.app[CONNECTIONS],
        per_household=server.max_connections_per_household,
    )
    return Server(
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
    parser.add_argument("--listen-fd", type=int, action="append", required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(arguments)
    # Whoever comes next needs the port.
    spawn.die_with_parent(options.parent)
    # Only the supervisor speaks to us: Ctrl-C reaches it, and it drains us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = spawn.read_settings(options.settings)
    admin_token = os.environ.pop("STREAMER_ADMIN_TOKEN", "")
    settings = settings.model_copy(update={"admin_token": admin_token})
    configure_logging(settings.log, role="web")
    sockets = [socket.socket(fileno=fd) for fd in options.listen_fd]
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run_web(settings, sockets))


if __name__ == "__main__":
    sys.exit(main())
