"""The public content of a page, as its first byte tells it: to search engines, to services that show links, and to
people without JavaScript or with a slow connection.

A summary is made for nobody in particular: it tells only of public sessions, whoever asks. :mod:`.summary_markup` makes
HTML of it, :mod:`.oembed` an answer for sites that embed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from streamer.api.context import Services, now_ms
from streamer.api.documents import Document
from streamer.api.sessions import portraits_of
from streamer.api.timelines import shown_to
from streamer.archive.catalogue import EditionRef
from streamer.audience.timelines import Shown
from streamer.conference.airing import PublicSession, PublicStatus
from streamer.conference.rooms import DEFAULT_ZONE, Room, Venue, is_slug
from streamer.conference.sessions import Event, Session, SessionState
from streamer.conference.visibility import ANYBODY, told
from streamer.errors import NotFound, Unavailable
from streamer.store.events import Events
from streamer.store.replays import Replays
from streamer.store.sessions import Sessions

SITE = "Streamer"
DESCRIPTION_LENGTH = 300
NEWEST_REPLAYS = 24
"""Those that the archive's page tells of before its program has loaded."""
SAID_LENGTH = 60_000
"""The most characters of a transcript in a page: what a slow connection takes in a second or two, compressed."""
SAID_NOW_MS = 120_000
"""The part of a running session's captions that the room's page tells."""
SAID_AGE_S, SAID_NOW_AGE_S = 20.0, 3.0
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

Stage = Literal["live", "ahead", "cancelled", "replay", "over"]
_EMBEDDED: frozenset[Stage] = frozenset({"live", "ahead", "replay"})


@dataclass(frozen=True, slots=True)
class Said:
    """One line of captions; ``at_ms``: its media time."""

    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """A public session with its place and times (UTC milliseconds, as the audience is told)."""

    session: Session
    start_ms: int
    end_ms: int
    stage: Stage
    room: str
    venue: Venue | None
    event: Event | None = None
    said: tuple[Said, ...] = ()
    said_language: str = ""
    replay_ms: int | None = None
    """The length of its replay."""

    @property
    def zone(self) -> ZoneInfo:
        return zone_of(self.venue)

    @property
    def place(self) -> str:
        if self.venue is None or self.venue.name == self.room:
            return self.room
        return f"{self.room}, {self.venue.name}"


@dataclass(frozen=True, slots=True)
class RoomFacts:
    """A room as everybody may know it now."""

    room: Room
    venue: Venue | None
    state: str
    status: PublicStatus
    current: SessionFacts | None
    next: SessionFacts | None

    @property
    def picture(self) -> bool:
        """Whether its still shows something."""
        return self.state != "off"

    @property
    def place(self) -> str:
        if self.venue is None or self.venue.name == self.room.name:
            return self.room.name
        return f"{self.room.name}, {self.venue.name}"


@dataclass(frozen=True, slots=True)
class PageSummary:
    """The facts of one page. Exactly one of ``rooms``, ``room``, ``session`` and ``replays`` is set."""

    path: str
    """Of the page that stands for this content, without query."""
    rooms: tuple[RoomFacts, ...] | None = None
    room: RoomFacts | None = None
    session: SessionFacts | None = None
    replays: tuple[SessionFacts, ...] | None = None
    """The archive's newest."""
    picture: str = ""
    """The path or address of a picture; empty: none."""
    data: tuple[dict[str, Any], ...] = field(default=())
    """Objects of schema.org."""
    site: str = SITE
    """The name that stands behind the page's own."""

    @property
    def main(self) -> SessionFacts | None:
        """The session that the page is about."""
        if self.session is not None:
            return self.session
        return self.room.current if self.room is not None else None

    @property
    def title(self) -> str:
        """Without the name of the site; empty on the pages of all rooms and of the archive."""
        if self.session is not None:
            return self.session.session.title
        if self.room is None:
            return ""
        if self.room.current is None:
            return self.room.place
        return f"{self.room.current.session.title} – {self.room.room.name}"

    @property
    def embed(self) -> str:
        """The path of the page that other sites may frame; empty: none."""
        if self.room is not None:
            return f"/embed/{self.room.room.id}"
        if self.session is not None and self.session.session.room and self.session.stage in _EMBEDDED:
            return f"/embed/{self.session.session.room}?session={self.session.session.id}"
        return ""


