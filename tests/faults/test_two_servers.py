"""Two ``serve`` on one database, each with its own data folder: one directs, the other says who and waits. The second
has a front process and a standby of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamer.control import process_files
from tests.fakes.ports import free_port
from tests.fakes.publishing import smallest_camera
from tests.fakes.running import ADMIN_TOKEN, PATIENCE, Running, serving
from tests.fakes.shared import SMALLEST
from tests.fakes.waiting import LIMIT_S, until, until_answered

pytestmark = pytest.mark.slow

ABSENT_S = 4.0
SETTINGS = SMALLEST | {
    "STREAMER_STORE__DIRECTOR_ABSENT_S": str(ABSENT_S),
    # Events by their names: sentences for people may change.
    "STREAMER_LOG__FORMAT": "json",
}

BEHIND = {"STREAMER_SERVER__WEB_PROCESSES": "1", "STREAMER_SERVER__STANDBY": "true"}


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="streamer-") as name:
        yield Path(name)


@contextlib.asynccontextmanager
async def second_server(folder: Path, settings: dict[str, str]) -> AsyncIterator[Running]:
    """It need not become ready."""
    port, log = free_port(), folder / "second.log"
    environment = {**os.environ, "STREAMER_ADMIN_TOKEN": ADMIN_TOKEN, **PATIENCE, **settings}
    command = [sys.executable, "-m", "streamer.cli", "serve", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, "--data", str(folder / "second"), env=environment, stdout=output, stderr=output
        )
    try:
        async with aiohttp.ClientSession() as session:
            yield Running(f"http://127.0.0.1:{port}", folder / "second", process, session, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(LIMIT_S):
                assert await process.wait() == 0


async def ready(server: Running) -> tuple[int, Any]:
    """(0, None) where nobody answers."""
    try:
        async with server.session.get(f"{server.url}/readyz") as response:
            return response.status, await response.json()
    except aiohttp.ClientError:
        return 0, None


async def names(server: Running, director: int) -> bool:
    """Whether it is not ready, and says who directs."""
    status, body = await ready(server)
    error = {} if body is None else body.get("error", {})
    who = (error.get("details") or {}).get("director", "")
    return (status, error.get("code")) == (503, "not_ready") and f"process {director}" in who


async def test_one_directs_the_other_waits_and_takes_over_from_one_that_is_stopped(postgres: Any, folder: Path) -> None:
    settings = {**SETTINGS, "STREAMER_STORE__URL": postgres.new_database()}
    async with (
        serving(data=folder / "first", environment=settings) as first,
        second_server(folder, {**settings, **BEHIND}) as second,
    ):
        # Until its core is there, its front process refuses for itself.
        await until_answered(lambda: names(second, first.pid("web")), what=second.logged)
        await until(lambda: "Another Streamer directs this database" in second.logged())
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with second.session.get(f"{second.url}/api/v1/rooms", headers=headers) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (503, "not_the_director")

        # On air, and stopped.
        await first.room("a", start="auto")
        async with smallest_camera(first, "a"):
            await first.wait_state("a", "live")
            stopped = first.pid("web")
            rooms = first.data / "rooms" / "a"
            os.kill(stopped, signal.SIGSTOP)
            try:

                async def taken() -> bool:
                    return (await ready(second))[0] == 200

                await until_answered(taken, what=second.logged)
                session = await second.api("POST", "/venues", {"id": "v", "name": "V"}, status=201)
                # The first server must order this when it wakes: by the clock, a slate.
                await second.api("POST", "/rooms/a/hold", {"message": "Break"}, status=200)
                told = (rooms / "room.json").read_bytes()
            finally:
                os.kill(stopped, signal.SIGCONT)

            async def gave_up() -> bool:
                with contextlib.suppress(OSError, ValueError):
                    return first.pid("web") != stopped
                return (await ready(first))[0] == 503

            await until_answered(gave_up, what=first.logged)
            await until(lambda: "another_directs" in first.logged())
            # By the next of its web processes, once that is there.
            await until_answered(lambda: names(first, second.pid("web")), what=first.logged)
            assert (rooms / "room.json").read_bytes() == told, "it ordered something after it had been replaced"
            assert process_files.load_epoch(_settings(first), "a") == 1
            assert (await second.api("GET", "/venues"))["items"][0]["id"] == session["id"]
            audit = (await second.api("GET", "/audit"))["items"]
            assert audit[0]["action"] == "room.hold", audit[0]

        # And hands over at once when it ends in order.
        second.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(LIMIT_S):
            assert await second.process.wait() == 0
        began = time.monotonic()

        async def again() -> bool:
            return (await ready(first))[0] == 200

        await until_answered(again, what=first.logged)
        print(f"handed over in {time.monotonic() - began:.1f} s")
        await until(lambda: "let go" in first.logged())


def _settings(server: Running) -> Any:
    return process_files.read_settings(server.data / "run" / process_files.SETTINGS_FILE)
