"""Pages of lists, and places in them.

A *place* tells the row after which a page begins. It holds ids, so it never leaves the service as it is: clients get it
encrypted as a cursor (:mod:`streamer.api.cursors`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, and_, or_

T = TypeVar("T")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """``cursor``: the place of the last item, where the next page continues; None on the last page. ``places``: each
    item's own."""

    items: list[T]
    cursor: str | None
    places: list[str] = field(default_factory=list)


def page_of(rows: list[tuple[str, T]], limit: int) -> Page[T]:
    """``rows`` are ``(place, item)``, one more than ``limit`` if there is a next page."""
    places = [place for place, _ in rows[:limit]]
    return Page([item for _, item in rows[:limit]], places[-1] if len(rows) > limit else None, places)


async def page_of_shown(
    limit: int,
    after: str | None,
    fetch: Callable[[int, str | None], Awaitable[Page[T]]],
    show: Callable[[Sequence[T]], Awaitable[Sequence[V | None]]],
) -> tuple[list[V], str | None]:
    """A page of visible items, and the place of its last item; None if no visible item follows.

    ``fetch(limit, after)`` reads items that are visible as far as the database knows, ``show`` decides on each: None
    hides it. So neither the place nor a short page tells of hidden items.
    """
    found: list[tuple[str, V]] = []
    while True:
        page = await fetch(limit + 1 - len(found), after)
        views = await show(page.items)
        found += [(place, view) for place, view in zip(page.places, views, strict=True) if view is not None]
        after = page.cursor
        if after is None or len(found) > limit:
            break
    return [view for _, view in found[:limit]], found[limit - 1][0] if len(found) > limit else None


def after_place(by: Sequence[Column[Any]], place: str, *, descending: bool = False) -> ColumnElement[bool]:
    """The rows after ``place`` in a list that is ordered by an id, or by a number and, for equal numbers, by an id."""
    column, *others = by
    if not others:
        return column < place if descending else column > place
    number, _, rest = place.partition(".")
    last = int(number)
    further = column < last if descending else column > last
    return or_(further, and_(column == last, after_place(others, rest, descending=descending)))
