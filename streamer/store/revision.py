"""The revision: a counter that tells the director that another process has changed data in its memory.

Repositories of venues, rooms, events, sessions, marks and editions bump it with each change, in the change's
transaction.
"""

from __future__ import annotations

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.store.tables import revisions

_CURRENT = select(revisions.c.value).where(revisions.c.id == 1)
_BUMP = update(revisions).where(revisions.c.id == 1).values(value=revisions.c.value + 1)


async def current(connection: AsyncConnection) -> int:
    """The revision that this transaction sees.

    In a transaction of ``Database.write`` nobody else changes it before the transaction ends. The owner of a copy in
    memory reads it first, compares it with its own, and reads it again after its changes.
    """
    return int((await connection.execute(_CURRENT)).scalar_one())


async def bump(connection: AsyncConnection) -> None:
    await connection.execute(_BUMP)
