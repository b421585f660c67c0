"""A hall whose people take part by a code: its session on air, its moderator and its speaker."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.fakes.attendees import Attendee, joined
from tests.fakes.running import Running


@dataclass
class Hall:
    """A room with a session on air, its code, and links for its people."""

    server: Running
    room: str
    code: str
    moderator: str
    speaker: str
    session: str = ""

    @property
    def stage(self) -> str:
        return f"{self.server.url}/stage/{self.room}"

    @property
    def join(self) -> str:
        return f"{self.server.url}/join/{self.code}"

    async def begin(self, title: str, *, ends_in_s: float = 1800) -> str:
        """A session that has been on air for a quarter of an hour."""
        self.session = await self.server.plan(self.room, title, begins_in_s=-900, ends_in_s=ends_in_s)
        await self.server.begin(self.session, at=datetime.fromtimestamp(time.time() - 900, UTC).isoformat())
        return self.session


def speaking(hall: Hall, namespace: str = "/audience", **auth: Any) -> contextlib.AbstractAsyncContextManager[Attendee]:
    return joined(hall.server.url, namespace, room=hall.room, **auth)


def moderating(hall: Hall) -> contextlib.AbstractAsyncContextManager[Attendee]:
    return speaking(hall, "/moderation", token=hall.moderator)


async def make_hall(server: Running, room: str, *, name: str = "Salle Turing", place: str = "hall") -> Hall:
    await server.room(room, name=name)
    code = await server.api("POST", f"/rooms/{room}/hall-codes", {"place": place}, status=201)
    tokens = [
        (await server.api("POST", "/grants", {"role": role, "room": room, "label": label}, status=201))["token"]
        for role, label in (("moderator", "Mo"), ("speaker", "Zoé"))
    ]
    return Hall(server, room, code["code"], tokens[0], tokens[1])
