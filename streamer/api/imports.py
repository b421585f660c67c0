"""``/api/v1/imports``: a schedule is first shown as a difference, and applied when somebody confirms it."""

from __future__ import annotations

import asyncio
import base64
import secrets
import zlib
from collections.abc import Collection
from typing import Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.auth import require
from streamer.api.context import now_ms
from streamer.api.models import Body, LazyModel, Line, Slug
from streamer.api.routing import Call, Route, invalid, read_file
from streamer.api.session_models import Url, in_zone
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.schedule import ScheduleWarning
from streamer.errors import BadRequest, NotFound
from streamer.planning.apply import Applied
from streamer.planning.fetch import fetch
from streamer.planning.importer import ImportPlan, ScheduleFile, carry_out, plan_in, read_and_plan, zone_of
from streamer.schedules.compare import Difference, DifferenceItem
from streamer.schedules.reading import MAX_BYTES
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.schedule_sources import ImportPreview, ImportPreviews
from streamer.store.venues import Venues

PREVIEW_S = 3600
"""An import may be applied for this long after it was shown."""
NAME = "an upload"


class ImportFromUrl(Body):
    """Instead of this, the body may be the file itself, with ``event``, ``venue`` and ``room`` in the query."""

    url: Url
    event: Line | None = None
    venue: Slug | None = None
    room: Slug | None = None
    templates: bool = True
    """Whether new sessions take the organisers' templates for their kinds."""


class ImportQuery(LazyModel):
    event: Line | None = None
    venue: Slug | None = None
    room: Slug | None = None
    templates: bool = True


class ImportApply(Body):
    accept: Literal["all"] | list[str] = Field("all", description="Keys of the items to apply, or all of them.")
    create_rooms: bool = True


class ConsequenceView(LazyModel):
    code: str
    message: str
    blocks: bool


class ImportItem(LazyModel):
    key: str
    title: str
    room: str | None
    """The room's id here; null for a room that does not exist here; empty: it takes place without a room."""
    room_name: str
    start: str
    session: str | None
    needs_yes: bool
    blocked: bool
    consequences: list[ConsequenceView]
    changes: dict[str, tuple[Any, Any]]
    """Field -> (old, new)."""

    @classmethod
    def of(cls, item: DifferenceItem, zone: ZoneInfo) -> ImportItem:
        known = item.item or item.session
        return cls(
            key=item.key,
            title=item.title,
            room=item.room,
            room_name=", ".join((item.item.room, *item.item.also_in)) if item.item is not None else item.room or "",
            start=in_zone(known.start_ms if known is not None else 0, zone),
            session=item.session.id if item.session is not None else None,
            needs_yes=item.needs_yes,
            blocked=item.blocked,
            consequences=[
                ConsequenceView(code=one.code, message=one.message, blocks=one.blocks) for one in item.consequences
            ],
            changes={
                change.name.removesuffix("_ms"): (
                    _told(change.name, change.old, zone),
                    _told(change.name, change.new, zone),
                )
                for change in item.fields
            },
        )


class DifferenceView(LazyModel):
    added: list[ImportItem]
    moved: list[ImportItem]
    changed: list[ImportItem]
    cancelled: list[ImportItem]
    unchanged: int

    @classmethod
    def of(cls, difference: Difference, zone: ZoneInfo) -> DifferenceView:
        return cls(
            added=[ImportItem.of(item, zone) for item in difference.added],
            moved=[ImportItem.of(item, zone) for item in difference.moved],
            changed=[ImportItem.of(item, zone) for item in difference.changed],
            cancelled=[ImportItem.of(item, zone) for item in difference.cancelled],
            unchanged=difference.unchanged,
        )


class WarningView(LazyModel):
    code: str
    message: str
    item: str

    @classmethod
    def of(cls, warning: ScheduleWarning) -> WarningView:
        return cls(code=warning.code, message=warning.message, item=warning.item)


class ImportView(LazyModel):
    """The changes that an import would make. Its ``id`` applies it."""

    id: str
    event: str
    event_name: str
    event_is_new: bool
    venue: str | None
    sessions: int
    rooms: int
    new_rooms: list[str]
    rooms_unknown: list[str]
    rooms_ambiguous: dict[str, list[str]]
    """Of these, the names that several rooms here have -> the rooms."""
    difference: DifferenceView
    warnings: list[WarningView]


class ImportDone(LazyModel):
    event: str
    added: int
    changed: int
    waiting: list[ImportItem]
    """Items that were not accepted, or that cannot be applied now."""


async def show_import(call: Call) -> ImportView:
    """Reads the file and keeps it for an hour."""
    file = await _file(call)
    now = now_ms()
    services = call.services
    async with services.database.read() as connection:
        # Checked before the file is read: may the holder import for this event or venue at all?
        call.require(await _target(connection, call.holder, file.event, file.venue, file.room))
    schedule, found = await read_and_plan(services.database, file, call.holder, now)
    _require_event(call, found)
    preview = ImportPreview(
        secrets.token_urlsafe(9),
        found.event.id,
        now,
        now + PREVIEW_S * 1000,
        {
            "data": base64.b64encode(zlib.compress(file.data, 6)).decode("ascii"),
            "source": file.source,
            "event": file.event,
            "venue": file.venue,
            "room": file.room,
            "templates": file.templates,
        },
    )
    async with services.database.write() as connection:
        previews = ImportPreviews(connection)
        await previews.sweep(now)
        await previews.add(preview)
    zone = zone_of(found)
    return ImportView(
        id=preview.id,
        event=found.event.id,
        event_name=found.event.name,
        event_is_new=found.event_is_new,
        venue=_venue_of(found),
        sessions=len(schedule.items),
        rooms=found.listed,
        new_rooms=[room.name for room in found.new_rooms],
        rooms_unknown=list(found.difference.rooms_unknown),
        rooms_ambiguous={name: list(ids) for name, ids in found.difference.rooms_ambiguous.items()},
        difference=DifferenceView.of(found.difference, zone),
        warnings=[WarningView.of(warning) for warning in found.difference.warnings],
    )


