"""The web process: ``python -m streamer.web --settings FILE --listen-fd N``, started by ``streamer serve``.

The listening sockets are the supervisor's, so that clients queue in them while this process is replaced.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import structlog
import uvloop
from aiohttp import web

from streamer.api.links import public_url
from streamer.app import make_app
from streamer.errors import StreamerError
from streamer.observe.logs import configure_logging
from streamer.room import spawn
from streamer.settings import Settings

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
WEB_PID = "web.pid"
_CERTIFICATE_CHECK_S = 60.0
_PR_SET_PDEATHSIG = 1

_log = structlog.get_logger(__name__)


class Certificate:
    """A TLS context whose certificate is read again when its file changes. Loop only."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises OSError or ssl.SSLError."""
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(["http/1.1"])
        self._loaded: tuple[int, ...] = ()
        self.reload()

    def reload(self) -> None:
        """New connections get the new certificate; open ones go on. Raises OSError or ssl.SSLError."""
        times = self._times()
        certificate, key = self._files
        self.context.load_cert_chain(certificate, key)
        self._loaded = times

    def reload_if_changed(self) -> None:
        """A file that is being written is tried again at the next look; the old certificate stays."""
        try:
            if self._times() != self._loaded:
                self.reload()
                _log.info("certificate_reloaded")
        except (OSError, ssl.SSLError) as error:
            _log.error("certificate_unreadable", error=str(error))

    def _times(self) -> tuple[int, ...]:
        return tuple(file.stat().st_mtime_ns for file in self._files)


def die_with_parent(parent: int) -> None:
    """End at once when the supervisor is killed: whoever comes next needs the port."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(EXIT_FAILED)


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
    except (StreamerError, OSError, ssl.SSLError) as error:
        _log.error("web_cannot_start", error=str(error))
        return EXIT_FAILED
    pid_file = settings.run_dir / WEB_PID
    try:
        for sock in sockets:
            await web.SockSite(runner, sock, ssl_context=certificate.context if certificate else None).start()
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
        await runner.cleanup()
        with contextlib.suppress(FileNotFoundError):
            pid_file.unlink()
    return EXIT_OK


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="streamer.web")
    parser.add_argument("--settings", type=Path, required=True)
    parser.add_argument("--listen-fd", type=int, action="append", required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args(arguments)
    die_with_parent(options.parent)
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
