"""The base of all repositories: it reads items, and pages of items."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import Column, Select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.errors import NotFound
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, after_place, page_of

T = TypeVar("T")


class Repository:
    """One transaction's view of rows."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def _first(self, mapping: RowMapping[T], query: Select[Any]) -> T | None:
        row = (await self._connection.execute(query)).first()
        return None if row is None else mapping.item(row)

    async def _all(self, mapping: RowMapping[T], query: Select[Any]) -> list[T]:
        return [mapping.item(row) for row in await self._connection.execute(query)]

    async def _page(
        self,
        mapping: RowMapping[T],
        query: Select[Any],
        limit: int,
        after: str | None,
        *by: Column[Any],
        descending: bool = False,
    ) -> Page[T]:
        """The items of ``query`` after the place ``after``, ordered ``by`` an id, or by a number and an id."""
        query = query.order_by(*(column.desc() if descending else column for column in by)).limit(limit + 1)
        if after is not None:
            query = query.where(after_place(by, after, descending=descending))
        rows = (await self._connection.execute(query)).all()
        return page_of([(".".join(str(row._mapping[c]) for c in by), mapping.item(row)) for row in rows], limit)


def there(item: T | None, message: str, *, code: str | None = None) -> T:
    """``item``; raises NotFound if it is None."""
    if item is None:
        raise NotFound(message, code=code)
    return item
