"""A process that is killed in the middle of its writes to the database, again and again, and a check of the data after
each kill."""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from streamer.conference.rooms import Room
from streamer.conference.sessions import Session
from streamer.store.database import Database, database_url
from streamer.store.marks import Marks
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from tests.fakes.store_writer import nth

ROOT = Path(__file__).resolve().parents[2]


async def kill_while_writing(url: str, folder: Path, kills: int, chance: random.Random) -> int:
    """After each kill all acknowledged changes are there, complete; else AssertionError. Returns the number of
    acknowledged changes."""
    database = Database(database_url(url, folder))
    await database.start()
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await Sessions(connection).add(Session("life", "a", "Life", 0, 1))
    await database.close()

    acknowledged: list[int] = []
    first = 1
    for _ in range(kills):
        acknowledged += await _write_until_killed(url, first, chance)
        database = Database(database_url(url, folder))
        await database.start()
        # As a writer: a PostgreSQL server may still be busy with the last that the dead one sent.
        async with database.write() as connection:
            life = await Sessions(connection).get("life")
            found = await Sessions(connection).of_room_around("a", 0, 2**40)
            marks = await Marks(connection).of_sessions([session.id for session in found])
        await database.close()

        numbers = [session.start_ms for session in found if session.id != "life"]
        assert set(acknowledged) <= set(numbers)
        # One more than was acknowledged may be there: committed, and killed before it was said.
        assert len(numbers) - len(acknowledged) <= kills
        assert [session for session in found if session.id != "life"] == [nth(number) for number in numbers]
        assert life.sequence == max(numbers)
        assert {session: mark[0].at_ms for session, mark in marks.items()} == {f"s{n}": n for n in numbers}
        first = max(numbers) + 1
    return len(acknowledged)


async def _write_until_killed(url: str, first: int, chance: random.Random) -> list[int]:
    """Returns the numbers that were acknowledged."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fakes.store_writer",
        url,
        str(first),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdout is not None
    acknowledged = []
    try:
        # At a moment that no line of the writer's chooses, once it is well under way.
        for _ in range(chance.randint(1, 15)):
            acknowledged.append(int(await asyncio.wait_for(writer.stdout.readline(), 60)))
        await asyncio.sleep(chance.uniform(0, 0.02))
    finally:
        writer.kill()
    rest, _ = await asyncio.wait_for(writer.communicate(), 60)
    # A line that was torn off was no answer.
    acknowledged += [int(line) for line in rest.splitlines(keepends=True) if line.endswith(b"\n")]
    return acknowledged