# --- facts ------------------------------------------------------------------------------------------


async def of_home(services: Services) -> PageSummary:
    """All rooms: those on air first, then by name."""
    rooms = []
    for room in services.director.rooms.values():
        status = _status(services, room.id)
        if status is not None:
            rooms.append(_room(services, room, services.director.venue_of(room.id), status, {}))
    rooms.sort(key=lambda facts: (facts.current is None, facts.room.name.casefold(), facts.room.id))
    shown = next((facts for facts in rooms if facts.current is not None and facts.state == "live"), None)
    data = [_event_data(services, one) for facts in rooms for one in (facts.current, facts.next) if one is not None]
    return PageSummary("/", rooms=tuple(rooms), picture=_still(shown), data=tuple(data))


async def of_room(services: Services, room: Room, venue: Venue | None) -> PageSummary:
    """A room's page: what is on there, the last minutes of its captions, what is next."""
    status = _status(services, room.id)
    if status is None:
        status = PublicStatus("free", "slate")
    events = await _events(services, (status.current, status.next))
    facts = _room(services, room, venue, status, events)
    if facts.current is not None and facts.state == "live" and facts.current.session.streamed:
        newest = now_ms() - SAID_NOW_MS
        said, language = await _said(services, facts.current.session, newest, SAID_NOW_AGE_S)
        facts = _with_current(facts, said, language)
    main = facts.current or facts.next
    data = () if main is None else (_data_of(services, main, _still(facts)),)
    return PageSummary(f"/watch/{room.id}", room=facts, picture=_still(facts), data=data)


async def of_archive(services: Services, event: str | None) -> PageSummary:
    """The archive's page: its newest replays."""
    async with services.database.read() as connection:
        found = await Replays(connection).page(NEWEST_REPLAYS, None, event=event)
    replays = []
    for row in found.items:
        # The director's copy may be newer than the row.
        session = services.director.find(row.id) or row
        if told(ANYBODY, session, None).anything and await edition_of(services, session) is not None:
            replays.append(_facts(services, session, "replay"))
    return PageSummary("/archive", replays=tuple(replays))


async def of_session(services: Services, session_id: str) -> PageSummary | None:
    """A session's page; None: there is no such session, or it is not public. Both take the same steps."""
    session = await public_session(services, session_id)
    if session is None:
        return None
    edition = await edition_of(services, session)
    facts = replace(
        _facts(services, session, _stage(session, edition is not None)), event=await _event(services, session.event)
    )
    if edition is not None:
        said, language = await _said(services, session, 0, SAID_AGE_S)
        facts = replace(facts, said=said, said_language=language, replay_ms=edition.length_ms)
    picture = f"/replay/{session.id}/still.jpg" if facts.stage == "replay" else ""
    if facts.stage == "live" and session.streamed and services.state_of(session.room) == "live":
        picture = f"/live/{session.room}/still.jpg"
    return PageSummary(
        f"/session/{session.id}", session=facts, picture=picture, data=(_data_of(services, facts, picture),)
    )


async def of_address(services: Services, address: str) -> PageSummary | None:
    """The summary of a page of this server by its whole address; None: it is not such a page, or has nothing public."""
    try:
        parts, own = urlsplit(address), urlsplit(services.public_url)
    except ValueError:
        return None
    if (parts.scheme, parts.netloc.lower()) != (own.scheme, own.netloc.lower()):
        return None
    if not parts.path.startswith(own.path):
        return None
    steps = parts.path.removeprefix(own.path).rstrip("/").split("/")
    if len(steps) != 3 or steps[0]:
        return None
    _, page, name = steps
    if page == "session":
        return await of_session(services, name)
    if page in ("watch", "embed") and is_slug(name):
        room = services.director.room(name)
        return None if room is None else await of_room(services, room, services.director.venue_of(name))
    return None


