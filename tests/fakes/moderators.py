"""Rooms with a moderator's link each, and their people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from playwright.async_api import Locator

from tests.fakes.attendees import Attendee, join
from tests.fakes.browser import Opened
from tests.fakes.running import Running


async def with_moderators(server: Running, rooms: Mapping[str, str]) -> Running:
    """``rooms``: id -> name. The token of a room's moderator is under the room's id in ``server.tokens``."""
    for room, name in rooms.items():
        await server.room(room, name=name)
        grant = {"role": "moderator", "room": room, "label": "Anna"}
        server.tokens[room] = (await server.api("POST", "/grants", grant, status=201))["token"]
    return server


async def into(server: Running, room: str, namespace: str = "/audience", **auth: Any) -> Attendee:
    return await join(server.url, namespace, room=room, **auth)


def mode_of(client: Attendee) -> Any:
    """The room's, as it was told last."""
    return client.of("room.mode")[-1]["data"]


def page_of(server: Running, room: str) -> str:
    return f"{server.url}/moderate/{room}#token={server.tokens[room]}"


def row(seen: Opened, words: str) -> Locator:
    return seen.page.get_by_role("row").filter(has_text=words)


async def begin(server: Running, room: str) -> None:
    await server.begin(await server.plan(room, "Le sommeil des plantes"))
