"""A real NATS server with ``configs/bus/nats.conf``, on the loopback."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from streamer.sections import BusSettings
from tests.fakes.certificates import write_certificate
from tests.fakes.ports import free_port

CONFIG = Path(__file__).resolve().parents[2] / "configs" / "bus" / "nats.conf"
# Debian puts it where users' PATH does not look.
PROGRAM = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/sbin")
START_LIMIT_S = 30.0
ENDS_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "KILL")
PASSWORDS = {"core": "0123-core", "front": "45e6-front"}
"""They begin with digits, as those of openssl may."""

needs_nats = pytest.mark.skipif(PROGRAM is None, reason="nats-server is not installed")


@dataclass
class NatsServer:
    """``name``: for whom its certificate is."""

    folder: Path
    tls: bool = True
    name: str = "localhost"
    port: int = field(default_factory=free_port)
    changes: tuple[tuple[str, str], ...] = ()
    """Parts of the settings, each with what stands there instead."""
    _server: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        for role, password in PASSWORDS.items():
            (self.folder / role).write_text(f"{role}:{password}\n")
        text = "\n".join(f'{role}_password: "{password}"' for role, password in PASSWORDS.items())
        (self.folder / "passwords.conf").write_text(text)
        certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        write_certificate(certificate, key, names=(self.name,))
        config = CONFIG.read_text("utf-8")
        for old, new in (
            ("0.0.0.0:4222", f"127.0.0.1:{self.port}"),
            ("/etc/nats/cert.pem", str(certificate)),
            ("/etc/nats/key.pem", str(key)),
            *(() if self.tls else (("tls {", "unused_tls {"),)),
            *self.changes,
        ):
            assert old in config
            config = config.replace(old, new)
        if not self.tls:
            head, _, rest = config.partition("unused_tls {")
            config = head + rest.partition("}\n")[2]
        self.config = self.folder / "nats.conf"
        self.config.write_text(config)

    @staticmethod
    def authorization() -> str:
        """The part of the settings that names users."""
        text = CONFIG.read_text("utf-8")
        return text[text.index("authorization {") :]

    def settings(self, **changes: object) -> BusSettings:
        host = "localhost" if self.tls else "127.0.0.1"
        usual: dict[str, object] = {
            "url": f"{'tls' if self.tls else 'nats'}://{host}:{self.port}",
            "core_credentials": self.folder / "core",
            "front_credentials": self.folder / "front",
            "ca": self.folder / "cert.pem" if self.tls else None,
        }
        return BusSettings.model_validate(usual | changes)

    def environment(self) -> dict[str, str]:
        """Settings of a server that uses it."""
        bus = self.settings()
        return {
            "STREAMER_BUS__URL": bus.url,
            "STREAMER_BUS__CORE_CREDENTIALS": str(bus.core_credentials),
            "STREAMER_BUS__FRONT_CREDENTIALS": str(bus.front_credentials),
            **({"STREAMER_BUS__CA": str(bus.ca)} if self.tls else {}),
        }

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def start(self) -> None:
        """Also after :meth:`kill`."""
        assert PROGRAM is not None
        log = self.folder / "log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [*ENDS_WITH_THE_TESTS, PROGRAM, "-c", self.config],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"nats-server does not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.02)

    def kill(self) -> None:
        """kill -9."""
        self._signal(signal.SIGKILL)
        assert self._server is not None
        self._server.wait(timeout=20)

    def freeze(self) -> None:
        """Connections stay, and nobody answers."""
        self._signal(signal.SIGSTOP)
        assert self._server is not None
        # Its threads may answer until then.
        os.waitid(os.P_PID, self._server.pid, os.WSTOPPED)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._server is not None
        self._server.send_signal(number)


@contextlib.contextmanager
def running_nats(
    folder: Path, *, tls: bool = False, name: str = "localhost", changes: tuple[tuple[str, str], ...] = ()
) -> Iterator[NatsServer]:
    server = NatsServer(folder, tls, name, changes=changes)
    server.start()
    try:
        yield server
    finally:
        server.kill()
