"""The services that all handlers share, under one typed key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from streamer.api.addresses import Proxies
from streamer.api.admin_token import AdminToken
from streamer.api.cursors import Cursors
from streamer.api.documents import Documents
from streamer.api.edges import Edges
from streamer.api.first_admin_link import FirstAdminLink
from streamer.api.hall_code_lookup import HallCodeLookup
from streamer.api.limits import RateLimit, Turnstile
from streamer.api.revocations import Revocations
from streamer.api.session_keys import SessionKeys
from streamer.api.waiting import StateWaiters
from streamer.archive.archivist import Archivist
from streamer.archive.uploading import Uploads
from streamer.audience.captioning import Captioning
from streamer.audience.service import Audience
from streamer.conference.grants import Grant
from streamer.conference.notices import Notices
from streamer.conference.playback import PlaybackReports
from streamer.conference.sessions import Event
from streamer.control.media_plane import MediaPlane
from streamer.director.director import Director
from streamer.director.news import Actor
from streamer.notify.notifier import Notifier
from streamer.planning.poll import SchedulePoller
from streamer.planning.portraits import Portraits
from streamer.settings import Settings
from streamer.store.database import Database
from streamer.store.erasing import Erasing


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class Services:
    """One web process's dependencies. Filled by ``streamer.web.application``, used on the loop only."""

    settings: Settings
    public_url: str
    """Without a trailing slash; used for every link."""
    database: Database
    plane: MediaPlane
    director: Director
    archivist: Archivist
    erasing: Erasing
    uploads: Uploads
    audience: Audience
    """Started before anybody is served."""
    captions: Captioning
    edges: Edges
    keys: SessionKeys
    """Started before anybody is served."""
    schedules: SchedulePoller
    portraits: Portraits
    notices: Notices
    notifier: Notifier
    """Started before the director."""
    revocations: Revocations
    state_of: Callable[[str], str]
    """Room id -> its public output: ``off``, ``slate`` or ``live``. A room that does not exist is ``off``."""
    waiters: StateWaiters
    cursors: Cursors
    tables: Documents
    """Questions and polls as CSV."""
    proxies: Proxies
    admin_token: AdminToken
    first_admin: FirstAdminLink
    hall_code_lookup: HallCodeLookup
    hashing: Turnstile
    decoding: asyncio.Semaphore
    """Held while another process decodes a picture: live media come first."""
    publish_attempts: RateLimit
    play_attempts: RateLimit
    failed_tokens: RateLimit
    failed_passwords: RateLimit
    exports: RateLimit
    """For requests without a grant."""
    caption_posts: RateLimit
    """Counted by grant."""
    playback: PlaybackReports
    playback_posts: RateLimit

    @property
    def events(self) -> Mapping[str, Event]:
        """All events by id, as of the director's last look."""
        return self.director.effects.events


SERVICES = web.AppKey("services", Services)


def actor_of(grant: Grant) -> Actor:
    """The grant's holder as the actor of a command to the director."""
    return Actor(grant.id, grant.label)
