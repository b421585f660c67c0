"""A room's day on a real server, from outside: sessions are planned and tapped, replays read, processes killed."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from typing import Any

from aiohttp import ClientError, ClientSession

from tests.fakes import decoding
from tests.fakes.audience import now_ms
from tests.fakes.replaying import Player
from tests.fakes.running import Running
from tests.fakes.shared import TOP
from tests.fakes.waiting import Pace, until_answered

PART_MS = 334
SECRETS = ("Quorum of the board", "Ada Confidential", "Nobody may read this abstract")
"""Title, speaker and abstract of a closed session."""


def begins_at(strips: list[int], ms: int) -> bool:
    """Whether a replay begins then. Between two key frames it begins with the next one's picture: segments have a
    second."""
    return -PART_MS - 1 <= strips[0] - ms <= 1_000 + PART_MS


def moment(ms: float) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat()


def ms_of(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


async def plan(
    server: Running, room: str, *, in_s: float = 0.0, for_s: float = 3600.0, **fields: Any
) -> dict[str, Any]:
    start = now_ms() + in_s * 1000
    fields.setdefault("title", "An open talk")
    body = {"room": room, "start": moment(start), "end": moment(start + for_s * 1000), **fields}
    made = await server.api("POST", "/sessions", body, status=201)
    assert isinstance(made, dict)
    return made


async def tap(server: Running, session: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
    done = await server.api("POST", f"/sessions/{session['id']}/{what}", body, status=200)
    assert isinstance(done, dict)
    return done


async def session_state(server: Running, session: dict[str, Any]) -> dict[str, Any]:
    answer = await server.api("GET", f"/sessions/{session['id']}", status=200)
    assert isinstance(answer, dict)
    return answer


async def wait_session(
    server: Running, session: dict[str, Any], state: str, pace: Pace | None = None
) -> dict[str, Any]:
    latest: dict[str, Any] = {}

    async def reached() -> bool:
        latest.update(await session_state(server, session))
        return latest["state"] == state

    await (pace or Pace()).until_answered(reached, what=lambda: f"is {state}, last {latest}")
    return latest


async def status_of(server: Running, path: str) -> int:
    async with server.session.get(server.url + path) as response:
        await response.read()
        return response.status


async def replayed(server: Running, path: str, name: str = TOP) -> list[int]:
    """The times in the pictures of a whole replay that a player has time to show."""
    async with ClientSession(server.url) as http:
        player = Player(http, path)
        await player.open()
        await player.reload()
        playlist, strips, at = player.playlists[name], [], 0
        while at < len(playlist.segments):
            end = next((i for i in range(at + 1, len(playlist.segments)) if playlist.segments[i].discontinuity), None)
            data = await player.run(name, at, end)
            shown = {ticks for ticks, duration, _ in decoding.picture_times(data) if duration > 10}
            strips += [p.strip for p in decoding.pictures(data) if p.at in shown and p.strip is not None]
            at = len(playlist.segments) if end is None else end
        return strips


async def source_up(server: Running, room: str) -> None:
    async def up() -> bool:
        return bool((await server.state(room)).get("media_up"))

    await until_answered(up)


async def told_to_strangers(server: Running, room: str) -> dict[str, Any]:
    async with server.session.get(f"{server.url}/api/v1/rooms/{room}") as response:
        answer = await response.json()
        assert isinstance(answer, dict)
        return answer


async def recording(server: Running, session: dict[str, Any]) -> dict[str, Any] | None:
    """Of a session that has ended, once it is cut."""
    latest: dict[str, Any] = {}

    async def ready() -> bool:
        latest.clear()
        latest.update(await server.api("GET", f"/recordings/{session['id']}"))
        return latest.get("state") == "ready"

    await until_answered(ready, what=lambda: str(latest))
    return latest


async def replayed_with_the_key_alone(server: Running, board: dict[str, Any], from_ms: int, to_ms: int) -> None:
    path, by_key = (f"/replay/{board['id']}/{key}index.m3u8" for key in ("", f"~{board['key']}/"))

    async def there() -> bool:
        return await status_of(server, by_key) == 200

    await until_answered(there)
    assert await status_of(server, path) == 404
    await recording(server, board)
    replay = await replayed(server, by_key)
    assert begins_at(replay, from_ms)
    assert abs(to_ms - replay[-1]) <= 2 * PART_MS


async def killed(server: Running, *names: str) -> None:
    for name in names:
        old = await server.kill(name)

        async def another(old: int = old, name: str = name) -> bool:
            with contextlib.suppress(OSError, ValueError, ClientError):
                async with server.session.get(f"{server.url}/readyz") as response:
                    return response.status == 200 and server.pid(name) != old
            return False

        await until_answered(another)
