"""Grants made without the API: by ``streamer grant`` and the demo, also beside a running instance."""

from __future__ import annotations

import time
from dataclasses import dataclass

from streamer.api.links import grant_link, public_url
from streamer.conference.grants import Grant, Role, new_token
from streamer.serve import prepare_data
from streamer.settings import Settings
from streamer.store.database import Database, database_url
from streamer.store.grants import Grants
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues


@dataclass(frozen=True, slots=True)
class MadeGrant:
    """The token is known here and to nobody else."""

    grant: Grant
    token: str
    link: str


async def make_grant(
    settings: Settings,
    role: Role,
    *,
    room: str | None = None,
    venue: str | None = None,
    label: str = "",
    expires_ms: int | None = None,
) -> MadeGrant:
    """Raises NotFound for a room or venue that is not there, StoreUnavailable."""
    prepare_data(settings)
    database = Database(database_url(settings.store.url, settings.data))
    await database.start()
    try:
        return await add_grant(database, settings, role, room=room, venue=venue, label=label, expires_ms=expires_ms)
    finally:
        await database.close()


async def add_grant(
    database: Database,
    settings: Settings,
    role: Role,
    *,
    room: str | None = None,
    venue: str | None = None,
    label: str = "",
    expires_ms: int | None = None,
) -> MadeGrant:
    """As :func:`make_grant`, in an open database."""
    made = new_token()
    grant = Grant(
        id=made.grant_id,
        role=role,
        room=room,
        venue=venue,
        label=label,
        expires_ms=expires_ms,
        created_ms=time.time_ns() // 1_000_000,
    )
    async with database.write() as connection:
        if room is not None:
            await Rooms(connection).get(room)
        if venue is not None:
            await Venues(connection).get(venue)
        await Grants(connection).add(grant, made.secret_sha256)
    return MadeGrant(grant, made.token, grant_link(public_url(settings), grant, made.token))
