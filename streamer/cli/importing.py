"""``streamer import``: a schedule from a file or an address into the database, also beside a running instance."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.cli.granting import opened
from streamer.conference.grants import Grant, Role
from streamer.conference.rooms import DEFAULT_ZONE
from streamer.conference.schedule import Schedule, ScheduleWarning
from streamer.errors import StreamerError
from streamer.planning.apply import Applied
from streamer.planning.fetch import fetch
from streamer.planning.importer import ImportPlan, carry_out, plan
from streamer.schedules.compare import Difference, DifferenceItem
from streamer.schedules.detect import read_schedule
from streamer.schedules.reading import MAX_BYTES, Unreadable
from streamer.sections import is_http_url
from streamer.settings import Settings
from streamer.store.database import Database

OPERATOR = Grant(id="admin", role=Role.ADMIN, label="streamer import")
"""The owner of the data folder may do everything."""
SHOWN_ROWS = 40
SHOWN_WARNINGS = 20


class NoFile(StreamerError):
    code, status = "no_file", 422


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The options of the command line."""

    source: str
    event: str | None = None
    venue: str | None = None
    room: str | None = None
    dry_run: bool = False
    yes: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    schedule: Schedule
    plan: ImportPlan
    applied: Applied | None
    """None after a dry run."""


async def import_schedule(settings: Settings, wanted: ImportRequest) -> Imported:
    """Raises NoFile, NotFetched, Unreadable, NotFound for a venue or room that does not exist, StoreUnavailable."""
    now_ms = time.time_ns() // 1_000_000
    data = await _data(wanted.source, settings)
    async with opened(settings) as database:
        return await _in_database(database, data, wanted, now_ms)


async def _in_database(database: Database, data: bytes, wanted: ImportRequest, now_ms: int) -> Imported:
    zone = DEFAULT_ZONE
    otherwise = Path(wanted.source.rstrip("/")).stem
    schedule = await asyncio.to_thread(read_schedule, data, timezone=zone, now_ms=now_ms)
    async with database.read() as connection:
        found = await _plan(connection, schedule, wanted, otherwise, now_ms)
    if found.venue is not None and found.venue.timezone != zone:
        # Times without a zone are the venue's, which is known only now.
        zone = found.venue.timezone
        schedule = await asyncio.to_thread(read_schedule, data, timezone=zone, now_ms=now_ms)
    if wanted.dry_run:
        async with database.read() as connection:
            return Imported(schedule, await _plan(connection, schedule, wanted, otherwise, now_ms), None)
    async with database.write() as connection:
        planned = await _plan(connection, schedule, wanted, otherwise, now_ms)
        applied = await carry_out(
            connection,
            planned,
            "all" if wanted.yes else (),
            now_ms=now_ms,
            who=OPERATOR.id,
            label=OPERATOR.label,
            source=wanted.source[:500],
        )
    return Imported(schedule, planned, applied)


async def _plan(
    connection: AsyncConnection, schedule: Schedule, wanted: ImportRequest, otherwise: str, now_ms: int
) -> ImportPlan:
    return await plan(
        connection,
        schedule,
        holder=OPERATOR,
        now_ms=now_ms,
        event=wanted.event,
        venue=wanted.venue,
        room=wanted.room,
        otherwise=otherwise,
    )


async def _data(source: str, settings: Settings) -> bytes:
    if is_http_url(source):
        return (await fetch(source, settings.schedules)).body
    if source == "-":
        return await asyncio.to_thread(sys.stdin.buffer.read, MAX_BYTES + 1)
    try:
        return await asyncio.to_thread(_head_of, Path(source))
    except OSError as error:
        raise NoFile(f"{source} cannot be read: {error.strerror}.") from error


def _head_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def explain(error: Unreadable) -> list[str]:
    """The error's message and reasons, a line each."""
    return [error.message, *(f"  - {reason}" for reason in error.reasons[1:])]


