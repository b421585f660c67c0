"""Grants in the database, and the connections that they opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement, Row, delete, insert, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.grants import Grant, Role, Target, secret_matches, split_token
from streamer.errors import NotFound
from streamer.store.logins import Secrets
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page, after_pair, page_of, pair_place
from streamer.store.tables import FIRST_ADMIN, connections, events, grants, rooms, sessions
from streamer.store.writing import add_rows

_MAPPING = RowMapping(Grant, grants, unstored=("rooms", "about", "lapses_ms"))

ConnectionKind = Literal["publish", "play"]

_AT_A_TIME = 500
"""Ids in one statement."""

_FORGET_PLAY_AFTER_MS = 24 * 3600 * 1000
"""A preview that was not ended properly is forgotten after a day, so that the table stays small."""


@dataclass(frozen=True, slots=True)
class OpenConnection:
    """A WebRTC connection that a grant opened; ``resource`` is its secret in the room process."""

    resource: str
    grant: str
    room: str
    kind: ConnectionKind
    source: str
    created_ms: int


class Grants:
    """One transaction's view of the grants."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def get(self, grant_id: str) -> Grant:
        """Raises NotFound."""
        grant = await self.find(grant_id)
        if grant is None:
            raise NotFound("There is no such grant.")
        return grant

    async def find(self, grant_id: str) -> Grant | None:
        row = (await self._connection.execute(select(grants).where(grants.c.id == grant_id))).first()
        return None if row is None else _MAPPING.item(row)

    async def find_many(self, grant_ids: Iterable[str]) -> dict[str, Grant]:
        """The grants that exist of these, by id."""
        ids, found = list(grant_ids), {}
        for at in range(0, len(ids), _AT_A_TIME):
            query = select(grants).where(grants.c.id.in_(ids[at : at + _AT_A_TIME]))
            found.update({row.id: _MAPPING.item(row) for row in await self._connection.execute(query)})
        return found

    async def exists(self, grant_id: str) -> bool:
        found = await self._connection.execute(select(grants.c.id).where(grants.c.id == grant_id))
        return found.first() is not None

    async def by_token(self, token: str) -> Grant | None:
        """The grant of the token, in force or not; None for an unknown token."""
        parts = split_token(token)
        if parts is None:
            return None
        grant_id, secret = parts
        row = (await self._connection.execute(select(grants).where(grants.c.id == grant_id))).first()
        if row is None or not secret_matches(secret, row.secret_sha256):
            return None
        return _MAPPING.item(row)

    async def page(
        self, limit: int, after: str | None, *, scope: Target, roles: Collection[Role] = tuple(Role)
    ) -> Page[Grant]:
        """The grants of ``roles`` whose scope lies inside ``scope``, oldest first."""
        query = select(grants).order_by(grants.c.created_ms, grants.c.id).limit(limit + 1)
        query = query.where(grants.c.role.in_([role.value for role in roles]))
        if after is not None:
            query = query.where(after_pair(grants.c.created_ms, grants.c.id, after))
        inside = _inside(scope)
        if inside is not None:
            query = query.where(inside)
        rows = (await self._connection.execute(query)).all()
        return page_of([(pair_place(row.created_ms, row.id), _MAPPING.item(row)) for row in rows], limit)

    async def add(self, grant: Grant, secret_sha256: bytes) -> None:
        """Raises Unprocessable ``unknown_reference`` if its scope does not exist."""
        await add_rows(
            self._connection,
            grants,
            ({**_MAPPING.values(grant), "secret_sha256": secret_sha256},),
            taken="A grant with this id exists.",
            unknown="What the grant is for does not exist.",
        )
        if grant.role is Role.ADMIN:
            await Secrets(self._connection).remove(FIRST_ADMIN)

    async def save_times(self, grant: Grant) -> None:
        """Store the changeable fields of a grant: label and times."""
        await self._connection.execute(
            grants.update()
            .where(grants.c.id == grant.id)
            .values(label=grant.label, not_before_ms=grant.not_before_ms, expires_ms=grant.expires_ms)
        )

    async def encoders_of(self, grant_id: str) -> list[str]:
        """The ids of the encoders' grants that a grant made."""
        return list((await self._connection.execute(select(grants.c.id).where(grants.c.made_by == grant_id))).scalars())

    async def remove(self, grant_id: str) -> list[str]:
        """Remove a grant and the encoders' grants that it made. Returns the ids of all of them."""
        gone = [grant_id, *await self.encoders_of(grant_id)]
        await self._connection.execute(delete(grants).where(grants.c.id.in_(gone)))
        return gone

    async def ids(self) -> list[str]:
        return list((await self._connection.execute(select(grants.c.id))).scalars())

    async def ids_labelled(self, label: str) -> list[str]:
        rows = await self._connection.execute(select(grants.c.id).where(grants.c.label == label))
        return [row.id for row in rows]


class WebRtcConnections:
    """One transaction's view of the open WebRTC connections."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def add(self, opened: OpenConnection) -> None:
        """A source has one publication: the one that fed it before was replaced or is gone."""
        stale = connections.c.created_ms < opened.created_ms - _FORGET_PLAY_AFTER_MS
        await self._connection.execute(delete(connections).where(connections.c.kind == "play", stale))
        if opened.kind == "publish":
            await self._connection.execute(
                delete(connections).where(
                    connections.c.kind == "publish",
                    connections.c.room_id == opened.room,
                    connections.c.source == opened.source,
                )
            )
        await self._connection.execute(
            insert(connections).values(
                resource=opened.resource,
                grant_id=opened.grant,
                room_id=opened.room,
                kind=opened.kind,
                source=opened.source,
                created_ms=opened.created_ms,
            )
        )

    async def of_grants(self, grant_ids: Collection[str]) -> list[OpenConnection]:
        rows = await self._connection.execute(select(connections).where(connections.c.grant_id.in_(grant_ids)))
        return [_opened(row) for row in rows]

    async def orphans(self) -> list[OpenConnection]:
        """Connections whose grant is gone."""
        query = select(connections).where(connections.c.grant_id.not_in(select(grants.c.id)))
        return [_opened(row) for row in await self._connection.execute(query)]

    async def remove(self, resource: str) -> bool:
        """Returns whether it was known."""
        removed = await self._connection.execute(delete(connections).where(connections.c.resource == resource))
        return removed.rowcount > 0


def _opened(row: Row[Any]) -> OpenConnection:
    return OpenConnection(row.resource, row.grant_id, row.room_id, row.kind, row.source, row.created_ms)


def _inside(scope: Target) -> ColumnElement[bool] | None:
    """The condition that a grant lies in ``scope``; None: all do."""
    if scope.session is not None:
        return grants.c.session_id == scope.session
    if scope.event is not None:
        of_event = select(sessions.c.id).where(sessions.c.event_id == scope.event)
        return or_(grants.c.event_id == scope.event, grants.c.session_id.in_(of_event))
    if scope.room is not None:
        of_room = select(sessions.c.id).where(sessions.c.room_id == scope.room)
        return or_(grants.c.room_id == scope.room, grants.c.session_id.in_(of_room))
    if scope.venue is not None:
        of_venue = select(rooms.c.id).where(rooms.c.venue_id == scope.venue)
        return or_(
            grants.c.venue_id == scope.venue,
            grants.c.room_id.in_(of_venue),
            grants.c.event_id.in_(select(events.c.id).where(events.c.venue_id == scope.venue)),
            grants.c.session_id.in_(
                select(sessions.c.id).where(or_(sessions.c.room_id.in_(of_venue), sessions.c.venue_id == scope.venue))
            ),
        )
    return None
