"""A PostgreSQL server of the tests' own: in a temporary folder, on a unix socket, gone when they end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

START_LIMIT_S = 30.0
ENDS_WITH_THE_TESTS = ("setpriv", "--pdeathsig", "QUIT")
"""Also where they are killed. Python's own code between fork and exec would stand still now and then, with the threads
of cameras beside it."""
# A power cut does not matter here, and the machine is small.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "autovacuum": "off",
    "lc_messages": "C",
}


def binaries() -> Path | None:
    """The folder of the newest installed server's programs, or None."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    debian = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(debian, key=lambda path: float(path.parent.name), default=None)


@dataclass
class Postgres:
    bin: Path
    folder: Path
    user: str
    settings: dict[str, str]
    _server: subprocess.Popen[bytes] | None = None

    def new_database(self) -> str:
        """An empty database. Returns its URL, as in the setting ``store.url``."""
        name = f"t{uuid4().hex}"
        self._run("createdb", "--template=template0", "--encoding=UTF8", name)
        return f"postgresql://{self.user}@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        self._run("dropdb", "--force", _name(url))

    def execute(self, url: str, sql: str) -> None:
        """Some statements in one transaction."""
        self._run("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", f"--command={sql}", _name(url))

    def answers(self) -> bool:
        ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False, timeout=10)
        return ready.returncode == 0

    def start(self) -> None:
        """Also after :meth:`kill`."""
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [*ENDS_WITH_THE_TESTS, self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.folder,
                **_as_user(self.user),  # type: ignore[call-overload]
            )
        deadline = time.monotonic() + START_LIMIT_S
        while not self.answers():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """SIGINT is an operator's restart: transactions end, all is written."""
        assert self._server is not None
        self._server.send_signal(how)
        self._server.wait(timeout=20)

    def freeze(self) -> None:
        """SIGSTOP to all its processes: connections stay, and nobody answers."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """kill -9 of all its processes."""
        assert self._server is not None
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        self._server.wait(timeout=20)

    def pids(self) -> list[int]:
        """Of all its present processes."""
        assert self._server is not None
        head = self._server.pid
        found = [head]
        for name in os.listdir("/proc"):
            with suppress(OSError, ValueError):
                if int(Path(f"/proc/{int(name)}/stat").read_text().rpartition(")")[2].split()[1]) == head:
                    found.append(int(name))
        return found

    def _run(self, program: str, *options: str) -> None:
        command = [self.bin / program, "-h", self.folder, "-U", self.user, *options]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]


def _as_user(user: str) -> dict[str, object]:
    if os.geteuid() != 0:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


@contextmanager
def running_postgres(bin_folder: Path, **settings: str) -> Iterator[Postgres]:
    """``settings`` over those that the tests have anyway."""
    # A server refuses to be root; Debian's package makes a user for it.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    # A socket's path may have 107 characters: not in pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="streamer-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, user)
        subprocess.run(
            [
                bin_folder / "initdb",
                "-D",
                folder / "data",
                "-U",
                user,
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            timeout=60,
            cwd=folder,
            **_as_user(user),  # type: ignore[call-overload]
        )
        postgres = Postgres(bin_folder, folder, user, {**_SETTINGS, **settings})
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
