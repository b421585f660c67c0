"""``/api/v1/grants``"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.audit import record
from streamer.api.context import Services, now_ms
from streamer.api.lapses import hang_up
from streamer.api.models import (
    GrantChange,
    GrantCreate,
    GrantCreated,
    GrantCreateQuery,
    GrantList,
    GrantQuery,
    GrantView,
    to_ms,
)
from streamer.api.qr import qr_data_uri
from streamer.api.revocations import Ended
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.sessions import venue_of
from streamer.conference.grants import (
    EVERYTHING,
    Action,
    Grant,
    Role,
    Target,
    bounded_end_ms,
    may_grant,
    new_token,
    roles_seen,
)
from streamer.conference.visibility import told
from streamer.errors import Forbidden, NotFound, Unauthorized
from streamer.formats import erasures
from streamer.links import grant_link
from streamer.store.audit import changed_fields
from streamer.store.grants import Grants, OpenConnection, WebRtcConnections
from streamer.store.reach import reaching, target_of_event, target_of_room, target_of_session, with_ends
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

GRANT = "grant"
"""The kind under which the list of erasures keeps hashes of grants' ids."""


async def list_grants(call: Call) -> GrantList:
    query = call.query(GrantQuery)
    after = await call.after(query)
    async with call.services.database.read() as connection:
        scope = await _named(call, connection, query)
        if scope == EVERYTHING:
            scope = call.holder.scope
        else:
            call.require(scope)
        page = await Grants(connection).page(query.limit, after, scope=scope, roles=roles_seen(call.holder))
        items = await with_ends(connection, page.items, now_ms())
        sessions = await Sessions(connection).find_many({grant.session for grant in items if grant.session})
    caller, services = call.caller(), call.services
    titles = {
        one.id: one.title for one in sessions.values() if told(caller, one, venue_of(services, one.room)).anything
    }
    views = [GrantView.of(grant, now_ms()) for grant in items]
    views = [view.model_copy(update={"session_title": titles.get(view.session or "", "")}) for view in views]
    return GrantList(items=views, cursor=await call.cursor(query, page.cursor))


async def create_grant(call: Call) -> GrantCreated:
    body = call.body(GrantCreate)
    if body.role is Role.APPROVER:
        raise invalid_field("role", "an approver's link is made by asking for an approval")
    made = new_token()
    grant = Grant(
        id=made.grant_id,
        role=body.role,
        room=body.room,
        venue=body.venue,
        event=body.event,
        session=body.session,
        label=body.label,
        not_before_ms=to_ms(body.not_before),
        expires_ms=to_ms(body.expires),
        created_ms=now_ms(),
    )
    async with call.services.database.write() as connection:
        target = await _named(call, connection, grant)
        holder = call.require(target)
        if not may_grant(holder, grant.role, target):
            raise Forbidden("Your role may not grant this role.", details={"role": grant.role})
        grant = replace(grant, expires_ms=bounded_end_ms(holder, grant.expires_ms))
        if holder.role is Role.TECHNICIAN:
            if not await Grants(connection).exists(holder.id):
                raise Unauthorized("The grant was revoked.")
            grant = replace(grant, made_by=holder.id)
        await Grants(connection).add(grant, made.secret_sha256)
        await record(connection, holder, Action.GRANT_CREATE, target, "grant", grant.id, _said(grant))
        grant = await reaching(connection, grant, now_ms())
    call.headers["Location"] = f"/api/v1/grants/{grant.id}"
    link = grant_link(call.services.public_url, grant, made.token)
    qr = qr_data_uri(link) if call.query(GrantCreateQuery).qr else None
    return GrantCreated(**GrantView.of(grant, now_ms()).model_dump(), token=made.token, link=link, qr=qr)


async def get_grant(call: Call) -> GrantView:
    async with call.services.database.read() as connection:
        grant = await Grants(connection).get(call.path("id"))
        holder = call.require(await _target(connection, grant))
        if grant.role not in roles_seen(holder):
            raise Forbidden("Your role may not see grants of this role.", details={"role": grant.role})
        grant = await reaching(connection, grant, now_ms())
    return GrantView.of(grant, now_ms())


async def change_grant(call: Call) -> GrantView:
    body = call.body(GrantChange)
    async with call.services.database.write() as connection:
        grants = Grants(connection)
        grant = await grants.get(call.path("id"))
        target = await _target(connection, grant)
        holder = _require_over(call, grant, target)
        before = grant
        sent = body.model_fields_set
        grant = replace(
            grant,
            label=body.label if body.label is not None else grant.label,
            not_before_ms=to_ms(body.not_before) if "not_before" in sent else grant.not_before_ms,
            expires_ms=bounded_end_ms(holder, to_ms(body.expires)) if "expires" in sent else grant.expires_ms,
        )
        if (
            grant.not_before_ms is not None
            and grant.expires_ms is not None
            and (grant.expires_ms <= grant.not_before_ms)
        ):
            raise invalid_field("expires", "must come after not_before", "value_error")
        await grants.save_times(grant)
        details = changed_fields(before, grant, {"label", "not_before_ms", "expires_ms"})
        if details:
            await record(connection, holder, "grant.change", target, "grant", grant.id, details)
        grant = await reaching(connection, grant, now_ms())
    return GrantView.of(grant, now_ms())


