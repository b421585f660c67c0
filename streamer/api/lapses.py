"""Closes connections whose grants have ended, and finds publications that go on after their grant's end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

import structlog

from streamer.api.context import Services, now_ms
from streamer.api.revocations import Ended
from streamer.conference.grants import ADMIN
from streamer.errors import NotFound, StreamerError
from streamer.store.grants import Grants, OpenConnection, WebRtcConnections
from streamer.store.logins import Logins
from streamer.store.reach import Lapse, lapses

_HANGUP_S = 5.0
SWEEP_EVERY_S = 2.0
LOOK_EVERY_S = 0.4
"""A grant or login that another process has ended is noticed within this time."""
_log = structlog.get_logger(__name__)


async def hang_up(services: Services, opened: Iterable[OpenConnection]) -> None:
    """Close connections, all at once. A connection that is gone already is no error."""

    async def close(connection: OpenConnection) -> None:
        link = services.plane.rooms.get(connection.room)
        try:
            if link is not None:
                async with asyncio.timeout(_HANGUP_S):
                    await link.hangup(connection.resource)
        except NotFound:
            pass
        except (StreamerError, TimeoutError) as error:
            _log.error("hangup_failed", room=connection.room, source=connection.source, error=str(error))
            return
        async with services.database.write() as database:
            await WebRtcConnections(database).remove(connection.resource)

    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(opened):
            group.create_task(close(connection), name=f"hangup-{connection.room}-{number}")


async def sweep(services: Services) -> tuple[Lapse, ...]:
    """Close the connections that may not stay open, and return the publications that are on air past their grant's end
    or reach.

    Called every few seconds. It closes previews whose grant has ended or does not reach the room any more (a closed
    session has begun there), and everything that a deleted grant opened. A publication is only reported: no clock takes
    anybody off the air.
    """
    if not services.plane.rooms:
        return ()
    async with services.database.read() as connection:
        found = await lapses(connection, now_ms())
    await hang_up(services, [lapse.connection for lapse in found if lapse.closes])
    open_still: list[Lapse] = []
    for lapse in found:
        link = services.plane.rooms.get(lapse.connection.room)
        status = None if link is None else link.status
        source = None if status is None else status.sources.get(lapse.connection.source)
        if not lapse.closes and source is not None and source.up:
            open_still.append(lapse)
    return tuple(open_still)


async def look(services: Services) -> None:
    """Close everything that grants and logins opened here and that exist no more, whichever process removed them."""
    openers = {opener for opener in services.revocations.openers() if opener.grant != ADMIN.id or opener.login}
    there: set[str] = set()
    logins: set[bytes] = set()
    orphans: list[OpenConnection] = []
    # A server that waits for its next event asks the database nothing. Connections end with their rooms.
    if openers or services.plane.rooms:
        async with services.database.read() as connection:
            there = set(await Grants(connection).find_many({opener.grant for opener in openers}))
            logins = await Logins(connection).existing({opener.login for opener in openers if opener.login is not None})
            orphans = await WebRtcConnections(connection).orphans() if services.plane.rooms else []
    gone = {Ended(opener.grant) for opener in openers if opener.grant not in there and opener.grant != ADMIN.id}
    gone |= {Ended(one.grant, one.login) for one in openers if one.login is not None and one.login not in logins}
    for ended in gone:
        await services.revocations.announce(ended)
    await services.keys.look()
    await hang_up(services, orphans)


class LapseWatch:
    """Looks and sweeps repeatedly, and knows the publications that outlive their grants. Owned by the application."""

    def __init__(self, services: Services, every_s: float = SWEEP_EVERY_S) -> None:
        self._services = services
        self._every_s = every_s
        self._swept_at = 0.0
        self._found: tuple[Lapse, ...] = ()

    def labels(self, room: str) -> dict[str, str | None]:
        """The labels (or else ids) of ended grants whose publication in ``room`` goes on -> the session that they were
        for. For the room's alarms."""
        of_room = (lapse.grant for lapse in self._found if lapse.connection.room == room)
        return {grant.label or grant.id: grant.session for grant in of_room if grant is not None}

    async def run(self) -> None:
        """Runs until it is cancelled. After a database error it tries again the next time."""
        while True:
            try:
                await look(self._services)
                if time.monotonic() - self._swept_at >= self._every_s:
                    self._found = await sweep(self._services)
                    self._swept_at = time.monotonic()
            except (StreamerError, OSError) as error:
                _log.warning("lapses_unknown", error=repr(error))
            await asyncio.sleep(min(LOOK_EVERY_S, self._every_s))
