"""``/api/v1/grants``"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.context import Services, now_ms
from streamer.api.links import grant_link
from streamer.api.models import GrantChange, GrantCreate, GrantCreated, GrantList, GrantView, ListQuery, to_ms
from streamer.api.routing import Call, Route, invalid_field
from streamer.conference.grants import Action, Grant, Target, may_grant, new_token
from streamer.errors import Forbidden, NotFound, StreamerError, Unprocessable
from streamer.store.grants import Connections, Grants, OpenConnection
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues

_HANGUP_S = 5.0
_log = structlog.get_logger(__name__)


async def list_grants(call: Call) -> GrantList:
    assert call.grant is not None
    query = call.query(ListQuery)
    scope = Target(room=call.grant.room, venue=call.grant.venue)
    async with call.services.database.read() as connection:
        page = await Grants(connection).page(query.limit, query.cursor, scope=scope)
    return GrantList(items=[GrantView.of(grant) for grant in page.items], cursor=page.cursor)


async def create_grant(call: Call) -> GrantCreated:
    body = call.body(GrantCreate)
    if body.event is not None:
        raise invalid_field("event", "there is no such event")
    if body.session is not None:
        raise invalid_field("session", "there is no such session")
    made = new_token()
    grant = Grant(
        id=made.grant_id,
        role=body.role,
        room=body.room,
        venue=body.venue,
        label=body.label,
        not_before_ms=to_ms(body.not_before),
        expires_ms=to_ms(body.expires),
        created_ms=now_ms(),
    )
    async with call.services.database.write() as connection:
        target = await _target(connection, grant)
        holder = call.require(target)
        if not may_grant(holder, grant.role, target):
            raise Forbidden("This role may not hand out that one.", details={"role": grant.role})
        await Grants(connection).add(grant, made.secret_sha256)
    call.headers["Location"] = f"/api/v1/grants/{grant.id}"
    link = grant_link(call.services.public_url, grant, made.token)
    return GrantCreated(**GrantView.of(grant).model_dump(), token=made.token, link=link)


async def get_grant(call: Call) -> GrantView:
    async with call.services.database.read() as connection:
        grant = await Grants(connection).get(call.path("id"))
        call.require(await _target(connection, grant))
    return GrantView.of(grant)


async def change_grant(call: Call) -> GrantView:
    body = call.body(GrantChange)
    async with call.services.database.write() as connection:
        grants = Grants(connection)
        grant = await grants.get(call.path("id"))
        _require_over(call, grant, await _target(connection, grant))
        sent = body.model_fields_set
        grant = replace(
            grant,
            label=body.label if body.label is not None else grant.label,
            not_before_ms=to_ms(body.not_before) if "not_before" in sent else grant.not_before_ms,
            expires_ms=to_ms(body.expires) if "expires" in sent else grant.expires_ms,
        )
        if (
            grant.not_before_ms is not None
            and grant.expires_ms is not None
            and (grant.expires_ms <= grant.not_before_ms)
        ):
            raise Unprocessable(
                "The body is not valid.",
                code="invalid",
                details=[{"field": "expires", "message": "must come after not_before", "code": "value_error"}],
            )
        await grants.save_times(grant)
    return GrantView.of(grant)


async def revoke_grant(call: Call) -> None:
    """Answers when what the grant had opened is closed, or has been given up on."""
    async with call.services.database.write() as connection:
        grants = Grants(connection)
        grant = await grants.get(call.path("id"))
        _require_over(call, grant, await _target(connection, grant))
        await grants.remove(grant.id)
        opened = await Connections(connection).of_grant(grant.id)
    await hang_up(call.services, opened)


async def hang_up(services: Services, opened: Iterable[OpenConnection]) -> None:
    """Close connections, all at once; one that is gone already is no error."""

    async def close(connection: OpenConnection) -> None:
        link = services.plane.rooms.get(connection.room)
        try:
            if link is not None:
                async with asyncio.timeout(_HANGUP_S):
                    await link.hangup(connection.resource)
        except NotFound:
            pass
        except (StreamerError, TimeoutError) as error:
            _log.error("hangup_failed", room=connection.room, source=connection.source, error=str(error))
            return
        async with services.database.write() as database:
            await Connections(database).remove(connection.resource)

    async with asyncio.TaskGroup() as group:
        for number, connection in enumerate(opened):
            group.create_task(close(connection), name=f"hangup-{connection.room}-{number}")


def _require_over(call: Call, grant: Grant, target: Target) -> None:
    holder = call.require(target)
    if not may_grant(holder, grant.role, target):
        raise Forbidden("This role may not change that one's grants.", details={"role": grant.role})


async def _target(connection: AsyncConnection, grant: Grant) -> Target:
    """What a grant is about, with the room's venue, so that a venue's organiser reaches its rooms' grants."""
    if grant.room is not None:
        room = await Rooms(connection).find(grant.room)
        if room is None:
            raise invalid_field("room", "there is no such room")
        return Target(room=room.id, venue=room.venue)
    if grant.venue is not None:
        try:
            await Venues(connection).get(grant.venue)
        except NotFound as error:
            raise invalid_field("venue", "there is no such venue") from error
    return Target(venue=grant.venue)


ROUTES = (
    Route(
        "GET",
        "/grants",
        list_grants,
        "List the grants inside one's own scope, without tokens",
        "grants",
        action=Action.GRANT_READ,
        query=ListQuery,
        answers=(GrantList,),
    ),
    Route(
        "POST",
        "/grants",
        create_grant,
        "Make a grant; its token is shown this once",
        "grants",
        action=Action.GRANT_CREATE,
        body=GrantCreate,
        answers=(GrantCreated,),
        status=201,
    ),
    Route("GET", "/grants/{id}", get_grant, "One grant", "grants", action=Action.GRANT_READ, answers=(GrantView,)),
    Route(
        "PATCH",
        "/grants/{id}",
        change_grant,
        "Change a grant's label or times",
        "grants",
        action=Action.GRANT_CREATE,
        body=GrantChange,
        answers=(GrantView,),
    ),
    Route(
        "DELETE",
        "/grants/{id}",
        revoke_grant,
        "Revoke a grant and close what it opened",
        "grants",
        action=Action.GRANT_REVOKE,
        status=204,
    ),
)
