"""``/api/v1/login``, ``/logout``, ``/me``, ``/password``: a browser gets a cookie for a token or the admin password."""

from __future__ import annotations

from typing import Annotated, Self

from aiohttp import hdrs
from pydantic import StringConstraints, model_validator

from streamer.api.audit import record
from streamer.api.auth import BY_PASSWORD, Identity, by_cookie, grant_of, identify
from streamer.api.context import now_ms
from streamer.api.cookies import clear_cookie, digest, idle_ms, new_secret, secret_of, set_cookie
from streamer.api.models import Body, LazyModel, Moment, to_moment
from streamer.api.revocations import Ended
from streamer.api.routing import Call, Route
from streamer.api.signalling import client_of
from streamer.conference.grants import ADMIN, EVERYTHING, PERMISSIONS, Action, ReachingGrant, Role, Target
from streamer.errors import Forbidden, TooMany, Unauthorized, Unavailable
from streamer.links import page_of
from streamer.passwords import MAX_BYTES, SECRET_NAME, check_strength, hash_password, is_outdated, password_matches
from streamer.store.logins import Login, Logins, Secrets


class LoginBody(Body):
    token: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=512)] | None = None
    password: Annotated[str, StringConstraints(min_length=1, max_length=MAX_BYTES)] | None = None

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if (self.token is None) == (self.password is None):
            raise ValueError("a token or a password")
        return self


class PasswordBody(Body):
    password: Annotated[str, StringConstraints(max_length=MAX_BYTES)]
    current: Annotated[str, StringConstraints(max_length=MAX_BYTES)] | None = None
    """Needed if a password is set, unless the request carries the environment's admin token."""


class MeView(LazyModel):
    """The caller and their rights."""

    grant: str
    role: Role
    label: str
    room: str | None
    venue: str | None
    event: str | None
    session: str | None
    rooms: list[str]
    """The rooms in which an event's or a session's grant acts now."""
    actions: list[Action]
    """The actions that the grant allows inside its scope."""
    ends: Moment | None
    """The end of the grant; null: it has none."""
    page: str
    """The path of the role's own page."""
    login_expires: Moment | None
    """The end of the login, unless it is used before; null: a bearer token has none."""

    @classmethod
    def of(cls, identity: Identity) -> Self:
        grant, login = identity.grant, identity.login
        return cls(
            grant=grant.id,
            role=grant.role,
            label=grant.label,
            room=grant.room,
            venue=grant.venue,
            event=grant.event,
            session=grant.session,
            rooms=sorted(grant.rooms) if isinstance(grant, ReachingGrant) else [],
            actions=sorted(PERMISSIONS[grant.role]),
            ends=to_moment(grant.ends_ms),
            page=page_of(grant),
            login_expires=None if login is None else to_moment(login.expires_ms),
        )


async def log_in(call: Call) -> MeView:
    """401 for wrong credentials, 429 after a few failures a minute from one address. The former login of the browser
    ends, unless the same grant's."""
    body = call.body(LoginBody)
    services, request = call.services, call.request
    if body.token is not None:
        grant = await grant_of(body.token, services, services.proxies.client_household(request))
    else:
        assert body.password is not None
        await _check_password(call, body.password)
        grant = BY_PASSWORD
    now = now_ms()
    stored_grant = None if grant.id == ADMIN.id else grant.id
    lasts_ms = idle_ms(stored_grant)
    known = secret_of(request)
    if known is not None and stored_grant is not None:
        present = await by_cookie(known, services)
        if present is not None and present.grant.id == grant.id:
            # The same link once more: other tabs, and requests on their way, go by this login.
            call.headers[hdrs.SET_COOKIE] = set_cookie(request, services, known, lasts_ms)
            return MeView.of(present)
    secret = new_secret(by_admin_token=grant is ADMIN)
    login = Login(
        secret_sha256=digest(secret, services.settings.admin_token),
        grant=stored_grant,
        created_ms=now,
        last_seen_ms=now,
        expires_ms=now + lasts_ms,
        agent=client_of(request),
    )
    async with services.database.write() as connection:
        logins = Logins(connection)
        await logins.sweep(now)
        await logins.add(login)
        scope = Target(room=grant.room, venue=grant.venue)
        await record(connection, grant, "login", scope, "grant", grant.id, {"agent": login.agent})
    await _end_login(call)
    call.headers[hdrs.SET_COOKIE] = set_cookie(request, services, secret, lasts_ms)
    return MeView.of(Identity(grant, login))


