"""Grants: the rights of a link or token. The permission table stands here and nowhere else. Pure."""

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
    PUBLISHER = "publisher"
    """An encoder: it publishes, and is told what the public is told."""
    APPROVER = "approver"
    """A speaker who is asked about the cut of one replay: they see that cut, and are told otherwise what the public is
    told."""


class Action(StrEnum):
    """Things that need a right. Reading public things is no action: everybody may."""

    VENUE_CREATE = "venue.create"
    VENUE_CHANGE = "venue.change"
    VENUE_DELETE = "venue.delete"

    ROOM_CREATE = "room.create"
    ROOM_CHANGE = "room.change"
    ROOM_DELETE = "room.delete"
    ROOM_CREW = "room.crew"
    """See a room as its crew does: connections, codecs, orders, alarms."""
    ROOM_HOLD = "room.hold"
    """Hold and resume; with a venue or an event as the target, all of its rooms."""
    ROOM_AIR = "room.air"
    """Slate, source and gain by hand."""
    ALARM_ACKNOWLEDGE = "alarm.acknowledge"
    ALARM_REACH = "alarm.reach"
    """Have ways to be reached when an alarm rings, and be on duty."""
    DUTY_ASSIGN = "duty.assign"
    """Put others on duty."""
    ROOM_CODES = "room.codes"
    """Make and revoke the codes for the hall. They outlive sessions, as posters do."""
    PUBLISH = "publish"
    PREVIEW = "preview"
    """See and hear a source before the audience does."""

    EVENT_CREATE = "event.create"
    EVENT_CHANGE = "event.change"
    EVENT_DELETE = "event.delete"
    SCHEDULE_IMPORT = "schedule.import"

    SESSION_CREATE = "session.create"
    SESSION_CHANGE = "session.change"
    SESSION_DELETE = "session.delete"
    SESSION_RUN = "session.run"
    """Start, end, extend, reopen, begin ad hoc, and undo these."""
    SESSION_DELAY = "session.delay"
    SESSION_CANCEL = "session.cancel"
    SESSION_ANSWER = "session.answer"
    """Answer the questions of ``do_not_record`` and ``do_not_stream``."""
    SESSION_READ_CLOSED = "session.read_closed"
    """See an unlisted or private session in lists and the running order, as its crew and organisers do."""
    SESSION_VIEW_CLOSED = "session.view_closed"
    """Watch a closed session: its page, its output's key, its replay, its chat."""

    RECORDING_READ = "recording.read"
    """See recordings that are not published, their cuts and files."""
    RECORDING_CHANGE = "recording.change"
    """Cuts, chapters, incidents, pins."""
    RECORDING_PUBLISH = "recording.publish"
    RECORDING_APPROVE = "recording.approve"
    """Watch the cut of a replay as it would be published, and approve it or ask for a change."""
    RECORDING_DELETE = "recording.delete"
    MEDIA_FORGET = "media.forget"
    """Remove minutes of the programme for good."""

    CAPTION_WRITE = "caption.write"
    CHAT_MODERATE = "chat.moderate"
    QUESTION_MODERATE = "question.moderate"
    POLL_RUN = "poll.run"
    STAGE_READ = "stage.read"
    """The speaker's page: ordered questions, timer, cues."""

    GRANT_READ = "grant.read"
    GRANT_CREATE = "grant.create"
    GRANT_REVOKE = "grant.revoke"
    AUDIT_READ = "audit.read"
    PASSWORD_CHANGE = "password.change"  # noqa: S105
    """Set the instance's admin password."""


_VIEWER = frozenset({Action.SESSION_VIEW_CLOSED})
_CREW = _VIEWER | {Action.ROOM_CREW, Action.SESSION_READ_CLOSED}
_TECHNICIAN = _CREW | {
    Action.ROOM_CODES,
    Action.PUBLISH,
    Action.PREVIEW,
    Action.ROOM_HOLD,
    Action.ROOM_AIR,
    Action.ALARM_ACKNOWLEDGE,
    Action.ALARM_REACH,
    Action.SESSION_RUN,
    Action.SESSION_DELAY,
    Action.SESSION_ANSWER,
    Action.RECORDING_READ,
    Action.MEDIA_FORGET,
    Action.STAGE_READ,
    Action.GRANT_READ,
    Action.GRANT_CREATE,
    Action.GRANT_REVOKE,
}
_MODERATOR = _CREW | {
    Action.ROOM_CODES,
    Action.CHAT_MODERATE,
    Action.QUESTION_MODERATE,
    Action.POLL_RUN,
    Action.STAGE_READ,
}
_ORGANISER = frozenset(Action) - {Action.VENUE_CREATE, Action.VENUE_DELETE, Action.PASSWORD_CHANGE}