async def edition_of(services: Services, session: Session) -> EditionRef | None:
    """The session's replay as everybody may watch it; None: there is none."""
    if session.running or not services.archivist.has_replay(session.id):
        return None
    state = await services.archivist.find(session.id)
    return None if state is None or not state.published or state.closed else state.current


async def public_session(services: Services, session_id: str) -> Session | None:
    """The session, if everybody may know of it. One that is closed is looked for in the database too, so that it takes
    as long as one that does not exist."""
    if _SESSION_ID.fullmatch(session_id) is None:
        return None
    session = services.director.find(session_id)
    if session is None or session.closed:
        async with services.database.read() as connection:
            session = await Sessions(connection).find(session_id)
    return session if session is not None and told(ANYBODY, session, None).anything else None


def _status(services: Services, room: str) -> PublicStatus | None:
    try:
        return services.director.public_status(room)
    except NotFound:
        # Another process made the room a moment ago.
        return None


def _room(
    services: Services, room: Room, venue: Venue | None, status: PublicStatus, events: dict[str, Event]
) -> RoomFacts:
    def facts(public: PublicSession | None) -> SessionFacts | None:
        # Checked a second time, as in the exports.
        if public is None or not told(ANYBODY, public.session, None).anything:
            return None
        session = public.session
        event = events.get(session.event) if session.event is not None else None
        stage = _stage(session, False)
        return SessionFacts(session, public.shown.start_ms, public.shown.end_ms, stage, room.name, venue, event)

    return RoomFacts(room, venue, services.state_of(room.id), status, facts(status.current), facts(status.next))


def _facts(services: Services, session: Session, stage: Stage) -> SessionFacts:
    room, venue = services.director.room(session.room), services.director.place_of(session)
    named = venue.name if venue is not None and not session.room else session.room
    start_ms, end_ms = services.director.shown(session)
    return SessionFacts(session, start_ms, end_ms, stage, named if room is None else room.name, venue)


def _with_current(facts: RoomFacts, said: tuple[Said, ...], language: str) -> RoomFacts:
    assert facts.current is not None
    return replace(facts, current=replace(facts.current, said=said, said_language=language))


def _stage(session: Session, replay: bool) -> Stage:
    if session.running:
        return "live"
    if session.state is SessionState.CANCELLED:
        return "cancelled"
    if session.state is not SessionState.ENDED:
        return "ahead"
    return "replay" if replay else "over"


async def _event(services: Services, event_id: str | None) -> Event | None:
    if event_id is None:
        return None
    async with services.database.read() as connection:
        return await Events(connection).find(event_id)


async def _events(services: Services, sessions: Sequence[PublicSession | None]) -> dict[str, Event]:
    named = {one.session.event for one in sessions if one is not None and one.session.event is not None}
    found = [await _event(services, event) for event in named]
    return {event.id: event for event in found if event is not None}


async def _said(services: Services, session: Session, from_ms: int, age_s: float) -> tuple[tuple[Said, ...], str]:
    """The captions that everybody may read, from a media time on, and their language: the session's, else the first.

    Kept for some seconds, with the other documents that are dropped when something is erased.
    """
    shown = await shown_to(services, ANYBODY, session)
    if shown is None:
        return (), ""
    asked = Shown(shown.start_ms, shown.end_ms, shown.skips, closed=False)

    async def make() -> Document:
        found = await services.audience.timeline(session, asked, from_ms, kinds=("captions",))
        captions: dict[str, list[dict[str, Any]]] = found["captions"]
        language = session.language if session.language in captions else next(iter(sorted(captions)), "")
        lines, length = [], 0
        for line in captions.get(language, ()):
            length += len(line["text"])
            if length > SAID_LENGTH:
                break
            lines.append((line["media_at"], line["text"]))
        return Document(json.dumps([language, lines]).encode(), b"", "")

    recent = from_ms // SAID_NOW_MS
    key = ("said", session.id, session.generation, asked, recent)
    try:
        document = await services.tables.get(key, make, max_age_s=age_s)
    except Unavailable:
        # Too many are being made: the page does without.
        return (), ""
    language, lines = json.loads(document.body)
    return tuple(Said(at_ms, text) for at_ms, text in lines if at_ms >= from_ms), language