async def log_out(call: Call) -> None:
    """204 in any case. Connections that the login had opened are closed."""
    await _end_login(call)
    call.headers[hdrs.SET_COOKIE] = clear_cookie(call.request, call.services)
    # On a shared computer nothing stays of the pages that were seen with the login.
    call.headers["Clear-Site-Data"] = '"cache"'


async def me(call: Call) -> MeView:
    """401 without credentials."""
    identity = await identify(call.request, call.services)
    if identity is None:
        raise Unauthorized("You are not logged in.")
    return MeView.of(identity)


async def change_password(call: Call) -> None:
    """Ends all logins by the old password except the caller's."""
    body = call.body(PasswordBody)
    grant = call.require(EVERYTHING)
    services = call.services
    check_strength(body.password)
    by_environment = grant is ADMIN and hdrs.AUTHORIZATION in call.request.headers
    async with services.database.read() as connection:
        is_set = await Secrets(connection).find(SECRET_NAME) is not None
    if is_set and not by_environment:
        if body.current is None:
            raise Forbidden("The current password is needed.", code="wrong_password")
        try:
            await _check_password(call, body.current)
        except Unauthorized as error:
            raise Forbidden("This is not the current password.", code="wrong_password") from error
    hashed = await services.hashing.run(f"grant {grant.id}", hash_password, body.password)
    own = secret_of(call.request)
    keep = b"" if own is None else digest(own, services.settings.admin_token)
    async with services.database.write() as connection:
        await Secrets(connection).put_password(hashed)
        ended = [login for login in await Logins(connection).of_grant(None) if login.secret_sha256 != keep]
        await Logins(connection).remove_of_grant(None, besides=keep)
        await record(connection, grant, Action.PASSWORD_CHANGE, EVERYTHING, "password", "admin")
    for login in ended:
        await services.revocations.announce(Ended(ADMIN.id, login.secret_sha256))


async def _check_password(call: Call, password: str) -> None:
    """Raises Unauthorized ``wrong_password``, TooMany. The attempt is counted before the comparison, because a password
    can be guessed."""
    services = call.services
    household = services.proxies.client_household(call.request)
    services.failed_passwords.take(household)
    async with services.database.read() as connection:
        stored = await Secrets(connection).find(SECRET_NAME)
    try:
        matches = await services.hashing.run(household, password_matches, password, stored)
    except (TooMany, Unavailable):
        # The password has not been compared.
        services.failed_passwords.give_back(household)
        raise
    if not matches:
        raise Unauthorized("The password is wrong.", code="wrong_password")
    services.failed_passwords.give_back(household)
    if stored is not None and is_outdated(stored):
        hashed = await services.hashing.run(household, hash_password, password)
        async with services.database.write() as connection:
            if await Secrets(connection).find(SECRET_NAME) == stored:
                await Secrets(connection).put(SECRET_NAME, hashed)


async def _end_login(call: Call) -> None:
    """End the login of the request's cookie, if it has one."""
    services = call.services
    secret = secret_of(call.request)
    if secret is None:
        return
    key = digest(secret, services.settings.admin_token)
    async with services.database.write() as connection:
        login = await Logins(connection).find(key)
        await Logins(connection).remove(key)
    if login is not None:
        await services.revocations.announce(Ended(login.grant or ADMIN.id, key))


ROUTES = (
    Route(
        "POST",
        "/login",
        log_in,
        "Log in with a grant's token or the admin password; the answer sets a cookie",
        "login",
        body=LoginBody,
        answers=(MeView,),
    ),
    Route("POST", "/logout", log_out, "End the login of the request's cookie", "login", status=204),
    Route("GET", "/me", me, "The caller and their rights", "login", answers=(MeView,)),
    Route(
        "PUT",
        "/password",
        change_password,
        "Set the admin password; ends the logins by the old one",
        "login",
        action=Action.PASSWORD_CHANGE,
        body=PasswordBody,
        status=204,
    ),
)
