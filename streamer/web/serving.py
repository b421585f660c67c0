"""Serving an application on the supervisor's sockets until SIGTERM, as every web process does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
from collections.abc import Callable, Sequence
from socket import socket

import structlog
from aiohttp import web

from streamer.certificate import Certificate
from streamer.control import process_files
from streamer.errors import EXIT_DONE, EXIT_FAILED, StreamerError
from streamer.links import public_url
from streamer.settings import Settings
from streamer.web.http_server import HttpServer

BACKLOG = 4096
"""Connections that wait to be accepted. All phones of a hall come back while this process is restarted. A client
without a place gets no answer, and its system tries again after 1, 3, 7 and 15 s."""
_CERTIFICATE_CHECK_S = 60.0

_log = structlog.get_logger(__name__)


async def serve_until(
    leaving: asyncio.Event,
    settings: Settings,
    sockets: Sequence[socket],
    make: Callable[[], tuple[web.AppRunner, Callable[[], HttpServer]]],
    *,
    tls: bool,
    pid_file: str,
) -> int:
    """Serve until ``leaving``, let in who has just come, then drain for at most ``server.shutdown_s``. Returns the exit
    code.

    ``make`` makes the runner, and the server of the runner when that is set up. ``pid_file``: its name in ``DIR/run``;
    it is there while this process serves.
    """
    loop = asyncio.get_running_loop()
    server = settings.server
    certificate = None
    try:
        if tls and server.tls_cert is not None and server.tls_key is not None:
            certificate = Certificate(server.tls_cert, server.tls_key)
            loop.add_signal_handler(signal.SIGHUP, certificate.reload_if_changed)
        else:
            loop.add_signal_handler(signal.SIGHUP, lambda: None)
        runner, make_server = make()
        await runner.setup()
        listener = make_server()
    except (StreamerError, OSError, ssl.SSLError) as error:
        _log.error("web_cannot_start", error=str(error))
        return EXIT_FAILED
    path = settings.run_dir / pid_file
    try:
        listener.start(sockets, certificate.context if certificate else None, backlog=BACKLOG)
        process_files.write_atomically(path, f"{os.getpid()}\n".encode())
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
            path.unlink()
    return EXIT_DONE
