"""Names that participants give themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.audience.command import ClientMessage, Decision, LongName, Situation, StoredCommand
from streamer.audience.people import Participant
from streamer.audience.state import Put, ScopeState
from streamer.audience.texts import NAME_CHARACTERS, checked, shortened
from streamer.audience.words import blocked, same_words
from streamer.conference.participation import Person
from streamer.errors import Conflict

RESERVED = (
    "admin",
    "administrator",
    "administrateur",
    "administratrice",
    "mod",
    "moderator",
    "moderators",
    "moderateur",
    "moderatrice",
    "moderation",
    "organiser",
    "organizer",
    "organisers",
    "organizers",
    "organisateur",
    "organisatrice",
    "technician",
    "technicien",
    "technicienne",
    "speaker",
    "staff",
    "streamer",
)


class NameSet(ClientMessage, frozen=True):
    """``place`` None: it stays. Answer: ``name``, ``place``, cleaned."""

    name: LongName
    place: LongName | None = None


def _set(state: ScopeState, who: Participant, command: NameSet, at: Situation) -> Decision:
    name = checked(command.name, NAME_CHARACTERS)
    if not who.trusted:
        if not may_take_name(name, at.crew_names):
            raise Conflict("This name belongs to the crew.", code="name_reserved")
        if blocked(name, words_of(state, at)) is not None:
            raise Conflict("This name is not allowed here.", code="name_refused")
    place = shortened(who.place if command.place is None else command.place, NAME_CHARACTERS)
    known = state.people.get(who.id)
    after = Person(who.id, name, place, who.since_ms, at.now_ms)
    return Decision((Put(known, after),), {"name": name, "place": place})


def shown_name(state: ScopeState, who: Participant, at: Situation) -> str:
    """The name that was set last; before that the name that the connection brought, if the participant may have it."""
    known = state.people.get(who.id)
    if known is not None and known.name:
        return known.name
    name = shortened(who.name, NAME_CHARACTERS)
    if who.trusted:
        return name
    refused = blocked(name, words_of(state, at)) is not None
    return "" if refused or not may_take_name(name, at.crew_names) else name


def seen(state: ScopeState, who: Participant, name: str, at: Situation) -> tuple[Put, ...]:
    """Stores the participant with their first message, and the hour when they were last seen."""
    known = state.people.get(who.id)
    if known is not None and known.name == name and at.now_ms - known.seen_ms < 3_600_000:
        return ()
    place = shortened(who.place, NAME_CHARACTERS) or (known.place if known is not None else "")
    return (Put(known, Person(who.id, name, place, who.since_ms, at.now_ms)),)


def words_of(state: ScopeState, at: Situation) -> tuple[str, ...]:
    """Words that names here must not contain."""
    return (*at.settings.blocked_words, *state.mode.words)


def may_take_name(name: str, taken: Iterable[str]) -> bool:
    """Whether the name could not be mistaken for one of the crew. ``taken``: the names of the crew who are here."""
    return not any(same_words(name, one) for one in (*RESERVED, *taken))


COMMANDS = (StoredCommand("name.set", NameSet, _set, speaks=True, burst=5, per_s=0.1, budget="names"),)