def show(imported: Imported, console: Console, *, everything: bool = False) -> None:
    """The difference as a table, the warnings and the result. ``everything``: without a limit on rows."""
    found = imported.plan
    difference = found.difference
    zone = ZoneInfo(found.venue.timezone if found.venue is not None else imported.schedule.timezone or DEFAULT_ZONE)
    title = f"{found.event.name} ({found.event.id}{', new' if found.event_is_new else ''})"
    console.print(f"[bold]{escape(title)}[/]")
    table = _table(difference, zone, 10**9 if everything else SHOWN_ROWS, imported.applied)
    if table.row_count:
        console.print(table)
    _show_warnings(difference.warnings, console, 10**9 if everything else SHOWN_WARNINGS)
    for room in found.new_rooms:
        console.print(f"New room: {escape(room.name)} ({room.id})")
    for name in difference.rooms_unknown:
        console.print(f"[yellow]Unknown room:[/] {escape(name)}")
    console.print(_summary(imported))


def _table(difference: Difference, zone: tzinfo, rows: int, applied: Applied | None) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "When", "Room", "Session", "What"):
        table.add_column(heading, overflow="fold")
    waiting = {item.key for item in applied.waiting} if applied is not None else set()
    for item in difference.items[:rows]:
        mark = " [yellow]waits[/]" if item.key in waiting else " [yellow]needs a yes[/]" if item.needs_yes else ""
        table.add_row(
            f"{item.change.value}{mark}",
            _when(item, zone),
            escape(item.room or (item.item.room if item.item is not None else "") or "no room"),
            escape(item.title[:80]),
            escape(_what(item, zone)),
        )
    if len(difference.items) > rows:
        table.add_row("…", "", "", f"and {len(difference.items) - rows} more", "--dry-run shows all")
    return table


def _when(item: DifferenceItem, zone: tzinfo) -> str:
    known = item.item or item.session
    start_ms = known.start_ms if known is not None else 0
    return datetime.fromtimestamp(start_ms / 1000, zone).strftime("%a %d %b %Y %H:%M")


def _what(item: DifferenceItem, zone: tzinfo) -> str:
    parts = []
    for change in item.fields:
        if change.name in ("start_ms", "end_ms"):
            times = [datetime.fromtimestamp(ms / 1000, zone).strftime("%d %b %H:%M") for ms in (change.old, change.new)]
            parts.append(f"{change.name.removesuffix('_ms')} {times[0]} → {times[1]}")
        elif change.name in ("abstract", "guid", "external_id"):
            parts.append(change.name)
        else:
            parts.append(f"{change.name} {_short(change.old)} → {_short(change.new)}")
    parts.extend(consequence.message for consequence in item.consequences)
    return "; ".join(parts)


def _short(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text[:60] or "nothing"


def _show_warnings(warnings: tuple[ScheduleWarning, ...], console: Console, rows: int) -> None:
    for warning in warnings[:rows]:
        about = f" {escape(warning.item)}:" if warning.item else ""
        console.print(f"[yellow]Warning[/]{about} {escape(warning.message)}")
    if len(warnings) > rows:
        more = Counter(warning.code for warning in warnings[rows:])
        console.print("and " + ", ".join(f"{count} x {code}" for code, count in sorted(more.items())))


def _summary(imported: Imported) -> str:
    difference, applied = imported.plan.difference, imported.applied
    counts = (
        f"{len(difference.added)} added, {len(difference.moved)} moved, {len(difference.changed)} changed, "
        f"{len(difference.cancelled)} cancelled, {difference.unchanged} unchanged, {len(difference.warnings)} warnings"
    )
    if applied is None:
        return f"A dry run, nothing is written. It would be: {counts}."
    if not applied.waiting:
        return f"Done: {counts}."
    blocked = sum(item.blocked for item in applied.waiting)
    yes = len(applied.waiting) - blocked
    hints = [f"{yes} wait for a yes (--yes)"] if yes else []
    hints += [f"{blocked} cannot be applied now"] if blocked else []
    return f"Done: {counts}; of these {' and '.join(hints)}."
