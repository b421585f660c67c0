"""Writes that may break a constraint, with the error in words.

Each runs in a savepoint: PostgreSQL gives up the whole transaction at the first error, SQLite does not, and a
repository's caller need not know which database it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, Table, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.errors import Conflict, Unprocessable

_POSTGRES_FOREIGN_KEY = "23503"


async def add_rows(
    connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]], *, taken: str, unknown: str
) -> None:
    """Insert all ``rows`` or none.

    Raises Conflict ``exists`` with the message ``taken`` if a key exists already, Unprocessable ``unknown_reference``
    with ``unknown`` if a row names a row of another table that does not exist.
    """
    if not rows:
        return
    try:
        async with connection.begin_nested():
            await connection.execute(insert(table), [dict(row) for row in rows])
    except IntegrityError as error:
        if _is_foreign_key(error):
            raise Unprocessable(unknown, code="unknown_reference") from error
        raise Conflict(taken, code="exists") from error


async def change_rows(
    connection: AsyncConnection,
    statement: Executable,
    rows: Sequence[Mapping[str, Any]] | None = None,
    *,
    unknown: str,
) -> int:
    """Update, once for each of ``rows`` (its parameters) if they are given; all or nothing.

    Returns the number of changed rows; for many it is unknown (-1). Raises Unprocessable ``unknown_reference``.
    """
    try:
        async with connection.begin_nested():
            return (await connection.execute(statement, rows)).rowcount
    except IntegrityError as error:
        raise Unprocessable(unknown, code="unknown_reference") from error


async def put_row(
    connection: AsyncConnection, table: Table, key: Mapping[str, Any], values: Mapping[str, Any], *, unknown: str
) -> None:
    """Change the row with this primary key, or add it.

    Raises Unprocessable ``unknown_reference``. Two of these at once cannot both add: there is one writer at a time.
    """
    which = [table.c[name] == value for name, value in key.items()]
    if not await change_rows(connection, update(table).where(*which).values(dict(values)), unknown=unknown):
        await add_rows(connection, table, ({**key, **values},), taken="It exists.", unknown=unknown)


async def remove_rows(connection: AsyncConnection, statement: Executable, *, in_use: str, code: str = "in_use") -> int:
    """Delete. Returns the number of rows; raises Conflict ``code`` with the message ``in_use`` while other rows need
    them."""
    try:
        async with connection.begin_nested():
            return (await connection.execute(statement)).rowcount
    except IntegrityError as error:
        raise Conflict(in_use, code=code) from error


def _is_foreign_key(error: IntegrityError) -> bool:
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        return bool(name == "SQLITE_CONSTRAINT_FOREIGNKEY")
    return getattr(error.orig, "sqlstate", None) == _POSTGRES_FOREIGN_KEY
