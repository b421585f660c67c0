"""Socket.IO's view of the rest of the web plane: who may come in, and how sessions are shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from aiohttp import web

from streamer.conference.grants import Grant
from streamer.conference.sessions import Session


class AuthenticatedCaller(Protocol):
    """The caller of a connection. ``login``: the digest of its login; None: it came with a token."""

    @property
    def grant(self) -> Grant: ...

    @property
    def login(self) -> bytes | None: ...


class AccessPolicy(Protocol):
    """Decides who may come in."""

    def address(self, request: web.Request) -> str:
        """The client's address, behind trusted proxies."""

    async def identify(self, request: web.Request, token: str | None) -> AuthenticatedCaller | None:
        """The caller of the token, else of the request's login cookie; None without either.

        Raises Unauthorized for a token that opens nothing now, TooMany if an address tries too many.
        """

    def is_link(self, session: Session, key: str) -> bool:
        """Whether ``key`` is the present key of an unlisted session's shared link."""

    async def renew(self, caller: AuthenticatedCaller) -> AuthenticatedCaller | None:
        """The same caller with the present grant; None: it holds no more."""


class Views(Protocol):
    """Sessions as JSON objects, as over REST."""

    def public(self, session: Session) -> dict[str, Any]: ...

    def crew(self, session: Session, caller: AuthenticatedCaller | None = None, link: str = "") -> dict[str, Any]:
        """For the crew and for people who may see it: with the caller's key, or the key of the link that they brought;
        without a key in news."""


FindSession = Callable[[str], Awaitable[Session | None]]
"""By id: any session, in memory or not."""
StateOf = Callable[[str], str]
"""Room id -> the state of its public output: ``off``, ``slate`` or ``live``."""
Clock = Callable[[], int]
"""UTC milliseconds."""