async def revoke_grant(call: Call) -> None:
    """Answers when everything that the grant had opened is closed, or when a time limit is over."""
    async with call.services.database.read() as connection:
        grant = await Grants(connection).get(call.path("id"))
        holder = _require_over(call, grant, await _target(connection, grant))
    await revoke(call.services, holder, grant.id)


async def revoke(services: Services, holder: Grant, grant_id: str) -> None:
    """Revoke a grant for ``holder``, who may, and close all that it opened. Raises NotErased."""
    # Recorded outside the database, so that a restored database does not bring the grant back. With it go the encoders'
    # grants that it made.
    gone = erasures.GrantErasure(now_ms(), await services.erasing.hashed(GRANT, grant_id))
    await services.erasing.carry_out(gone, lambda: _revoke(services, holder, grant_id))


async def _revoke(services: Services, holder: Grant, grant_id: str) -> None:
    async with services.database.write() as connection:
        grants = Grants(connection)
        grant = await grants.find(grant_id)
        if grant is None:
            return  # another request was faster
        target = await _target(connection, grant)
        encoders = await grants.find_many(await grants.encoders_of(grant.id))
        gone = await grants.remove(grant.id)
        for one in (grant, *encoders.values()):
            await record(connection, holder, Action.GRANT_REVOKE, target, "grant", one.id, _said(one))
        opened = await WebRtcConnections(connection).of_grants(gone)
    await _close_what_they_opened(services, gone, opened)


async def _close_what_they_opened(services: Services, gone: Sequence[str], opened: Sequence[OpenConnection]) -> None:
    async with asyncio.TaskGroup() as group:
        for grant in gone:
            group.create_task(services.revocations.announce(Ended(grant)), name="revocation")
        group.create_task(hang_up(services, opened), name="hangups")


async def revoke_again(services: Services, records: Sequence[erasures.GrantErasure]) -> None:
    """Revoke again the grants whose revocation was not finished, or that a restored database has again."""
    gone = {record.who for record in records}
    async with services.database.read() as connection:
        known = await Grants(connection).ids()
    for grant in known:
        if await services.erasing.hashed(GRANT, grant) in gone:
            async with services.database.write() as connection:
                with_encoders = await Grants(connection).remove(grant)
                opened = await WebRtcConnections(connection).of_grants(with_encoders)
            await _close_what_they_opened(services, with_encoders, opened)


def _said(grant: Grant) -> dict[str, str]:
    """The grant's holder for the audit log, which outlives the grant."""
    scope = {name: getattr(grant, name) for name in ("room", "venue", "event", "session") if getattr(grant, name)}
    return {"role": grant.role.value, "label": grant.label, **scope}


def _require_over(call: Call, grant: Grant, target: Target) -> Grant:
    holder = call.require(target)
    if not may_grant(holder, grant.role, target):
        raise Forbidden("Your role may not change grants of this role.", details={"role": grant.role})
    return holder


class _Scoped(Protocol):
    """A grant or a query about grants: both name a scope."""

    @property
    def room(self) -> str | None: ...
    @property
    def venue(self) -> str | None: ...
    @property
    def event(self) -> str | None: ...
    @property
    def session(self) -> str | None: ...


async def _named(call: Call, connection: AsyncConnection, scoped: _Scoped) -> Target:
    """The scope's target. A session that the caller may not know of does not exist here."""
    target = await _target(connection, scoped)
    if scoped.session is not None:
        session = await Sessions(connection).get(scoped.session)
        if not told(call.caller(), session, target.venue).anything:
            raise invalid_field("session", "there is no such session")
    return target


async def _target(connection: AsyncConnection, scoped: _Scoped) -> Target:
    """The target of a scope with the places that contain it, so that a venue's organiser reaches the grants of its
    rooms."""
    kind = ""
    try:
        if scoped.room is not None:
            kind = "room"
            return await target_of_room(connection, scoped.room)
        if scoped.session is not None:
            kind = "session"
            return await target_of_session(connection, scoped.session)
        if scoped.event is not None:
            kind = "event"
            return await target_of_event(connection, scoped.event)
        if scoped.venue is not None:
            kind = "venue"
            return Target(venue=(await Venues(connection).get(scoped.venue)).id)
    except NotFound as error:
        raise invalid_field(kind, f"there is no such {kind}") from error
    return EVERYTHING


ROUTES = (
    Route(
        "GET",
        "/grants",
        list_grants,
        "List the grants inside one's own scope, without tokens; a technician's are those of encoders",
        "grants",
        action=Action.GRANT_READ,
        query=GrantQuery,
        answers=(GrantList,),
    ),
    Route(
        "POST",
        "/grants",
        create_grant,
        "Make a grant; its token is shown this once, as a QR code too with qr=1",
        "grants",
        action=Action.GRANT_CREATE,
        query=GrantCreateQuery,
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
        "Revoke a grant and close everything that it opened",
        "grants",
        action=Action.GRANT_REVOKE,
        status=204,
    ),
)
