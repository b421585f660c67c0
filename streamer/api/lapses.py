"""Connections that have to close because of their grants, and publications that outlive theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import structlog

from streamer.api.context import Services, now_ms
from streamer.errors import NotFound, StreamerError
from streamer.store.grants import Connections, OpenConnection
from streamer.store.reach import Lapse, lapses

_HANGUP_S = 5.0
SWEEP_EVERY_S = 2.0
_log = structlog.get_logger(__name__)


async def hang_up(services: Services, opened: Iterable[OpenConnection]) -> None:
    """Close connections, all at once; one that is gone already is no error."""

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
            await Connections(database).remove(connection.resource)

    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(opened):
            group.create_task(close(connection), name=f"hangup-{connection.room}-{number}")


async def sweep(services: Services) -> tuple[Lapse, ...]:
    """Close what may not stay open, and return the publications that are on air past their grant's end or reach.

    Called every few seconds. Closed are previews whose grant has ended or does not reach the room any more (a closed
    session has begun there), and whatever a grant opened that is gone. A publication is only told of: nobody is taken
    off the air by a clock.
    """
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


class LapseWatch:
    """Sweeps every few seconds, and knows whose publications outlive their grants. Owned by the application."""

    def __init__(self, services: Services, every_s: float = SWEEP_EVERY_S) -> None:
        self._services = services
        self._every_s = every_s
        self._found: tuple[Lapse, ...] = ()

    def labels(self, room: str, now_ms: int) -> list[str]:
        """Labels of the grants whose publication in ``room`` goes on although they have ended; a grant without a label
        by its id. For the room's alarms."""
        of_room = (lapse for lapse in self._found if lapse.connection.room == room and lapse.grant is not None)
        return sorted({lapse.grant.label or lapse.grant.id for lapse in of_room if lapse.grant is not None})

    async def run(self) -> None:
        """Until cancelled. A database that does not answer is asked again next time."""
        while True:
            try:
                self._found = await sweep(self._services)
            except (StreamerError, OSError) as error:
                _log.warning("lapses_unknown", error=repr(error))
            await asyncio.sleep(self._every_s)