PERMISSIONS: Mapping[Role, frozenset[Action]] = {
    Role.ADMIN: frozenset(Action),
    Role.ORGANISER: _ORGANISER,
    Role.TECHNICIAN: _TECHNICIAN,
    Role.MODERATOR: _MODERATOR,
    Role.CAPTIONER: _VIEWER | {Action.CAPTION_WRITE},
    Role.SPEAKER: _VIEWER | {Action.STAGE_READ},
    Role.VIEWER: _VIEWER,
    Role.PUBLISHER: frozenset({Action.PUBLISH}),
    Role.APPROVER: frozenset({Action.RECORDING_APPROVE}),
}
"""Role -> actions, inside the grant's scope.

A technician delays, starts, extends and ends planned sessions, but does not cancel them: a cancellation is told to
everybody who has the session in a calendar, and belongs to the organiser. A technician alone in a room leaves the
session unbegun, puts up the slate, or begins a session without a plan.
"""

GRANTABLE: Mapping[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role),
    Role.ORGANISER: frozenset(Role) - {Role.ADMIN, Role.ORGANISER},
    # So that an encoder need not hold the technician's own rights.
    Role.TECHNICIAN: frozenset({Role.PUBLISHER}),
}
"""The roles that a role may grant or revoke. Only admins grant their own role."""
SEES_ALL_GRANTS = frozenset({Role.ADMIN, Role.ORGANISER})
"""The roles that see the grants of every role inside their scope; others see those that they may grant."""

IN_THE_ROOM = frozenset(
    {
        Action.ROOM_CREW,
        Action.ROOM_HOLD,
        Action.ROOM_AIR,
        Action.ALARM_ACKNOWLEDGE,
        Action.PUBLISH,
        Action.PREVIEW,
        Action.CAPTION_WRITE,
        Action.CHAT_MODERATE,
        Action.QUESTION_MODERATE,
        Action.POLL_RUN,
        Action.STAGE_READ,
    }
)
"""The actions on a room that a session's or an event's grant has, in the rooms and hours that it reaches
(:mod:`streamer.conference.reach`). All other rights of it are for its own sessions."""


@dataclass(frozen=True, slots=True)
class Target:
    """The subject of an action with the places that contain it. All None: the whole instance.

    Of a session: itself, its room, that room's venue and its event. Of a room: itself and its venue. Of an event:
    itself and its venue. A missing value means that fewer grants cover the target, never more.
    """

    room: str | None = None
    venue: str | None = None
    event: str | None = None
    session: str | None = None


EVERYTHING = Target()


@dataclass(frozen=True, slots=True)
class Grant:
    """A stored grant. Times are UTC milliseconds; without any scope: the whole instance."""

    id: str
    role: Role
    room: str | None = None
    venue: str | None = None
    label: str = ""
    not_before_ms: int | None = None
    expires_ms: int | None = None
    created_ms: int = 0
    event: str | None = None
    session: str | None = None
    made_by: str | None = None
    """Of an encoder's grant: the grant that made it, which takes it along when it is revoked."""

    @property
    def scope(self) -> Target:
        return Target(self.room, self.venue, self.event, self.session)

    @property
    def ends_ms(self) -> int | None:
        """From this time it opens nothing new."""
        return self.expires_ms

    @property
    def rooms_named(self) -> frozenset[str]:
        """The rooms that it names, at whatever time; empty if they are not named one by one."""
        return frozenset() if self.room is None else frozenset({self.room})

    def in_force(self, now_ms: int) -> bool:
        """Whether it may be used for something new. Publications that are on air go on past its end."""
        return (self.not_before_ms is None or now_ms >= self.not_before_ms) and (
            self.ends_ms is None or now_ms < self.ends_ms
        )

    def reaches_room(self, room: str) -> bool:
        """Whether it acts in a room that is not its scope. Only a :class:`ReachingGrant` knows."""
        return False

    def covers(self, target: Target, action: Action | None = None) -> bool:
        """Whether ``target`` lies inside the grant's scope, for ``action`` if one is given.

        A room's grant does not cover the room's venue. A session's or an event's grant covers a room for what
        :data:`IN_THE_ROOM` names only.
        """
        if self.room is not None:
            return target.room == self.room
        if self.venue is not None:
            return target.venue == self.venue
        if self.session is not None:
            return target.session == self.session or self._covers_room(target, action)
        if self.event is not None:
            return target.event == self.event or self._covers_room(target, action)
        return True

    def _covers_room(self, target: Target, action: Action | None) -> bool:
        if target.room is None or target.event is not None or target.session is not None:
            return False
        return self.reaches_room(target.room) and (action is None or action in IN_THE_ROOM)

    def may(self, action: Action) -> bool:
        """Whether the role has ``action`` in any scope."""
        return action in PERMISSIONS[self.role]

    def allows(self, action: Action, target: Target) -> bool:
        return self.may(action) and self.covers(target, action)


