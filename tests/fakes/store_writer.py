"""A process that writes into a store as long as it lives: ``python -m tests.fakes.store_writer URL FIRST [PER_S]``.

Each transaction changes the one session "life" and adds a session and a mark. After the commit it prints a line with
its number. A reader of the line may rely on it. Without ``PER_S`` it does not pause.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

from streamer.conference.sessions import Mark, MarkKind, Session
from streamer.store.database import Database, database_url
from streamer.store.marks import Marks
from streamer.store.sessions import Sessions


def nth(number: int) -> Session:
    return Session(f"s{number}", "a", f"Talk {number}", number, number + 1, speakers=("x" * (number % 3000),))


async def write(url: str, first: int, per_s: float = math.inf) -> None:
    database = Database(database_url(url, Path()))
    await database.start()
    number, began = first, time.monotonic()
    while True:
        await asyncio.sleep(max(0.0, began + (number - first) / per_s - time.monotonic()))
        async with database.write() as connection:
            sessions = Sessions(connection)
            life = await sessions.get("life")
            await sessions.save_many((replace(life, sequence=number),))
            await sessions.add(nth(number))
            await Marks(connection).add(Mark(f"m{number}", f"s{number}", MarkKind.CHAPTER, number))
        print(number, flush=True)
        number += 1


if __name__ == "__main__":
    asyncio.run(write(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:])))
