"""Hall codes in the database. A revoked code is deleted."""

from __future__ import annotations

from sqlalchemy import delete, select

from streamer.conference.hall_codes import HALL, HallCode
from streamer.errors import NotFound
from streamer.store.audience_tables import hall_codes
from streamer.store.mapping import RowMapping
from streamer.store.repository import Repository
from streamer.store.writing import add_rows

_MAPPING = RowMapping(HallCode, hall_codes)


class HallCodes(Repository):
    """One transaction's view of the codes."""

    async def find(self, code: str) -> HallCode | None:
        return await self._first(_MAPPING, select(hall_codes).where(hall_codes.c.code == code))

    async def of_room(self, room: str) -> list[HallCode]:
        """The code of the hall first, then the other places by name."""
        query = select(hall_codes).where(hall_codes.c.room_id == room)
        found = [_MAPPING.item(row) for row in await self._connection.execute(query)]
        return sorted(found, key=lambda one: (one.place != HALL, one.place.casefold(), one.code))

    async def add(self, code: HallCode) -> None:
        """Raises Conflict ``exists`` (the code, or one for the place), Unprocessable ``unknown_reference``."""
        await add_rows(
            self._connection,
            hall_codes,
            (_MAPPING.values(code),),
            taken="This code is taken, or the place has one.",
            unknown="The code's room does not exist.",
        )

    async def remove(self, room: str, code: str) -> None:
        """Raises NotFound ``no_such_code``."""
        gone = await self._connection.execute(
            delete(hall_codes).where(hall_codes.c.room_id == room, hall_codes.c.code == code)
        )
        if not gone.rowcount:
            raise no_such_code()


def no_such_code() -> NotFound:
    return NotFound("There is no such code.", code="no_such_code")