def _still(facts: RoomFacts | None) -> str:
    return f"/live/{facts.room.id}/still.jpg" if facts is not None and facts.picture else ""


# --- schema.org -------------------------------------------------------------------------------------


def _data_of(services: Services, facts: SessionFacts, picture: str) -> dict[str, Any]:
    """``VideoObject`` where there is something to watch, else ``BroadcastEvent``."""
    event = _event_data(services, facts)
    if facts.stage not in ("live", "replay"):
        return event
    session, address = facts.session, f"{services.public_url}/session/{facts.session.id}"
    began_ms = facts.start_ms if session.started_ms is None else session.started_ms
    video = {
        "@type": "VideoObject",
        "@id": f"{address}#video",
        "name": session.title,
        "description": description_of(facts) or session.title,
        "url": address,
        "uploadDate": moment(began_ms, facts.zone),
        "embedUrl": f"{services.public_url}/embed/{session.room}?session={session.id}",
        "publication": event,
    }
    if picture:
        video["thumbnailUrl"] = absolute(services, picture)
    if session.language:
        video["inLanguage"] = session.language
    if facts.replay_ms is not None:
        video["duration"] = f"PT{max(1, round(facts.replay_ms / 1000))}S"
    return video


def _event_data(services: Services, facts: SessionFacts) -> dict[str, Any]:
    session, address = facts.session, f"{services.public_url}/session/{facts.session.id}"
    place: dict[str, Any] = {"@type": "Place", "name": facts.room or SITE}
    if facts.venue is not None and session.room:
        place["containedInPlace"] = {"@type": "Place", "name": facts.venue.name}
    cancelled = facts.stage == "cancelled"
    began, ended = session.started_ms, session.ended_ms
    data: dict[str, Any] = {
        "@type": "BroadcastEvent",
        "@id": f"{address}#event",
        "name": session.title,
        "url": address,
        "startDate": moment(facts.start_ms if began is None else began, facts.zone),
        "endDate": moment(facts.end_ms if ended is None else ended, facts.zone),
        "isLiveBroadcast": facts.stage == "live" and session.streamed,
        "eventStatus": f"https://schema.org/Event{'Cancelled' if cancelled else 'Scheduled'}",
        "location": place,
        "publishedOn": {"@type": "BroadcastService", "name": facts.place},
    }
    if session.abstract:
        data["description"] = shortened(session.abstract, DESCRIPTION_LENGTH)
    if session.speakers:
        pictures = portraits_of(services, session)
        data["performer"] = [
            {"@type": "Person", "name": name}
            | ({"image": absolute(services, pictures[name])} if name in pictures else {})
            for name in session.speakers
        ]
    if session.language:
        data["inLanguage"] = session.language
    if session.tags:
        data["keywords"] = list(session.tags)
    if facts.event is not None:
        data["superEvent"] = {"@type": "Event", "name": facts.event.name}
    return data


# --- words ------------------------------------------------------------------------------------------


def description_of(facts: SessionFacts) -> str:
    """The beginning of the abstract, else the subtitle."""
    return shortened(facts.session.abstract or facts.session.subtitle, DESCRIPTION_LENGTH)


def shortened(text: str, length: int) -> str:
    """The text on one line, cut at a word where it is too long."""
    plain = " ".join(text.split())
    if len(plain) <= length:
        return plain
    return plain[:length].rsplit(" ", 1)[0].rstrip(",;:") + "…"


def absolute(services: Services, path: str) -> str:
    return path if path.startswith(("https://", "http://")) else f"{services.public_url}{path}"


def zone_of(venue: Venue | None) -> ZoneInfo:
    return ZoneInfo(venue.timezone if venue is not None else DEFAULT_ZONE)


def moment(ms: int, zone: ZoneInfo) -> str:
    """RFC 3339 with the zone's offset."""
    return datetime.fromtimestamp(ms // 1000, UTC).astimezone(zone).isoformat()
