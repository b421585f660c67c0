"""An audience on a real server: what was acknowledged survives a kill of the web process, and everybody comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import socketio

from tests.fakes.attendees import Attendee
from tests.fakes.running import ADMIN_TOKEN, Running
from tests.fakes.shared import SMALL, Servers
from tests.fakes.waiting import until, until_answered

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

ROOM = "talkative"
PEOPLE = 20


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(servers: Servers) -> AsyncIterator[Running]:
    async with servers.lent(SMALL) as running:
        await running.room(ROOM)
        yield running


async def _in(server: Running, namespace: str = "/audience", **auth: Any) -> Attendee:
    client = Attendee(namespace)
    await client.connect(server.url, {"room": ROOM, **auth}, ["websocket"], {})
    return client


async def test_a_killed_web_process_loses_nothing_that_was_acknowledged(server: Running) -> None:
    people = [await _in(server, name=f"N{number}") for number in range(PEOPLE)]
    moderator = await _in(server, "/moderation", token=ADMIN_TOKEN)
    sids = {person: str(person.io.sid) for person in people}
    said: list[str] = []
    unanswered: dict[str, str] = {}
    """Sid -> the text whose answer was lost."""
    stop = asyncio.Event()

    async def talk(person: Attendee) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            text = f"{sids[person]} {number}"
            try:
                answer = await person.command("chat.send", {"text": text}, {"id": text})
            except (socketio.exceptions.SocketIOError, TimeoutError):
                unanswered[sids[person]] = text
                return
            if answer["ok"]:
                said.append(answer["id"])

    talking = [asyncio.create_task(talk(person), name="talk") for person in people]
    held = await moderator.command("room.mode", {"hold_seconds": 0, "words": ["banana"]})
    assert held["ok"], held
    await until(lambda: len(said) >= PEOPLE)
    await server.kill("web")
    stop.set()
    await asyncio.gather(*talking)
    keys = [person.snapshots[0]["you"]["key"] for person in people]
    seqs = [max((event["seq"] for event in person.events), default=person.snapshots[0]["seq"]) for person in people]

    async def answers() -> bool:
        try:
            async with server.session.get(f"{server.url}/readyz") as response:
                return response.status == 200
        except (OSError, aiohttp.ClientError):
            return False

    await until_answered(answers)
    back = await asyncio.gather(*(_in(server, participant=key, since=seq) for key, seq in zip(keys, seqs, strict=True)))
    acknowledged = set(said)
    for before, after in zip(people, back, strict=True):
        snapshot = after.snapshots[0]
        assert (snapshot["reset"], snapshot["you"]["id"]) == (True, before.snapshots[0]["you"]["id"])
        ids = [message["id"] for message in snapshot["audience"]["chat"]]
        assert acknowledged <= set(ids)
        assert len(ids) == len(set(ids))
    # Stored or not when the process was killed: sent again, each is there once.
    for before, after in zip(people, back, strict=True):
        if (text := unanswered.get(sids[before])) is not None:
            assert (await after.command("chat.send", {"text": text}, {"id": text}))["ok"]
    late = await _in(server, name="Late")
    texts = [message["text"] for message in late.snapshots[0]["audience"]["chat"]]
    assert len(texts) == len(set(texts))
    assert set(unanswered.values()) <= set(texts)
    await late.close()
    again = await _in(server, "/moderation", token=ADMIN_TOKEN)
    assert again.snapshots[0]["moderation"]["mode"]["words"] == ["banana"]
    for client in (*people, *back, moderator, again):
        await client.close()


async def test_what_moderators_hold_is_told_to_nobody_by_any_way(server: Running) -> None:
    moderator = await _in(server, "/moderation", token=ADMIN_TOKEN)
    assert (await moderator.command("room.mode", {"chat": "review", "questions": "review"}))["ok"]
    author, reader = await _in(server, name="Ada"), await _in(server, name="Bob")
    held = await author.command("chat.send", {"text": "the held secret"})
    asked = await author.command("question.ask", {"text": "the pending secret"})
    assert (held["state"], asked["state"]) == ("held", "pending")
    await moderator.told("chat.message", lambda data: data["id"] == held["id"])
    assert (await moderator.command("question.move", {"id": asked["id"], "state": "dismissed"}))["ok"]
    assert (await moderator.command("notice", {"text": "that was all"}))["ok"]
    late = await _in(server)
    for viewer in (reader, late):
        await until(lambda one=viewer: "that was all" in one.text)  # type: ignore[misc]
        assert "secret" not in viewer.text
    for path in ("/api/v1/questions", "/api/v1/polls", "/api/v1/questions?format=csv", "/metrics", f"/watch/{ROOM}"):
        async with server.session.get(server.url + path) as response:
            text = await response.text()
            assert "held secret" not in text, path
            assert "pending secret" not in text, path
    for client in (moderator, author, reader, late):
        assert client.faults == []
        await client.close()


async def test_three_viewers_without_sound_ring_at_the_technicians(server: Running) -> None:
    studio = await _in(server, "/studio", token=server.tokens[ROOM])
    viewers = [await _in(server, name=f"V{number}") for number in range(3)]
    for number, viewer in enumerate(viewers):
        # The third in a minute makes it an alarm; the same person twice is one person.
        for _ in range(2 if number == 0 else 1):
            assert (await viewer.command("trouble.report", {"kind": "no_sound"}))["ok"]
    rung = await studio.told("alarm", lambda data: data["code"] == "viewers_no_sound")
    assert (rung["data"]["level"], rung["data"]["details"]) == ("alarm", {"people": 3})
    assert (await studio.command("alarm.acknowledge", {"id": rung["data"]["id"]}))["ok"]
    (alarm,) = (await server.api("GET", f"/alarms?room={ROOM}", status=200))["items"]
    assert (alarm["id"], alarm["acknowledged"], alarm["session"]) == (rung["data"]["id"], "test", None)
    for client in (studio, *viewers):
        await client.close()