ADMIN = Grant(id="admin", role=Role.ADMIN, label="STREAMER_ADMIN_TOKEN")
"""The grant of the admin token."""


@dataclass(frozen=True, slots=True)
class ReachingGrant(Grant):
    """The grant of a session or an event with its reach at the time of the lookup."""

    rooms: frozenset[str] = frozenset()
    """Rooms in which it may act now."""
    session_rooms: frozenset[str] = frozenset()
    """Rooms of its sessions, at whatever time."""
    lapses_ms: int | None = None
    """The time when a session's grant ends by itself; None: never, or not yet."""

    @property
    def ends_ms(self) -> int | None:
        """An end that somebody set outlives the session's own end: it is for the replay."""
        return self.expires_ms if self.expires_ms is not None else self.lapses_ms

    @property
    def rooms_named(self) -> frozenset[str]:
        return self.session_rooms

    def reaches_room(self, room: str) -> bool:
        return room in self.rooms


def may_grant(holder: Grant, role: Role, target: Target) -> bool:
    """Whether ``holder`` may create or revoke a grant of ``role`` for ``target``."""
    return holder.allows(Action.GRANT_CREATE, target) and role in GRANTABLE.get(holder.role, frozenset())


def roles_seen(holder: Grant) -> frozenset[Role]:
    """The roles whose grants ``holder`` may see inside their scope."""
    return frozenset(Role) if holder.role in SEES_ALL_GRANTS else GRANTABLE.get(holder.role, frozenset())


def bounded_end_ms(holder: Grant, expires_ms: int | None) -> int | None:
    """The end of a grant that ``holder`` makes or changes: a technician's encoder stays no longer than they do."""
    if holder.role in SEES_ALL_GRANTS or holder.expires_ms is None:
        return expires_ms
    return holder.expires_ms if expires_ms is None else min(expires_ms, holder.expires_ms)


def may_plan_in(holder: Grant, room: Target, event_venue: str | None) -> bool:
    """Whether ``holder`` may put a session that their grant covers into ``room`` (the room itself, with its venue).

    A grant of an event acts in the rooms of the event's sessions. Nobody may open a room to themselves by planning a
    session there. So an event's organiser plans in the rooms of the event's venue and in those that the event has
    already; the holder of a session's grant cannot move it.
    """
    if holder.event is not None and holder.room is None and holder.venue is None:
        if event_venue is not None and room.venue == event_venue:
            return True
        return room.room in holder.rooms_named
    if holder.session is not None:
        return room.room in holder.rooms_named
    return holder.covers(Target(room=room.room, venue=room.venue))


# --- tokens -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token as it is handed out once, and the part that is stored."""

    grant_id: str
    token: str
    secret_sha256: bytes


def new_token() -> NewToken:
    """``{grant id}.{secret}``: 72 bits to find the row, 256 bits to prove the right."""
    grant_id, secret = secrets.token_urlsafe(9), secrets.token_urlsafe(32)
    return NewToken(grant_id, f"{grant_id}.{secret}", hash_secret(secret))


def split_token(token: str) -> tuple[str, str] | None:
    """``(grant id, secret)``, or None if the text cannot be one of our tokens."""
    grant_id, dot, secret = token.partition(".")
    if not dot or not grant_id or not secret or len(token) > 256 or not token.isascii():
        return None
    return grant_id, secret


def hash_secret(secret: str) -> bytes:
    # A plain digest is enough: the secret has 256 random bits, so there is no dictionary to slow down.
    return hashlib.sha256(secret.encode("utf-8")).digest()


def secret_matches(secret: str, stored_sha256: bytes) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(hash_secret(secret), stored_sha256)
