"""The login cookie, which a browser keeps instead of a token."""

from __future__ import annotations

import hashlib
import secrets

from aiohttp import web

from streamer.api.context import Services
from streamer.audience.identity import COOKIE as PARTICIPANT

COOKIE = "streamer_session"

_BOUND = "t."

PASSWORD_IDLE_MS = 12 * 3600_000
"""A login by password ends when it has not been used for this long. An admin may forget a laptop in a hall."""
GRANT_IDLE_MS = 30 * 24 * 3600_000
"""A login by a grant's link ends with the grant, or when it has not been used for this long. A tablet at the mixing
desk may be used once a month."""
PARTICIPANT_S = 400 * 24 * 3600
"""Browsers keep no cookie longer than this."""
SEEN_EVERY_MS = 5 * 60_000
"""The time of the last use is stored at most once in this time, not with each request."""


def idle_ms(grant_id: str | None) -> int:
    return PASSWORD_IDLE_MS if grant_id is None else GRANT_IDLE_MS


def new_secret(*, by_admin_token: bool = False) -> str:
    """256 random bits, for one browser."""
    return (_BOUND if by_admin_token else "") + secrets.token_urlsafe(32)


def digest(secret: str, admin_token: str) -> bytes:
    """The digest that is stored of a login secret. A login by the admin token ends when the environment has another
    token."""
    bound_to = admin_token if secret.startswith(_BOUND) else ""
    return hashlib.sha256(f"{secret}.{bound_to}".encode()).digest()


def secret_of(request: web.Request) -> str | None:
    """The login secret in the request's cookie, if it has the form of ours."""
    secret = request.cookies.get(COOKIE, "")
    return secret if 20 <= len(secret) <= 100 and secret.isascii() else None


def set_cookie(request: web.Request, services: Services, secret: str, lasts_ms: int) -> str:
    """A ``Set-Cookie`` header. The cookie is closed to scripts and to other sites' requests except plain links; with
    TLS it is sent over TLS only."""
    secure = "; Secure" if _is_secure(request, services) else ""
    return f"{COOKIE}={secret}; Path=/; Max-Age={lasts_ms // 1000}; HttpOnly; SameSite=Lax{secure}"


def clear_cookie(request: web.Request, services: Services) -> str:
    return set_cookie(request, services, "", 0)


def participant_cookie(request: web.Request, services: Services, token: str) -> str:
    """A ``Set-Cookie`` header with a participant's token; an empty token removes the cookie."""
    secure = "; Secure" if _is_secure(request, services) else ""
    lasts_s = PARTICIPANT_S if token else 0
    return f"{PARTICIPANT}={token}; Path=/; Max-Age={lasts_s}; HttpOnly; SameSite=Lax{secure}"


def _is_secure(request: web.Request, services: Services) -> bool:
    if services.proxies.is_https(request):
        return True
    # Behind a proxy that is not named as trusted: the browser came by the public address.
    return services.public_url == f"https://{request.host}" or services.public_url.startswith(
        f"https://{request.host}/"
    )
