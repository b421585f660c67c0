"""The services that all handlers share, under one typed key."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from aiohttp import web

from streamer.api.addresses import Proxies
from streamer.api.admin_token import AdminToken
from streamer.api.audiences import DirectorSessions
from streamer.api.cursors import Cursors
from streamer.api.documents import Documents
from streamer.api.hall_code_lookup import HallCodeLookup
from streamer.api.limits import RateLimit, Turnstile
from streamer.api.ports import MediaPlane, PublicState
from streamer.api.revocations import Revocations
from streamer.api.session_keys import SessionKeys
from streamer.api.waiting import StateWaiters
from streamer.archive.archivist import Archivist
from streamer.audience.captioning import Captioning
from streamer.audience.service import Audience
from streamer.conference.grants import Grant
from streamer.conference.notices import Notices
from streamer.director.director import Director
from streamer.director.news import Actor
from streamer.planning.poll import SchedulePoller
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.erasing import Erasing

EXPORTS_PER_MINUTE, EXPORTS_AT_ONCE = 600, 300
"""Schedules and tables that a household fetches: when a talk ends, many phones of the hall add the next to their
calendars."""
FAILED_PASSWORDS_PER_MINUTE = 5
CAPTIONS_PER_MINUTE, CAPTIONS_AT_ONCE = 600, 60
"""Three people who type over one link, with a text every 300 ms each, stay within it."""
"""Per address. A password can be guessed, a token cannot."""


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Services:
    """One web process's dependencies. Filled by ``streamer.web.application``, used on the loop only."""

    settings: Settings
    database: Database
    plane: MediaPlane
    director: Director
    archivist: Archivist
    public_state: PublicState
    public_url: str
    """Without a trailing slash; used for every link."""
    proxies: Proxies = field(init=False)
    publish_attempts: RateLimit = field(init=False)
    play_attempts: RateLimit = field(init=False)
    failed_tokens: RateLimit = field(init=False)
    failed_passwords: RateLimit = field(init=False)
    admin_token: AdminToken = field(init=False)
    exports: RateLimit = field(init=False)
    """For requests without a grant."""
    tables: Documents = field(default_factory=Documents)
    """Questions and polls as CSV."""
    caption_posts: RateLimit = field(init=False)
    """Counted by grant."""
    hall_code_lookup: HallCodeLookup = field(init=False)
    schedules: SchedulePoller = field(init=False)
    waiters: StateWaiters = field(init=False)
    notices: Notices = field(default_factory=Notices)
    revocations: Revocations = field(default_factory=Revocations)
    hashing: Turnstile = field(default_factory=Turnstile)
    audience: Audience = field(init=False)
    """Started before anybody is served."""
    captions: Captioning = field(init=False)
    cursors: Cursors = field(init=False)
    keys: SessionKeys = field(init=False)
    """Started before anybody is served."""

    def __post_init__(self) -> None:
        room = self.settings.room
        self.audience = Audience(
            self.database,
            clock=now_ms,
            sessions=DirectorSessions(self.director),
            settings=self.settings.audience,
            erasing=self.archivist.erasing,
            marks_changed=self.archivist.marks_changed,
        )
        self.schedules = SchedulePoller(
            self.database,
            self.settings.schedules,
            self.notices,
            clock=now_ms,
            applied=self.director.refresh,
        )
        self.cursors = Cursors(self.database)
        self.keys = SessionKeys(self.database, self.director, self.settings.admin_token, now_ms, self.settings.data)
        self.revocations.listen(self.keys.ended)
        self.revocations.follow(self.keys.openers)
        self.proxies = Proxies(self.settings.server.trusted_proxies)
        self.publish_attempts = RateLimit(room.attempts_per_minute)
        # A lecture hall is one address: as many people may try WHEP there as may wait for a playlist.
        self.play_attempts = RateLimit(self.settings.hls.max_held_per_address)
        self.failed_tokens = RateLimit(room.failed_attempts_per_minute)
        # Ten times as many as are answered: wrong tokens must not keep out a right one that comes for the first time.
        self.admin_token = AdminToken(self.settings.admin_token, RateLimit(10 * room.failed_attempts_per_minute))
        self.failed_passwords = RateLimit(FAILED_PASSWORDS_PER_MINUTE)
        self.exports = RateLimit(EXPORTS_PER_MINUTE, burst=EXPORTS_AT_ONCE, message="Too many exports.")
        self.caption_posts = RateLimit(
            CAPTIONS_PER_MINUTE, burst=CAPTIONS_AT_ONCE, message="Captions come faster than anybody reads."
        )
        self.hall_code_lookup = HallCodeLookup(self.database)
        self.captions = Captioning(self.database, self.plane, clock=now_ms, session_at=self._session_at)
        hls = self.settings.hls
        self.waiters = StateWaiters(self.state_of, limit=hls.max_held_total, per_household=hls.max_held_per_address)

    @property
    def erasing(self) -> Erasing:
        return self.archivist.erasing

    def _session_at(self, room: str, media_ms: int) -> str | None:
        """The session that was on air in a room at a media time."""
        if self.director.room(room) is None:
            return None
        found = None
        for session in self.director.day(room).sessions:
            began, ended = session.started_ms, session.ended_ms
            if began is not None and began <= media_ms and (ended is None or media_ms < ended):
                found = session.id
        return found

    def state_of(self, room: str) -> str:
        """The public output of a room: ``off``, ``slate`` or ``live``. A room that does not exist is ``off``."""
        link = self.plane.rooms.get(room)
        return "off" if link is None else self.public_state(link)


SERVICES = web.AppKey("services", Services)


def actor_of(grant: Grant) -> Actor:
    """The grant's holder as the actor of a command to the director."""
    return Actor(grant.id, grant.label)
