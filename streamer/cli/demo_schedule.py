"""The demo's day: sessions in the demo venue from now on. Made anew when it is over."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.conference.day import MINUTE_MS
from streamer.conference.rooms import Room, StartRule, Venue
from streamer.conference.sessions import KIND_DEFAULTS, Event, Kind, Session
from streamer.store.events import Events
from streamer.store.rooms import Rooms
from streamer.store.sessions import Sessions
from streamer.store.venues import Venues

VENUE = Venue(id="demo", name="Maison des associations", timezone="Europe/Paris", language="en")
ROOM = Room(id="demo", name="Demo room", venue=VENUE.id, start=StartRule.AUTO, caption_languages=("en", "fr"))
WORKSHOP = Room(id="atelier", name="Atelier", venue=VENUE.id)
EVENT = Event(id="demo", name="Open day of the association house", venue=VENUE.id, language="en")


@dataclass(frozen=True, slots=True)
class Slot:
    """``minutes`` long, directly after the one before."""

    title: str
    minutes: int
    speakers: tuple[str, ...] = ()
    kind: Kind = Kind.CONFERENCE
    language: str = "en"
    abstract: str = ""


HALL = (
    Slot(
        "A camera, a room, a public",
        45,
        ("Ada Moreau",),
        abstract="How a volunteer with one laptop brings a room onto the web, and what to do when the cable falls out.",
    ),
    Slot("Cafés et rencontres", 15, kind=Kind.BREAK, language="fr"),
    Slot(
        "Jardins partagés : dix ans de quartier",
        45,
        ("Élise N’Guyen", "Karim Le Goff"),
        language="fr",
        abstract="Dix ans d’un jardin entre deux immeubles : les récoltes, les disputes, et ce qui en est resté.",
    ),
    Slot("Repair café: what breaks, what lasts", 45, ("Tomás Říha",), kind=Kind.SEMINAR),
    Slot("Lunch", 60, kind=Kind.BREAK),
    Slot("Conseil d’administration", 60, ("Le bureau",), kind=Kind.MEETING, language="fr"),
    Slot("Questions to the neighbourhood council", 60, ("Inès Aubry",)),
    Slot("Concert de clôture", 60, ("Chorale du canal",), kind=Kind.SOCIAL, language="fr"),
)
ATELIER = (
    Slot("Sew your own tote bag", 90, ("Maud Perrin",), kind=Kind.WORKSHOP),
    Slot("First aid for volunteers", 120, ("Croix-Blanche",), kind=Kind.TRAINING, language="fr"),
)


async def plan(connection: AsyncConnection, now_ms: int) -> None:
    """Venue, rooms, event, and sessions that begin now, unless there are some still to come."""
    if await Venues(connection).find(VENUE.id) is None:
        await Venues(connection).add(VENUE)
    for room in (ROOM, WORKSHOP):
        if await Rooms(connection).find(room.id) is None:
            await Rooms(connection).add(room)
    if await Events(connection).find(EVENT.id) is None:
        await Events(connection).add(EVENT)
    ahead = [session for session in await Sessions(connection).of_event(EVENT.id) if session.end_ms > now_ms]
    if not ahead:
        await Sessions(connection).add_many([*_sessions(ROOM, HALL, now_ms), *_sessions(WORKSHOP, ATELIER, now_ms)])


def _sessions(room: Room, slots: tuple[Slot, ...], now_ms: int) -> list[Session]:
    made = []
    start_ms = now_ms // MINUTE_MS * MINUTE_MS
    for slot in slots:
        usual = KIND_DEFAULTS[slot.kind]
        made.append(
            Session(
                id=secrets.token_urlsafe(9),
                room=room.id,
                title=slot.title,
                start_ms=start_ms,
                end_ms=start_ms + slot.minutes * MINUTE_MS,
                kind=slot.kind,
                event=EVENT.id,
                abstract=slot.abstract,
                speakers=slot.speakers,
                language=slot.language,
                visibility=usual.visibility,
                do_not_record=usual.do_not_record,
                do_not_stream=usual.do_not_stream,
                replay=usual.replay,
            )
        )
        start_ms += slot.minutes * MINUTE_MS
    return made
