"""A room on air, with an audience that talks, whose database goes away: stopped for a while, then killed and started
again."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from streamer.control import process_files
from tests.fakes.conversation import Conversation
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.ordeals import ALL_AT_ONCE
from tests.fakes.postgres import Postgres, binaries, running_postgres
from tests.fakes.publishing import smallest_camera
from tests.fakes.running import ADMIN_TOKEN, Running, serving
from tests.fakes.shared import SMALLEST
from tests.fakes.waiting import LIMIT_S, SLOW_ANSWERS, until_answered

REFUSALS = ("store_unavailable", "not_the_director", "core_lost", "core_unavailable")
"""The database is away, or the core is."""
ANSWER_LIMIT_S = 12.0
"""An action is told within this time that the database is away, also the first one."""


def moment(in_s: float) -> str:
    return datetime.fromtimestamp(time.time() + in_s, UTC).isoformat()


@dataclass
class Taps:
    """Somebody who makes sessions all the time, each once. ``made``: ids that were acknowledged."""

    server: Running
    room: str = "a"
    made: list[str] = field(default_factory=list)
    begun: float = 0.0
    """When the last of them was asked for, by the monotonic clock."""
    refused: Counter[str] = field(default_factory=Counter)
    """By code."""
    asked: int = 0
    slowest_s: float = 0.0

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            began = time.monotonic()
            try:
                status, body = await self.once()
            except aiohttp.ClientError:
                continue
            finally:
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
            if status == 201:
                self.made.append(body["id"])
                self.begun = began
            else:
                assert status == 503, body
                code = body["error"]["code"]
                assert code in REFUSALS, body
                self.refused[code] += 1
            await asyncio.sleep(0.1)

    async def once(self) -> tuple[int, Any]:
        self.asked += 1
        body = {"room": self.room, "title": f"Later {self.asked}", "start": moment(7200), "end": moment(9000)}
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        limit = aiohttp.ClientTimeout(total=60)
        url = f"{self.server.url}/api/v1/sessions"
        async with self.server.session.post(url, json=body, headers=headers, timeout=limit) as answer:
            return answer.status, await answer.json()

    async def all_kept_once(self) -> None:
        """All that was acknowledged is there, each once."""
        found: dict[str, str] = {}
        cursor = ""
        while True:
            page = await self.server.api("GET", f"/sessions?room={self.room}&limit=100{cursor}", status=200)
            found |= {session["id"]: session["title"] for session in page["items"]}
            if page["cursor"] is None:
                break
            cursor = f"&cursor={page['cursor']}"
        assert set(self.made) <= set(found)
        titles = Counter(found.values())
        assert titles.most_common(1)[0][1] == 1, titles.most_common(3)


async def shown(server: Running, room: str) -> str:
    """The content of the room's public output, from its process's last orders: no database is asked."""
    settings = process_files.read_settings(server.data / "run" / process_files.SETTINGS_FILE)
    config = await asyncio.to_thread(process_files.load_room, settings, room)
    return "" if config is None else config.orders.public


async def database_away(data: Path, *, stop_s: float, restarts: int = 1) -> Taps:
    """``stop_s``: for how long the server's processes are stopped. ``restarts``: how often it is started again, killed
    before or, each second time, ended in order. Raises AssertionError."""
    folder = binaries()
    assert folder is not None
    # Acknowledged data is on disk, as an operator has it.
    with running_postgres(folder, synchronous_commit="on") as postgres:
        settings = SMALLEST | ALL_AT_ONCE
        settings |= {"STREAMER_SERVER__WEB_PROCESSES": "2", "STREAMER_STORE__URL": postgres.new_database()}
        async with serving(data=data, environment=settings) as server:
            return await _on_air(server, postgres, stop_s, restarts)


async def _on_air(server: Running, postgres: Postgres, stop_s: float, restarts: int) -> Taps:
    await server.room("a", start="auto")
    # The closed session takes the audience of its own room away.
    await server.room("b")
    taps, over = Taps(server), asyncio.Event()
    async with (
        smallest_camera(server, "a"),
        HlsFollower(f"{server.url}/live/a/index.m3u8", retry_s=LIMIT_S) as follower,
    ):
        await server.wait_state("a", "live")
        await follower.open()
        await follower.follow(until=all_past(1))
        # The clock's work while the database does not answer: a closed session takes the room.
        due_s = 3.0
        body = {"room": "a", "title": "Board", "start": moment(due_s), "end": moment(3600), "visibility": "private"}
        board = (await server.api("POST", "/sessions", body, status=201))["id"]
        talk = await Conversation.begin(server.url, "b")
        tapping = asyncio.create_task(taps.run(over))
        try:
            await until_answered(lambda: _any(len(taps.made) >= 10))
            await until_answered(talk.said)
            usual_s, web = taps.slowest_s, server.pid("web")
            postgres.freeze()
            try:
                frozen = asyncio.create_task(asyncio.sleep(stop_s))
                meanwhile = asyncio.create_task(talk.said())
                await until_answered(lambda: _is_slate(server))
                await follower.follow(until=all_past(1))
                await frozen
                await until_answered(lambda: _any(taps.refused), what=lambda: "a tap is told that the database is away")
            finally:
                postgres.thaw()
            await meanwhile
            before = len(taps.made)
            await until_answered(lambda: _any(taps.made[before:]))
            await until_answered(lambda: _runs(server, board))

            for number in range(restarts):
                for _ in range(3):
                    await until_answered(talk.said)
                refused, before = taps.refused.total(), len(taps.made)
                if number % 2:
                    postgres.stop(signal.SIGINT)
                else:
                    postgres.kill()
                assert not await talk.said()
                await follower.follow(until=all_past(1))
                await until_answered(lambda refused=refused: _any(taps.refused.total() > refused))
                postgres.start()
                await until_answered(lambda before=before: _any(len(taps.made) > before + 1))
                await until_answered(talk.said)
            assert server.pid("web") == web, "the web process went on"
        finally:
            over.set()
            await tapping
        assert taps.slowest_s < ANSWER_LIMIT_S + SLOW_ANSWERS * usual_s, f"a tap waited for {taps.slowest_s:.1f} s"
        assert len(talk.accepted) >= 4 * restarts + 1
        await talk.end()
        await taps.all_kept_once()
        await follower.follow(until=all_past(1))
        faultless(follower, cut=True)
    return taps


async def _any(found: object) -> bool:
    return bool(found)


async def _is_slate(server: Running) -> bool:
    return await shown(server, "a") == "slate"


async def _runs(server: Running, session: str) -> bool:
    """The effects of the clock are in the database."""
    return str((await server.api("GET", f"/sessions/{session}"))["state"]) in ("on_air", "overrun")
