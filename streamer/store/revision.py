"""The revision: a counter that tells the director that somebody else has changed what it keeps in memory.

Repositories of venues, rooms, events, sessions, marks and editions bump it with each change, in the change's
transaction.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.store.tables import revisions


async def current(connection: AsyncConnection) -> int:
    """The revision of what this transaction sees.

    In a transaction of ``Database.write`` nobody else moves it before the transaction ends: whoever keeps what is
    stored in memory reads it first, compares it with the one that he knows, and reads it again after his changes.
    """
    return int((await connection.execute(select(revisions.c.value).where(revisions.c.id == 1))).scalar_one())


async def bump(connection: AsyncConnection) -> None:
    await connection.execute(update(revisions).where(revisions.c.id == 1).values(value=revisions.c.value + 1))
