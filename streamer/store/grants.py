"""Grants in the database, and the connections that they opened."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, delete, insert, or_, select

from streamer.conference.grants import Grant, Role, Target, secret_matches, split_token
from streamer.store.bulk import batches
from streamer.store.logins import Secrets
from streamer.store.mapping import RowMapping
from streamer.store.paging import Page
from streamer.store.repository import Repository, there
from streamer.store.tables import FIRST_ADMIN, connections, events, grants, rooms, sessions
from streamer.store.writing import add_rows

_MAPPING = RowMapping(Grant, grants, unstored=("rooms", "about", "lapses_ms"))

ConnectionKind = Literal["publish", "play"]

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


_CONNECTIONS = RowMapping(OpenConnection, connections)


class Grants(Repository):
    """One transaction's view of the grants."""

    async def get(self, grant_id: str) -> Grant:
        """Raises NotFound."""
        return there(await self.find(grant_id), "There is no such grant.")

    async def find(self, grant_id: str) -> Grant | None:
        return await self._first(_MAPPING, select(grants).where(grants.c.id == grant_id))

    async def find_many(self, grant_ids: Iterable[str]) -> dict[str, Grant]:
        """The grants that exist of these, by id."""
        found = {}
        for ids in batches(list(grant_ids)):
            for grant in await self._all(_MAPPING, select(grants).where(grants.c.id.in_(ids))):
                found[grant.id] = grant
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
        query = select(grants).where(grants.c.role.in_([role.value for role in roles]))
        inside = _inside(scope)
        if inside is not None:
            query = query.where(inside)
        return await self._page(_MAPPING, query, limit, after, grants.c.created_ms, grants.c.id)

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


class WebRtcConnections(Repository):
    """One transaction's view of the open WebRTC connections."""

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
        await self._connection.execute(insert(connections).values(_CONNECTIONS.values(opened)))

    async def all(self) -> list[OpenConnection]:
        """Oldest first."""
        query = select(connections).order_by(connections.c.created_ms, connections.c.resource)
        return await self._all(_CONNECTIONS, query)

    async def of_grants(self, grant_ids: Collection[str]) -> list[OpenConnection]:
        return await self._all(_CONNECTIONS, select(connections).where(connections.c.grant_id.in_(grant_ids)))

    async def orphans(self) -> list[OpenConnection]:
        """Connections whose grant is gone."""
        query = select(connections).where(connections.c.grant_id.not_in(select(grants.c.id)))
        return await self._all(_CONNECTIONS, query)

    async def remove(self, resource: str) -> bool:
        """Returns whether it was known."""
        removed = await self._connection.execute(delete(connections).where(connections.c.resource == resource))
        return removed.rowcount > 0


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
