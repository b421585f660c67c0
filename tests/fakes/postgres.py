"""A PostgreSQL server of the tests' own: in a temporary folder, on a unix socket, gone when they end."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

START_LIMIT_S = 30.0
_PR_SET_PDEATHSIG = 1
# What a power cut would cost is of no interest here, and the machine is small.
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


@dataclass(frozen=True)
class Postgres:
    bin: Path
    folder: Path
    user: str

    def new_database(self) -> str:
        """An empty database. Returns its URL, as in the setting ``store.url``."""
        name = f"t{uuid4().hex}"
        self._run("createdb", "--template=template0", "--encoding=UTF8", name)
        return f"postgresql://{self.user}@/{name}?host={self.folder}"

    def drop(self, url: str) -> None:
        self._run("dropdb", "--force", url.partition("@/")[2].partition("?")[0])

    def answers(self) -> bool:
        ready = subprocess.run([self.bin / "pg_isready", "-q", "-h", self.folder], check=False, timeout=10)
        return ready.returncode == 0

    def _run(self, program: str, *options: str) -> None:
        command = [self.bin / program, "-h", self.folder, "-U", self.user, *options]
        subprocess.run(command, check=True, capture_output=True, timeout=30)


@contextmanager
def running_postgres(bin_folder: Path) -> Iterator[Postgres]:
    # A server refuses to be root; Debian's package makes a user for it.
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    as_user = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    # A socket's path may have 107 characters: not in pytest's folder.
    folder = Path(tempfile.mkdtemp(prefix="streamer-pg-"))
    try:
        if as_user:
            shutil.chown(folder, user)
        data, log = folder / "data", folder / "log"
        subprocess.run(
            [bin_folder / "initdb", "-D", data, "-U", user, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=60,
            cwd=folder,
            **as_user,  # type: ignore[call-overload]
        )
        options = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [bin_folder / "postgres", "-D", data, "-k", folder, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                preexec_fn=_end_with_the_tests,
                **as_user,  # type: ignore[call-overload]
            )
        try:
            postgres = Postgres(bin_folder, folder, user)
            deadline = time.monotonic() + START_LIMIT_S
            while not postgres.answers():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL does not start: {log.read_text(errors='replace')[-2000:]}")
                time.sleep(0.05)
            yield postgres
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(timeout=20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_the_tests() -> None:
    """Also where they are killed."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
