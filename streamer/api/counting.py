"""``/api/v1/count``: the number of public events per venue and year, as JSON or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal, Self

from aiohttp import hdrs
from pydantic import Field

from streamer.api.context import now_ms
from streamer.api.models import LazyModel, Slug
from streamer.api.routing import Call, Route, Text
from streamer.conference.day import DAY_MS
from streamer.conference.grants import Action, Target
from streamer.conference.rooms import DEFAULT_ZONE
from streamer.conference.sessions import Session, SessionState
from streamer.conference.year_count import COUNTED, WANTED, YearRow, count_year
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

_AT_A_TIME = 2000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CountQuery(LazyModel):
    year: int | None = Field(None, ge=2000, le=2100)
    """Left out: this year."""
    venue: Slug | None = None
    format: Literal["json", "csv"] = "json"


class YearView(LazyModel):
    venue: str | None
    """None: the rooms without a venue."""
    name: str
    year: int
    count: int
    """Sessions that took place and were open to the public."""
    wanted: int
    """The number of events that the label asks for."""
    kinds: dict[str, int]
    events: int
    """Named events with at least one of these sessions."""
    hours: float

    @classmethod
    def of(cls, row: YearRow) -> Self:
        return cls(
            venue=row.venue or None,
            name=row.name,
            year=row.year,
            count=row.count,
            wanted=WANTED,
            kinds={kind.value: row.kinds[kind] for kind in COUNTED},
            events=row.events,
            hours=_hours(row),
        )


class YearList(LazyModel):
    items: list[YearView]


async def count(call: Call) -> YearList | Text:
    """The holder of a venue sees that venue's row. Only the holder of everything sees all rows."""
    query = call.query(CountQuery)
    holder = call.holder
    venue = query.venue or holder.venue
    call.require(Target(venue=venue))
    year = query.year or datetime.fromtimestamp(now_ms() / 1000, UTC).year
    async with call.services.database.read() as connection:
        rooms = await Rooms(connection).all()
        venues = await Venues(connection).all()
        sessions = await _ended_in(Sessions(connection), year)
    rows = count_year(sessions, rooms, venues, year, timezone=DEFAULT_ZONE)
    if venue is not None:
        rows = [row for row in rows if row.venue == venue]
    if query.format == "csv":
        call.headers[hdrs.CONTENT_DISPOSITION] = f'attachment; filename="public-events-{year}.csv"'
        return Text(csv_of(rows), "text/csv; charset=utf-8; header=present")
    return YearList(items=[YearView.of(row) for row in rows])


async def _ended_in(sessions: Sessions, year: int) -> list[Session]:
    """All sessions that may have begun in the year, in any time zone."""
    from_ms = round(datetime(year, 1, 1, tzinfo=UTC).timestamp() * 1000) - DAY_MS
    until_ms = round(datetime(year + 1, 1, 1, tzinfo=UTC).timestamp() * 1000) + DAY_MS
    found: list[Session] = []
    cursor: str | None = None
    while True:
        page = await sessions.page(_AT_A_TIME, cursor, from_ms=from_ms, until_ms=until_ms, states=(SessionState.ENDED,))
        found += page.items
        cursor = page.cursor
        if cursor is None:
            return found


def csv_of(rows: Iterable[YearRow]) -> str:
    """RFC 4180, with a header line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["venue", "name", "year", "count", "wanted", *(kind.value for kind in COUNTED), "events", "hours"])
    for row in rows:
        kinds = [row.kinds[kind] for kind in COUNTED]
        name = _cell(row.name)
        writer.writerow([row.venue, name, row.year, row.count, WANTED, *kinds, row.events, _hours(row)])
    return out.getvalue()


def _cell(text: str) -> str:
    """A cell that is no formula. Spreadsheets read a cell that begins with one of these characters as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _hours(row: YearRow) -> float:
    return round(row.duration_ms / 3_600_000, 1)


ROUTES = (
    Route(
        "GET",
        "/count",
        count,
        "The year's count of public events per venue; format=csv for a table",
        "venues",
        action=Action.AUDIT_READ,
        query=CountQuery,
        answers=(YearList,),
        texts=("text/csv",),
    ),
)
