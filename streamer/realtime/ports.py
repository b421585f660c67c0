"""What Socket.IO needs of the rest of the web plane: who may come in, and how sessions are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from streamer.conference.grants import Grant
from streamer.conference.sessions import Session


class AuthenticatedCaller(Protocol):
    """Who is at the door. ``login``: the digest of the login that it came by; None: a token."""

    @property
    def grant(self) -> Grant: ...

    @property
    def login(self) -> bytes | None: ...


class AccessPolicy(Protocol):
    """Who may come in."""

    def address(self, request: web.Request) -> str:
        """The client's, behind trusted proxies."""

    async def identify(self, request: web.Request, token: str | None) -> AuthenticatedCaller | None:
        """By the token, else by the request's login cookie; None for anybody.

        Raises Unauthorized for a token that is good for nothing now, TooMany where an address tries too many.
        """

    def is_link(self, session: Session, key: str) -> bool:
        """Whether ``key`` is that of an unlisted session's shared link as it is now."""

    async def renew(self, caller: AuthenticatedCaller) -> AuthenticatedCaller | None:
        """The same, with the grant as it is now; None: it holds no more."""


class Views(Protocol):
    """Sessions as JSON objects, as over REST."""

    def public(self, session: Session) -> dict[str, Any]: ...

    def crew(self, session: Session, caller: AuthenticatedCaller | None = None, link: str = "") -> dict[str, Any]:
        """For the crew and for those who may see it: with the caller's key, or that of the
        link that they came with; without one in news."""


FindSession = Callable[[str], Awaitable[Session | None]]
"""By id: any session, in view or not."""
StateOf = Callable[[str], str]
"""Room id -> ``off``, ``slate`` or ``live``: what its public output shows."""
Clock = Callable[[], int]
"""UTC milliseconds."""
