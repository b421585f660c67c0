"""Wiring: connects Socket.IO with the director, the media plane and the API's authentication."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import structlog
from aiohttp import hdrs, web

from streamer.api.auth import Identity, find_grant, find_grant_by_id, identify, still_in
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.cookies import secret_of
from streamer.api.revocations import Ended, Opener
from streamer.api.routing import PREFIX
from streamer.api.session_models import SessionCrewView, SessionView
from streamer.api.sessions import context_of
from streamer.audience.news import Viewpoint
from streamer.audience.scope import Scope
from streamer.audience.service import Audience
from streamer.conference import visibility
from streamer.conference.grants import Grant
from streamer.broadcast.media_events import PUBLIC
from streamer.conference.sessions import Session
from streamer.conference.spans import output_name
from streamer.delivery.routes import LIVE
from streamer.delivery.viewers import Viewers
from streamer.errors import StreamerError, Unauthorized
from streamer.observe.metrics import WebMetrics
from streamer.realtime.caption_feed import CaptionFeed
from streamer.realtime.ports import AuthenticatedCaller
from streamer.realtime.schemas import asyncapi_document
from streamer.realtime.service import Realtime
from streamer.store.logins import Login
from streamer.store.sessions import Sessions

REALTIME = web.AppKey("realtime", Realtime)
VIEWERS_S = 2.0

log = structlog.get_logger(__name__)


def add_audience(app: web.Application, metrics: WebMetrics) -> Audience:
    services = app[SERVICES]
    audience = services.audience
    metrics.watch_counter(
        "streamer_audience_faults", "Internal failures that were tried again.", lambda: audience.faults_total
    )
    return audience


def add_realtime(app: web.Application, metrics: WebMetrics) -> Realtime:
    """The service with its routes and metrics; ``start`` it after the director, ``close`` it before."""
    services = app[SERVICES]

    async def find_session(session_id: str) -> Session | None:
        async with services.database.read() as connection:
            return await Sessions(connection).find(session_id)

    realtime = Realtime(
        services.settings.realtime,
        public_url=services.public_url,
        allowed_origins=services.settings.server.allowed_origins,
        director=services.director,
        plane=services.plane,  # type: ignore[arg-type]
        access=RestAccess(services),
        views=TheViews(services),
        audience=add_audience(app, metrics),
        find_session=find_session,
        state_of=services.state_of,
        clock=now_ms,
    )

    async def ended(what: Ended) -> None:
        await realtime.close_grant(what.grant, what.login)

    services.revocations.listen(ended)
    services.revocations.follow(
        lambda: [Opener(who.grant.id, who.login) for one in realtime.hub.clients() if (who := one.caller) is not None]
    )
    services.captions.listen(CaptionFeed(realtime.hub, services.director, services.state_of).hear)
    realtime.add_routes(app)
    document = asyncapi_document()

    async def asyncapi(_request: web.Request) -> web.Response:
        return web.json_response(document, headers={hdrs.CACHE_CONTROL: "public, max-age=300"})

    app.router.add_get(f"{PREFIX}/asyncapi.json", asyncapi)
    metrics.watch_values("streamer_realtime", realtime.stats)
    app[REALTIME] = realtime
    return realtime


async def count_viewers(app: web.Application) -> None:
    """Runs until it is cancelled: sends the audiences their numbers of viewers."""
    services, live = app[SERVICES], app[LIVE]
    while True:
        await asyncio.sleep(VIEWERS_S)
        try:
            await tell_viewers(services, live.viewers)
        except StreamerError:
            log.exception("viewers_not_counted")


async def tell_viewers(services: Services, viewers: Viewers) -> None:
    """For public outputs over HLS and WHEP, for closed sessions' own outputs over HLS."""
    audience, director = services.audience, services.director
    for room, link in services.plane.rooms.items():
        if room not in director.rooms:
            continue
        whep = 0 if link.status is None else link.status.viewers_whep
        hls = viewers.of(room, PUBLIC)
        scopes = [(Scope(room), hls, whep)]
        scopes += [
            (Scope(room, session.id), viewers.of(room, output_name(session)), 0)
            for session in director.day(room).sessions
            if session.closed and session.running
        ]
        for scope, by_hls, by_whep in scopes:
            if by_hls or by_whep:
                # Viewers count also where nobody has said anything.
                await audience.snapshot(scope, Viewpoint.STAGE)
            audience.set_viewers(scope, hls=by_hls, whep=by_whep)


@dataclass(frozen=True, slots=True)
class Entrant:
    """An authenticated caller with the token or login that was used."""

    grant: Grant
    stored: Login | None = None

    @property
    def login(self) -> bytes | None:
        return None if self.stored is None else self.stored.secret_sha256


class RestAccess:
    """Checks tokens and cookies as the API does."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def address(self, request: web.Request) -> str:
        return self._services.proxies.client_address(request)

    async def identify(self, request: web.Request, token: str | None) -> AuthenticatedCaller | None:
        services = self._services
        if token is None:
            if "Authorization" not in request.headers and secret_of(request) is None:
                return None
            found = await identify(request, services)
            return None if found is None else Entrant(found.grant, found.login)
        household = services.proxies.client_household(request)
        grant = await find_grant(token, services, household)
        if grant is None:
            services.failed_tokens.take(household)
            raise Unauthorized("The token is not valid.", code="invalid_token")
        if not grant.in_force(now_ms()):
            raise Unauthorized("The grant is not in force at this time.", code="grant_not_in_force")
        return Entrant(grant)

    def is_link(self, session: Session, key: str) -> bool:
        return self._services.keys.is_link(session, key)

    async def renew(self, caller: AuthenticatedCaller) -> AuthenticatedCaller | None:
        services = self._services
        stored = caller.stored if isinstance(caller, Entrant) else None
        if stored is not None:
            found: Identity | None = await still_in(stored, services)
            return None if found is None else Entrant(found.grant, found.login)
        grant = await find_grant_by_id(caller.grant.id, services)
        return Entrant(grant) if grant is not None and grant.in_force(now_ms()) else None


class TheViews:
    """Session objects as over REST."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def public(self, session: Session) -> dict[str, Any]:
        return SessionView.of(session, context_of(self._services, session)).model_dump(mode="json")

    def crew(self, session: Session, caller: AuthenticatedCaller | None = None, link: str = "") -> dict[str, Any]:
        keys = self._services.keys
        links = frozenset({session.id}) if keys.is_link(session, link) else frozenset()
        holder = "" if caller is None else keys.holder(caller.grant, caller.login)
        asked = visibility.Caller(None if caller is None else caller.grant, links, holder)
        return SessionCrewView.of(session, context_of(self._services, session, asked)).model_dump(mode="json")
