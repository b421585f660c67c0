"""Grants: what a link or token allows. The permission table stands here and nowhere else. Pure."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    ADMIN = "admin"
    ORGANISER = "organiser"
    TECHNICIAN = "technician"
    MODERATOR = "moderator"
    CAPTIONER = "captioner"
    SPEAKER = "speaker"
    VIEWER = "viewer"


class Action(StrEnum):
    """What can be asked for. Reading what is public is no action: everybody may."""

    VENUE_CREATE = "venue.create"
    VENUE_CHANGE = "venue.change"
    VENUE_DELETE = "venue.delete"
    ROOM_CREATE = "room.create"
    ROOM_CHANGE = "room.change"
    ROOM_DELETE = "room.delete"
    ROOM_CREW = "room.crew"
    """See a room as its crew does: connections, codecs, alarms."""
    PUBLISH = "publish"
    PREVIEW = "preview"
    GRANT_READ = "grant.read"
    GRANT_CREATE = "grant.create"
    GRANT_REVOKE = "grant.revoke"


_CREW = frozenset({Action.ROOM_CREW, Action.PUBLISH, Action.PREVIEW})
_ORGANISER = _CREW | {
    Action.ROOM_CREATE,
    Action.ROOM_CHANGE,
    Action.ROOM_DELETE,
    Action.VENUE_CHANGE,
    Action.GRANT_READ,
    Action.GRANT_CREATE,
    Action.GRANT_REVOKE,
}

PERMISSIONS: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.ORGANISER: _ORGANISER,
    Role.TECHNICIAN: _CREW,
    Role.MODERATOR: frozenset({Action.ROOM_CREW}),
    Role.CAPTIONER: frozenset(),
    Role.SPEAKER: frozenset(),
    Role.VIEWER: frozenset(),
}
"""Role -> actions, inside the grant's scope."""

GRANTABLE: Mapping[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role),
    Role.ORGANISER: frozenset(Role) - {Role.ADMIN, Role.ORGANISER},
}
"""Which roles a role may hand out or take back. Nobody lifts somebody to their own height, but admins."""


@dataclass(frozen=True, slots=True)
class Target:
    """What an action is about. Both fields None: the whole instance."""

    room: str | None = None
    venue: str | None = None


EVERYTHING = Target()


@dataclass(frozen=True, slots=True)
class Grant:
    """A stored grant. Times are UTC milliseconds; no ``room`` and no ``venue``: the whole instance."""

    id: str
    role: Role
    room: str | None = None
    venue: str | None = None
    label: str = ""
    not_before_ms: int | None = None
    expires_ms: int | None = None
    created_ms: int = 0

    def in_force(self, now_ms: int) -> bool:
        """Whether it may be used for something new. What is already on air goes on past ``expires_ms``."""
        return (self.not_before_ms is None or now_ms >= self.not_before_ms) and (
            self.expires_ms is None or now_ms < self.expires_ms
        )

    def covers(self, target: Target) -> bool:
        """Whether ``target`` lies inside the grant's scope. A room grant does not cover the room's venue."""
        if self.room is not None:
            return target.room == self.room
        if self.venue is not None:
            return target.venue == self.venue
        return True

    def may(self, action: Action) -> bool:
        """Whether the role has ``action`` in any scope."""
        return action in PERMISSIONS[self.role]

    def allows(self, action: Action, target: Target) -> bool:
        return self.may(action) and self.covers(target)


def may_grant(holder: Grant, role: Role, target: Target) -> bool:
    """Whether ``holder`` may create or revoke a grant of ``role`` for ``target``."""
    return holder.allows(Action.GRANT_CREATE, target) and role in GRANTABLE.get(holder.role, frozenset())


# --- tokens -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is handed out once, and what of it is stored."""

    grant_id: str
    token: str
    secret_sha256: bytes


def new_token() -> NewToken:
    """``{grant id}.{secret}``: 72 bits to find the row by, 256 bits to prove it with."""
    grant_id, secret = secrets.token_urlsafe(9), secrets.token_urlsafe(32)
    return NewToken(grant_id, f"{grant_id}.{secret}", hash_secret(secret))


def split_token(token: str) -> tuple[str, str] | None:
    """``(grant id, secret)``, or None for what cannot be a token of ours."""
    grant_id, dot, secret = token.partition(".")
    if not dot or not grant_id or not secret or len(token) > 256 or not token.isascii():
        return None
    return grant_id, secret


def hash_secret(secret: str) -> bytes:
    # A plain digest is enough: the secret has 256 random bits, so there is no dictionary to slow down.
    return hashlib.sha256(secret.encode("utf-8")).digest()


def secret_matches(secret: str, stored_sha256: bytes) -> bool:
    """In constant time for any secret."""
    return hmac.compare_digest(hash_secret(secret), stored_sha256)
