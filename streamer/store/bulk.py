"""Many rows in one statement: put instead of rows with the same key, or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table, and_, bindparam, delete
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

KEYS_AT_A_TIME = 500
"""Keys in one statement: both databases limit the number of values."""


async def put_rows(connection: AsyncConnection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add the rows, each whole and each key once, instead of those with the same primary key.

    Raises IntegrityError if a row names a row of another table that does not exist; the transaction cannot be used
    then.
    """
    if not rows:
        return
    statement = _put(connection.dialect.name, table, tuple(rows[0]))
    await connection.execute(statement, [dict(row) for row in rows])


@lru_cache(maxsize=200)
def _put(dialect: str, table: Table, names: tuple[str, ...]) -> Any:
    """Made once per table: with many small transactions, this is most of their cost."""
    key = [column.name for column in table.primary_key]
    insert: Any = sqlite.insert
    if dialect != "sqlite":
        # With SQLite the other is never imported.
        from sqlalchemy.dialects import postgresql

        insert = postgresql.insert
    statement = insert(table)
    changed = {name: statement.excluded[name] for name in names if name not in key}
    if changed:
        return statement.on_conflict_do_update(index_elements=key, set_=changed)
    return statement.on_conflict_do_nothing(index_elements=key)


async def remove_keys(connection: AsyncConnection, table: Table, keys: Sequence[tuple[Any, ...]]) -> None:
    """Delete by primary key, in its columns' order."""
    if not keys:
        return
    columns = list(table.primary_key)
    statement = delete(table).where(and_(*(column == bindparam(f"key_{column.name}") for column in columns)))
    rows = [{f"key_{column.name}": part for column, part in zip(columns, key, strict=True)} for key in keys]
    await connection.execute(statement, rows)


def batches(ids: Sequence[str]) -> list[Sequence[str]]:
    return [ids[at : at + KEYS_AT_A_TIME] for at in range(0, len(ids), KEYS_AT_A_TIME)]
