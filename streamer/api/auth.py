"""Bearer tokens and login cookies: the grant behind a request, and its rights."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from aiohttp import web

from streamer.api.addresses import HOLDER
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.cookies import SEEN_EVERY_MS, digest, idle_ms, secret_of
from streamer.conference.grants import ADMIN, IN_THE_ROOM, Action, Grant, Role, Target
from streamer.conference.sessions import Session
from streamer.conference.visibility import Caller
from streamer.errors import Forbidden, StreamerError, TooMany, Unauthorized
from streamer.store.grants import Grants
from streamer.store.logins import Login, Logins
from streamer.store.reach import grant_as_it_is, reaching

"""The holder of the token from the environment."""
BY_PASSWORD = Grant(id="admin", role=Role.ADMIN, label="admin")
"""The grant of a login with the admin password."""

LOGIN = web.RequestKey("login", bytes)
"""The digest of the login by which the request was authenticated."""
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="streamer"'}
_BAD_TOKEN = {"WWW-Authenticate": 'Bearer realm="streamer", error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Identity:
    """The grant behind a request. ``login`` None: the request came with a bearer token."""

    grant: Grant
    login: Login | None = None


async def authenticate(request: web.Request, services: Services) -> Grant | None:
    """The grant of the request's bearer token, else of its cookie; None without either. Raises as :func:`identify`."""
    identity = await identify(request, services)
    if identity is None:
        return None
    if identity.login is not None:
        request[LOGIN] = identity.login.secret_sha256
    return identity.grant


async def identify(request: web.Request, services: Services) -> Identity | None:
    """As :func:`_identify`; the request also keeps whether it comes from the crew."""
    identity = await _identify(request, services)
    if identity is not None and identity.grant.role not in (Role.VIEWER, Role.PUBLISHER, Role.APPROVER):
        request[HOLDER] = True
    return identity


async def _identify(request: web.Request, services: Services) -> Identity | None:
    """The identity behind the request's bearer token, or without an Authorization header behind its login cookie.

    Raises Unauthorized for a token that is unknown, revoked, not yet or no longer in force, and TooMany
    when an address has sent too many unknown ones. A valid token is never refused for others' failures:
    a whole lecture hall may share the address. A cookie that is good for nothing any more is as good as none:
    the public pages stay open to it.
    """
    header = request.headers.get("Authorization")
    if header is None:
        secret = secret_of(request)
        return None if secret is None else await by_cookie(secret, services)
    scheme, _, token = header.partition(" ")
    token = token.strip()
    household = services.proxies.client_household(request)
    try:
        return Identity(await grant_of(token if scheme.lower() == "bearer" else "", services, household))
    except (TooMany, Unauthorized) as error:
        error.headers.update(_BAD_TOKEN)
        raise


async def grant_of(token: str, services: Services, household: str) -> Grant:
    """The grant of a token that a client of ``household`` presents.

    Raises Unauthorized ``invalid_token`` (which counts as a guess), Unauthorized ``grant_not_in_force``, and TooMany
    for a household that has guessed too often.
    """
    grant = await find_grant(token, services, household) if token else None
    if grant is None:
        services.failed_tokens.take(household)
        raise Unauthorized("The token is not valid.", code="invalid_token")
    if not grant.in_force(now_ms()):
        raise Unauthorized("The grant is not in force at this time.", code="grant_not_in_force")
    return grant


async def is_crew(request: web.Request, action: Action) -> bool:
    """Whether the request's grant allows ``action`` anywhere. A request without credentials is no error here."""
    try:
        grant = await authenticate(request, request.app[SERVICES])
    except (Unauthorized, TooMany):
        return False
    return grant is not None and grant.may(action)


async def shows_crew(request: web.BaseRequest, services: Services) -> bool:
    """Whether the request, which no application has been given yet, shows a grant of the crew."""
    assert isinstance(request, web.Request)
    with contextlib.suppress(StreamerError):
        await identify(request, services)
    return bool(request.get(HOLDER, False))


async def by_cookie(secret: str, services: Services) -> Identity | None:
    """The identity of the login with this cookie secret, if the login still holds and its grant is in force."""
    now = now_ms()
    async with services.database.read() as connection:
        login = await Logins(connection).find(digest(secret, services.settings.admin_token))
    identity = None if login is None else await still_in(login, services)
    if login is not None and identity is not None and now - login.last_seen_ms >= SEEN_EVERY_MS:
        async with services.database.write() as connection:
            await Logins(connection).touch(login.secret_sha256, now, now + idle_ms(login.grant))
    return identity


async def still_in(login: Login, services: Services) -> Identity | None:
    """Whether a login holds now. Asked for each request, and repeatedly for a connection that stays open."""
    async with services.database.read() as connection:
        stored = await Logins(connection).find(login.secret_sha256)
    if stored is None or now_ms() >= stored.expires_ms:
        return None
    grant = BY_PASSWORD if stored.grant is None else await find_grant_by_id(stored.grant, services)
    return Identity(grant, stored) if grant is not None and grant.in_force(now_ms()) else None


async def find_grant(token: str, services: Services, household: str) -> Grant | None:
    """The grant of a token, in force or not. Raises TooMany for a household that guesses the admin token.

    Grants' tokens are looked up in any case: nobody guesses 256 random bits.
    """
    try:
        sent = token.encode("utf-8")
    except UnicodeEncodeError:
        # Bytes that are not UTF-8 arrive as surrogates. We never issued such a token.
        return None
    if services.admin_token.knows(sent, household):
        return ADMIN
    async with services.database.read() as connection:
        grant = await Grants(connection).by_token(token)
        if grant is not None:
            return await reaching(connection, grant, now_ms())
    return ADMIN if services.admin_token.opens(sent, household) else None


async def find_grant_by_id(grant_id: str, services: Services) -> Grant | None:
    """A grant as it is now, for connections that stay open: revoked grants are missing, sessions move."""
    async with services.database.read() as connection:
        return await grant_as_it_is(connection, grant_id, now_ms())


def caller_of(request: web.Request, grant: Grant | None, session: Session | None = None) -> Caller:
    """The caller of the request. It has the link to ``session`` if the request's ``key`` is the link's key."""
    keys = request.app[SERVICES].keys
    shown = session is not None and keys.is_link(session, request.query.get("key", ""))
    links = frozenset({session.id}) if session is not None and shown else frozenset()
    return Caller(grant, links, "" if grant is None else keys.holder(grant, request.get(LOGIN)))


def require_role(grant: Grant | None, action: Action) -> Grant:
    """The check of the role, before anything is read. Raises Unauthorized or Forbidden."""
    if grant is None:
        raise Unauthorized("This needs a login or a bearer token.", headers=_CHALLENGE)
    if not grant.may(action):
        raise Forbidden("The grant's role does not allow this.", details={"role": grant.role, "action": action})
    return grant


def require(grant: Grant | None, action: Action, target: Target) -> Grant:
    """The check of role and scope. Raises Unauthorized or Forbidden."""
    holder = require_role(grant, action)
    if not holder.covers(target, action):
        if target.room in holder.rooms_named and holder.room is None and action in IN_THE_ROOM:
            # The right room at the wrong time, or a room that a closed session is using.
            raise Forbidden(
                "The grant does not reach the room at this time.", code="not_now", details={"action": action}
            )
        raise Forbidden("The grant's scope does not reach this.", code="out_of_scope", details={"action": action})
    return holder
