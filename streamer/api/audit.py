"""The audit log: writing to it, and ``/api/v1/audit``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.context import now_ms
from streamer.api.models import LazyModel, ListQuery, Moment, Slug, to_moment, to_ms
from streamer.api.routing import Call, Route, invalid_field
from streamer.conference.grants import EVERYTHING, Action, Grant, Target
from streamer.conference.visibility import told
from streamer.errors import NotFound
from streamer.store.audit import AuditEntry, AuditLog
from streamer.store.grants import Grants
from streamer.store.reach import target_of_event, target_of_room, target_of_session
from streamer.store.sessions import Sessions

_OF_SESSIONS = ("session", "recording")
"""Kinds whose ids are those of sessions."""


async def record(
    connection: AsyncConnection,
    grant: Grant,
    action: str,
    target: Target,
    kind: str,
    target_id: str,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Log a change in the transaction that makes it. ``kind`` and ``target_id`` name the changed object, ``target`` its
    place; ``details`` is JSON-able and holds no secret. Refused attempts are not changes and are not logged."""
    entry = AuditEntry(
        at_ms=now_ms(),
        who=grant.id,
        label=grant.label,
        action=str(action),
        target_kind=kind,
        target_id=target_id,
        room=target.room,
        venue=target.venue,
        details=dict(details or {}),
    )
    await AuditLog(connection).add(entry)


class AuditQuery(ListQuery):
    room: Slug | None = None
    venue: Slug | None = None
    action: Annotated[str, StringConstraints(max_length=48)] | None = None
    who: Annotated[str, StringConstraints(max_length=48)] | None = None
    kind: Annotated[str, StringConstraints(max_length=32)] | None = None
    """The kind of thing that was changed: ``session``, ``room``, ``grant``…; with ``id``."""
    id: Annotated[str, StringConstraints(max_length=200)] | None = None
    from_: Moment | None = Field(None, alias="from")
    until: Moment | None = None


class AuditView(LazyModel):
    id: int
    at: Moment
    who: str
    """A grant's id, ``admin`` or ``clock``."""
    label: str
    action: str
    kind: str
    target: str
    name: str
    """Of a session, its recording or a grant: its title or label now; empty where it is gone or has none."""
    room: str | None
    venue: str | None
    details: dict[str, Any]

    @classmethod
    def of(cls, entry: AuditEntry, name: str = "") -> Self:
        return cls(
            id=entry.id,
            at=to_moment(entry.at_ms),
            who=entry.who,
            label=entry.label,
            action=entry.action,
            kind=entry.target_kind,
            target=entry.target_id,
            name=name,
            room=entry.room,
            venue=entry.venue,
            details=dict(entry.details),
        )


class AuditList(LazyModel):
    items: list[AuditView]
    cursor: str | None


async def list_audit(call: Call) -> AuditList:
    """Newest first. The holder of a room or a venue sees the changes there; the holder of an event or a session asks
    for its own by ``kind`` and ``id``."""
    query = call.query(AuditQuery)
    holder = call.holder
    if (query.kind is None) != (query.id is None):
        raise invalid_field("id", "kind and id go together")
    room = query.room or holder.room
    venue = query.venue or (holder.venue if room is None else None)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        call.require(await _scope(call, connection, query, room, venue))
        page = await AuditLog(connection).page(
            query.limit,
            after,
            room=room,
            venue=venue,
            action=query.action,
            who=query.who,
            target=None if query.kind is None or query.id is None else (query.kind, query.id),
            from_ms=to_ms(query.from_),
            until_ms=to_ms(query.until),
        )
        names = await _names(call, connection, page.items)
    items = [AuditView.of(entry, names.get((entry.target_kind, entry.target_id), "")) for entry in page.items]
    return AuditList(items=items, cursor=await call.cursor(query, page.cursor))


async def _names(call: Call, connection: AsyncConnection, entries: Sequence[AuditEntry]) -> dict[tuple[str, str], str]:
    """Titles and labels by (kind, id), of what the caller may know of."""
    sessions = await Sessions(connection).find_many({e.target_id for e in entries if e.target_kind in _OF_SESSIONS})
    names = {}
    for session in sessions.values():
        if told(call.caller(), session, _venue(call, session.room)).anything:
            names.update({(kind, session.id): session.title for kind in _OF_SESSIONS})
    of_grants = [entry for entry in entries if entry.target_kind == "grant"]
    grants = await Grants(connection).find_many({entry.target_id for entry in of_grants})
    # One that is gone has the name that it had last; these are the newest first.
    labels = ((entry.target_id, entry.details.get("label")) for entry in reversed(of_grants))
    gone = {("grant", target): label for target, label in labels if isinstance(label, str)}
    return names | gone | {("grant", grant.id): grant.label for grant in grants.values()}


def _venue(call: Call, room: str) -> str | None:
    venue = call.services.director.venue_of(room)
    return None if venue is None else venue.id


async def _scope(
    call: Call, connection: AsyncConnection, query: AuditQuery, room: str | None, venue: str | None
) -> Target:
    """The target that the query is about. Something that was deleted is shown to those who may see its whole place."""
    try:
        if query.kind == "session" and query.id is not None:
            target = await target_of_session(connection, query.id)
            # A session that the caller may not know of is treated like one that does not exist.
            if told(call.caller(), await Sessions(connection).get(query.id), target.venue).anything:
                return target
        if query.kind == "event" and query.id is not None:
            return await target_of_event(connection, query.id)
        if room is not None:
            return await target_of_room(connection, room)
    except NotFound:
        pass
    return EVERYTHING if room is None and venue is None else Target(room=room, venue=venue)


ROUTES = (
    Route(
        "GET",
        "/audit",
        list_audit,
        "Changes and their authors, newest first, inside one's own scope",
        "audit",
        action=Action.AUDIT_READ,
        query=AuditQuery,
        answers=(AuditList,),
    ),
)
