"""Grants made without the API: by ``streamer grant`` and the demo, also beside a running instance."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict, Unpack

from streamer.api.audit import record
from streamer.conference.grants import Action, Grant, Role, Target, new_token
from streamer.data_folder import FIRST_ADMIN_LINK
from streamer.errors import NotFound
from streamer.links import grant_link, public_url
from streamer.passwords import check_strength, hash_password
from streamer.serve import prepare_data
from streamer.settings import Settings
from streamer.store.database import Database, database_url
from streamer.store.grants import Grants
from streamer.store.logins import Logins, Secrets
from streamer.store.reach import target_of_event, target_of_room, target_of_session
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues

COMMAND_LINE = Grant(id="admin", role=Role.ADMIN, label="command line")
"""The grant of a person who runs commands on this machine as the service's user."""


@dataclass(frozen=True, slots=True)
class MadeGrant:
    """The token exists here only."""

    grant: Grant
    token: str
    link: str


class GrantFields(TypedDict, total=False):
    """Those of :class:`Grant` that a caller may choose. At most one of the first four is not None."""

    room: str | None
    venue: str | None
    event: str | None
    session: str | None
    label: str
    expires_ms: int | None


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The settings' database, for one command. Raises ServeError, StoreUnavailable."""
    prepare_data(settings)
    database = Database(database_url(settings.store.url, settings.data))
    await database.start()
    try:
        yield database
    finally:
        await database.close()


async def make_grant(settings: Settings, role: Role, **fields: Unpack[GrantFields]) -> MadeGrant:
    """Raises NotFound for a room, venue, event or session that does not exist, StoreUnavailable."""
    async with opened(settings) as database:
        return await add_grant(database, settings, role, **fields)


async def add_grant(database: Database, settings: Settings, role: Role, **fields: Unpack[GrantFields]) -> MadeGrant:
    """As :func:`make_grant`, in an open database."""
    made = new_token()
    grant = Grant(id=made.grant_id, role=role, created_ms=time.time_ns() // 1_000_000, **fields)
    async with database.write() as connection:
        target = Target()
        if grant.room is not None:
            known = [one.id for one in await Rooms(connection).all()]
            if grant.room not in known:
                raise NotFound(f"There is no such room. Rooms are: {', '.join(known[:20]) or 'none yet'}.")
            target = await target_of_room(connection, grant.room)
        elif grant.session is not None:
            target = await target_of_session(connection, grant.session)
        elif grant.event is not None:
            target = await target_of_event(connection, grant.event)
        elif grant.venue is not None:
            target = Target(venue=(await Venues(connection).get(grant.venue)).id)
        await Grants(connection).add(grant, made.secret_sha256)
        details = {"role": role.value, "label": grant.label}
        await record(connection, COMMAND_LINE, Action.GRANT_CREATE, target, "grant", grant.id, details)
    if role is Role.ADMIN:
        _remove_link(settings)
    return MadeGrant(grant, made.token, grant_link(public_url(settings), grant, made.token))


async def set_password(settings: Settings, password: str) -> None:
    """Set the admin password, also beside a running instance; logins by the old one end. Raises Unprocessable
    ``weak_password``, StoreUnavailable. Takes some 50 ms of the loop."""
    check_strength(password)
    hashed = hash_password(password)
    async with opened(settings) as database:
        async with database.write() as connection:
            await Secrets(connection).put_password(hashed)
            await Logins(connection).remove_of_grant(None)
            await record(connection, COMMAND_LINE, Action.PASSWORD_CHANGE, Target(), "password", "admin")
        _remove_link(settings)


def _remove_link(settings: Settings) -> None:
    """The database has closed the first admin's link; a file that opens nothing would only mislead."""
    (settings.data / FIRST_ADMIN_LINK).unlink(missing_ok=True)
