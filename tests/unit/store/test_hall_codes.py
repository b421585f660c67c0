"""Hall codes in the database: one for each place of a room, gone with it."""

from __future__ import annotations

import pytest

from streamer.conference.hall_codes import HallCode
from streamer.conference.rooms import Room
from streamer.errors import Conflict, NotFound, Unprocessable
from streamer.store.database import Database
from streamer.store.hall_codes import HallCodes
from streamer.store.rooms import Rooms

HERE = HallCode("CD5H8K", "a", "hall", 1)
AWAY = HallCode("CD5H8M", "a", "Évry", 2)


async def test_codes_are_found_listed_and_taken_back(store: Database) -> None:
    async with store.write() as connection:
        for room in ("a", "b"):
            await Rooms(connection).add(Room(room, room))
        codes = HallCodes(connection)
        for code in (AWAY, HERE, HallCode("CD5H8P", "b", "hall", 3), HallCode("CD5H8R", "a", "Brest", 4)):
            await codes.add(code)
        assert await codes.find("CD5H8M") == AWAY
        assert await codes.find("cd5h8m") is None
        assert [code.place for code in await codes.of_room("a")] == ["hall", "Brest", "Évry"]
        with pytest.raises(NotFound):
            await codes.remove("b", "CD5H8M")
        await codes.remove("a", "CD5H8M")
        assert await codes.find("CD5H8M") is None
        with pytest.raises(NotFound):
            await codes.remove("a", "CD5H8M")
        await Rooms(connection).remove("a")
        assert await codes.find("CD5H8K") is None
        assert await codes.find("CD5H8P") is not None


async def test_no_code_and_no_place_is_given_twice(store: Database) -> None:
    async with store.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        codes = HallCodes(connection)
        await codes.add(HERE)
        for other in (HallCode("CD5H8K", "a", "Nantes", 2), HallCode("CD5H8N", "a", "hall", 2)):
            with pytest.raises(Conflict):
                await codes.add(other)
        with pytest.raises(Unprocessable):
            await codes.add(HallCode("CD5H8N", "nowhere", "hall", 2))
        assert await codes.of_room("a") == [HERE]
