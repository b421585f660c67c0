"""The REST interface's authentication and session objects, for Socket.IO."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aiohttp import web

from streamer.api.auth import Identity, find_grant_by_id, grant_of, identify, still_in
from streamer.api.context import Services, now_ms
from streamer.api.cookies import secret_of
from streamer.api.session_models import SessionCrewView, SessionView
from streamer.api.sessions import context_of
from streamer.conference import visibility
from streamer.conference.grants import Grant
from streamer.conference.sessions import Session
from streamer.realtime.access import AuthenticatedCaller
from streamer.store.logins import Login


@dataclass(frozen=True, slots=True)
class Entrant:
    """An authenticated caller with the token or login that was used."""

    grant: Grant
    stored: Login | None = None

    @property
    def login(self) -> bytes | None:
        return None if self.stored is None else self.stored.secret_sha256


class RestAccess:
    """An access policy: checks tokens and cookies as the API does."""

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
        return Entrant(await grant_of(token, services, services.proxies.client_household(request)))

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


class RestViews:
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
