"""A real ``streamer serve`` on a free port of the loopback, for integration, end-to-end and fault tests."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from tests.fakes.ports import free_port
from tests.fakes.stores import with_tables
from tests.fakes.waiting import LIMIT_S, until_answered

PATIENCE = {"STREAMER_MEDIA__OVERLOAD_BEHIND_MS": "5000"}
"""Several servers and browsers share the machine with the tests, and shedding because of that is not their subject."""
ADMIN_TOKEN = "admin-token-of-the-tests-0123456789"
START_LIMIT_S = 90.0


@dataclass
class Running:
    """The server's address, its data folder and its processes."""

    url: str
    data: Path
    process: asyncio.subprocess.Process
    session: aiohttp.ClientSession
    log: Path
    tokens: dict[str, str] = field(default_factory=dict)

    def pid(self, name: str) -> int:
        """Of ``web``, ``media`` or ``room-{id}``."""
        return int((self.data / "run" / f"{name}.pid").read_text())

    async def kill(self, name: str) -> int:
        """kill -9 one process of the server."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGKILL)
        return pid

    def standby(self) -> int | None:
        """The web process that waits for the end of the one that acts; None: there is none yet."""
        return standby_of(self.process.pid)

    async def api(self, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=headers) as response:
            answer = await response.json() if response.status != 204 else None
            if status is not None:
                assert response.status == status, answer
            return answer

    async def upload(self, kind: str, picture: bytes) -> str:
        """The address of a picture that is uploaded: ``logos``, ``covers``, ``portraits``."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "image/png"}
        async with self.session.post(f"{self.url}/api/v1/{kind}", data=picture, headers=headers) as response:
            answer = await response.json()
            assert response.status == 201, answer
            return str(answer["address"])

    async def room(self, room: str, **fields: Any) -> str:
        """Make a room and a technician's grant for it. Returns the token."""
        await self.api("POST", "/rooms", {"id": room, "name": fields.pop("name", room.title()), **fields}, status=201)
        grant = await self.api("POST", "/grants", {"role": "technician", "room": room, "label": "test"}, status=201)
        self.tokens[room] = grant["token"]
        return str(grant["token"])

    async def plan(
        self, room: str, title: str, *, begins_in_s: float = -60, ends_in_s: float = 3600, **fields: Any
    ) -> str:
        """Plan a session. Returns its id."""
        now = time.time()
        moments = (datetime.fromtimestamp(now + at_s, UTC).isoformat() for at_s in (begins_in_s, ends_in_s))
        plan = {"room": room, "title": title, "start": next(moments), "end": next(moments), **fields}
        return str((await self.api("POST", "/sessions", plan, status=201))["id"])

    async def begin(self, session: str, **at: Any) -> None:
        """Start a session, now or at ``at``."""
        await self.api("POST", f"/sessions/{session}/start", at, status=200)

    async def state(self, room: str) -> dict[str, Any]:
        answer = await self.api("GET", f"/rooms/{room}")
        assert isinstance(answer, dict)
        return answer

    async def wait_state(self, room: str, state: str, *, within_s: float = LIMIT_S) -> dict[str, Any]:
        latest: dict[str, Any] = {}

        async def reached() -> bool:
            with contextlib.suppress(aiohttp.ClientError):
                latest.clear()
                latest.update(await self.state(room))
            return latest.get("state") == state

        await until_answered(reached, limit_s=within_s, what=lambda: f"room {room} is {state}, last {latest}")
        return latest

    async def ready(self) -> bool:
        try:
            async with self.session.get(f"{self.url}/readyz", ssl=False) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    def logged(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.asynccontextmanager
async def serving(
    *arguments: str,
    data: Path | None = None,
    environment: Mapping[str, str] | None = None,
    command: str = "serve",
    port: int = 0,
    before: Sequence[str] = (),
) -> AsyncIterator[Running]:
    """``environment`` holds settings (``STREAMER_HLS__DVR_S``). ``before`` stands before the command
    (``small_disk.with_disks``). SIGTERM at the end has to leave nothing behind. A data folder of its own has all tables
    already: the migrations are other tests' matter."""
    own = data is None
    folder = Path(tempfile.mkdtemp(prefix="streamer-")) if data is None else data
    if own:
        with_tables(folder)
    port = port or free_port()
    log = folder.with_suffix(".log")
    env = {
        **os.environ,
        "STREAMER_ADMIN_TOKEN": ADMIN_TOKEN,
        "STREAMER_LOG__FORMAT": "console",
        **PATIENCE,
        **(environment or {}),
    }
    base = [sys.executable, "-m", "streamer.cli", command, "--host", "127.0.0.1", "--port", str(port)]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *before, *base, "--data", str(folder), *arguments, env=env, stdout=output, stderr=output
        )
    scheme = "https" if "--tls-cert" in arguments else "http"
    try:
        async with aiohttp.ClientSession() as session:
            running = Running(f"{scheme}://127.0.0.1:{port}", folder, process, session, log)
            await until_answered(
                lambda: _ready(running), limit_s=START_LIMIT_S, what=lambda: f"ready: {running.logged()[-2000:]}"
            )
            yield running
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(LIMIT_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
                raise AssertionError(f"serve did not end on SIGTERM: {log.read_text()[-4000:]}") from None
        if own:
            shutil.rmtree(folder, ignore_errors=True)
            log.unlink(missing_ok=True)


async def _ready(running: Running) -> bool:
    assert running.process.returncode is None, running.logged()[-4000:]
    return await running.ready()


def standby_of(serve: int) -> int | None:
    """The child that waits for another one's lock, by the kernel's list."""
    children = Path(f"/proc/{serve}/task/{serve}/children").read_text().split()
    waiting = [line.split()[5] for line in Path("/proc/locks").read_text().splitlines() if "->" in line]
    return next((int(child) for child in children if child in waiting), None)
