"""The branding of a page: the venue or event whose name, logo, colours and cover it has. It is made for nobody in
particular: an event counts by its public sessions only, whoever asks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from streamer.api.context import Services, now_ms
from streamer.conference.airing import PublicSession, PublicStatus
from streamer.conference.looks import Look, over, stylesheet, theme_of
from streamer.conference.rooms import Room, Venue
from streamer.conference.sessions import Event
from streamer.errors import NotFound

SOON_MS = 24 * 3600 * 1000
"""An event whose next session begins within this time has its rooms' pages already."""


@dataclass(frozen=True, slots=True)
class Branding:
    name: str
    look: Look
    """The event's over the venue's."""
    rules: str
    """Checked CSS."""

    @property
    def config(self) -> dict[str, str]:
        """For the page's program."""
        return {"name": self.name, "logo": self.look.logo, "cover": self.look.cover}

    @property
    def head(self) -> str:
        """Elements of the page's head: the colours are there before anything is drawn. The page's program finds them
        by their names."""
        head = f'<style id="branding">{self.rules}</style>'
        if not self.look.colour:
            return head
        theme = theme_of(self.look.colour)
        return (
            f'<meta name="theme-color" content="{theme.dark.page}" media="(prefers-color-scheme: dark)">'
            f'<meta name="theme-color" content="{theme.light.page}" media="(prefers-color-scheme: light)">{head}'
        )


def branding_of(venue: Venue | None, event: Event | None) -> Branding | None:
    """None: neither has a look of its own, so the page has the program's."""
    looks = [one.look for one in (venue, event) if one is not None and one.look != Look()]
    if not looks:
        return None
    named = event if event is not None and event.look != Look() else venue if venue is not None else event
    assert named is not None
    look = over(event.look if event is not None else None, venue.look if venue is not None else None)
    return Branding(named.name, look, "".join(stylesheet(one) for one in looks))


def branding_of_room(services: Services, room: Room, venue: Venue | None) -> Branding | None:
    try:
        status = services.director.public_status(room.id)
    except NotFound:
        # Another process made the room a moment ago.
        return branding_of(venue, None)
    return branding_of(venue, services.events.get(_event_now(status) or ""))


def branding_of_home(services: Services, venue_id: str | None) -> Branding | None:
    """``venue_id``: the one that is asked for; None: of all, and only one has a branding of its own."""
    director = services.director
    rooms = {name: director.venue_of(name) for name in director.rooms}
    if venue_id is not None:
        rooms = {name: venue for name, venue in rooms.items() if venue is not None and venue.id == venue_id}
    venues = {venue.id: venue for venue in rooms.values() if venue is not None}
    venue = next(iter(venues.values())) if len(venues) == 1 and None not in rooms.values() else None
    event = _only(_events_now(services, rooms))
    return branding_of(venue, services.events.get(event or ""))


def branding_of_event(services: Services, event_id: str | None) -> Branding | None:
    """``event_id`` None: of the only venue."""
    event = services.events.get(event_id or "")
    if event is None:
        return branding_of_home(services, None)
    venue = next((venue for venue in _venues(services) if venue.id == event.venue), None)
    return branding_of(venue, event)


def _venues(services: Services) -> Iterable[Venue]:
    found = (services.director.venue_of(name) for name in services.director.rooms)
    return (venue for venue in found if venue is not None)


def _events_now(services: Services, rooms: Mapping[str, Venue | None]) -> set[str | None]:
    """Of what is on in the rooms or comes soon; None stands for sessions without an event."""
    events: set[str | None] = set()
    for name in rooms:
        try:
            status = services.director.public_status(name)
        except NotFound:
            continue
        events |= {one.session.event for one in (status.current, status.next) if _is_near(one) and one is not None}
    return events


def _event_now(status: PublicStatus) -> str | None:
    near = next((one for one in (status.current, status.next) if _is_near(one)), None)
    return None if near is None else near.session.event


def _is_near(public: PublicSession | None) -> bool:
    return public is not None and public.shown.start_ms - now_ms() < SOON_MS


def _only(events: set[str | None]) -> str | None:
    return next(iter(events)) if len(events) == 1 else None