async def apply_import(call: Call) -> ImportDone:
    body = call.body(ImportApply)
    services = call.services
    now = now_ms()
    async with services.database.read() as connection:
        preview = await ImportPreviews(connection).find(call.path("id"))
    if preview is None or preview.expires_ms <= now:
        raise NotFound("There is no such import, or it has expired.", code="no_such_import")
    kept = preview.payload
    data = await asyncio.to_thread(lambda: zlib.decompress(base64.b64decode(kept["data"])))
    file = ScheduleFile(
        data,
        kept["source"],
        kept["event"] or preview.event,
        kept["venue"],
        kept["room"],
        templates=kept.get("templates", True),
    )
    schedule, found = await read_and_plan(services.database, file, call.holder, now)
    _require_event(call, found)
    async with services.database.write() as connection:
        # Planned again in the transaction that writes: somebody may have changed the objects that it was compared with.
        found = await plan_in(connection, schedule, file, call.holder, now, make_rooms=body.create_rooms)
        leave: Collection[str] = ()
        if body.accept != "all":
            chosen = set(body.accept)
            leave = {item.key for item in found.difference.items if item.key not in chosen}
        done = await carry_out(
            connection,
            found,
            body.accept,
            now_ms=now,
            who=call.holder.id,
            label=call.holder.label,
            source=file.source[:500],
            leave=leave,
        )
        await ImportPreviews(connection).remove(preview.id)
    await services.director.refresh()
    return done_view(found, done)


# --- inside -----------------------------------------------------------------------------------------


async def _file(call: Call) -> ScheduleFile:
    request = call.request
    query = call.query(ImportQuery)
    raw = await _read(call)
    if request.content_type == "application/json" and query.event is None and query.venue is None:
        try:
            wanted = ImportFromUrl.model_validate_json(raw)
        except ValidationError as error:
            # A schedule.json names its own event.
            if b'"schedule"' not in raw and b'"version"' not in raw:
                raise invalid(error, "body") from error
        else:
            got = await fetch(wanted.url, call.services.settings.schedules)
            where = (wanted.event, wanted.venue, wanted.room)
            return ScheduleFile(got.body, wanted.url, *where, templates=wanted.templates)
    return ScheduleFile(raw, NAME, query.event, query.venue, query.room, templates=query.templates)


async def _read(call: Call) -> bytes:
    """A schedule may be larger than the bodies of other requests."""
    data = await read_file(call.request, MAX_BYTES)
    if not data:
        raise BadRequest("The file is empty.", code="empty")
    return data


async def _target(
    connection: AsyncConnection, grant: Grant, event: str | None, venue: str | None, room: str | None
) -> Target:
    """The target of the import, from the request, or else from the holder's own scope."""
    known = await Events(connection).find(event) if event is not None else None
    if known is not None:
        return Target(venue=known.venue, event=known.id)
    if venue is not None:
        await Venues(connection).get(venue)
        return Target(venue=venue)
    if room is not None:
        found = await Rooms(connection).get(room)
        return Target(venue=found.venue, room=found.id)
    return Target(venue=grant.venue, event=grant.event)


def _require_event(call: Call, found: ImportPlan) -> None:
    grant = call.require(Target(venue=_venue_of(found), event=found.event.id))
    if found.event_is_new:
        require(grant, Action.EVENT_CREATE, Target(venue=_venue_of(found)))


def _venue_of(found: ImportPlan) -> str | None:
    return found.venue.id if found.venue is not None else found.event.venue


def done_view(found: ImportPlan, done: Applied) -> ImportDone:
    zone = zone_of(found)
    return ImportDone(
        event=found.event.id,
        added=len(done.new),
        changed=len(done.changed),
        waiting=[ImportItem.of(item, zone) for item in done.waiting],
    )


def _told(name: str, value: Any, zone: ZoneInfo) -> Any:
    if name in ("start_ms", "end_ms") and isinstance(value, int):
        return in_zone(value, zone)
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


ROUTES = (
    Route(
        "POST",
        "/imports",
        show_import,
        "Read a schedule (the file as the body, or its address as JSON) and show the changes that it would make",
        "imports",
        action=Action.SCHEDULE_IMPORT,
        query=ImportQuery,
        answers=(ImportView,),
        status=201,
    ),
    Route(
        "POST",
        "/imports/{id}/apply",
        apply_import,
        "Apply an import that was shown, whole or in part",
        "imports",
        action=Action.SCHEDULE_IMPORT,
        body=ImportApply,
        answers=(ImportDone,),
    ),
)
