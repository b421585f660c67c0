"""Links for people."""

from __future__ import annotations

import socket

from streamer.conference.grants import Grant, Role
from streamer.settings import Settings

_PAGES = {
    Role.ADMIN: "studio",
    Role.ORGANISER: "studio",
    Role.TECHNICIAN: "studio",
    Role.MODERATOR: "moderate",
    Role.CAPTIONER: "caption",
    Role.SPEAKER: "stage",
    Role.VIEWER: "watch",
    # Without an encoder a browser publishes there; it is told nothing of the crew.
    Role.PUBLISHER: "studio",
    Role.APPROVER: "approve",
}


def public_url(settings: Settings) -> str:
    """The address where people find this instance, without a trailing slash."""
    server = settings.server
    if server.public_url:
        return server.public_url.rstrip("/")
    secure = server.tls_cert is not None
    host = server.host
    if host in ("", "0.0.0.0", "::"):
        host = socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    default = 443 if secure else 80
    return f"{'https' if secure else 'http'}://{host}" + ("" if server.port == default else f":{server.port}")


def page_of(grant: Grant) -> str:
    """The path of the page for the grant's holder, as exactly as the grant names it."""
    room = grant.room
    if room is None and len(grant.rooms_named) == 1:
        room = next(iter(grant.rooms_named))
    if grant.role is Role.VIEWER and grant.session is not None:
        return f"/session/{grant.session}"
    if grant.role is Role.APPROVER:
        return f"/approve/{grant.session}"
    if room is not None:
        return f"/{_PAGES[grant.role]}/{room}"
    if grant.role in (Role.ADMIN, Role.ORGANISER):
        return "/admin"
    # The other roles have a page for each room; these two list their rooms.
    return f"/{_PAGES[grant.role]}" if grant.role in (Role.TECHNICIAN, Role.MODERATOR) else "/"


def grant_link(base: str, grant: Grant, token: str) -> str:
    """The role's page. The token stands in the fragment, which browsers send to no server and in no Referer.

    A session may move to another room after its link was printed: the link leads to the session's present room.
    """
    by_session = grant.role is not Role.APPROVER and (grant.session is not None or grant.event is not None)
    path = "/join" if by_session else page_of(grant)
    return f"{base}{path}#token={token}"
