"""Names that participants give themselves: whom they could be taken for, and what tells namesakes apart. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from streamer.audience.command import ClientMessage, Decision, LongName, Situation, StoredCommand
from streamer.audience.look_alikes import look_of, same_look
from streamer.audience.people import Participant
from streamer.audience.state import Put, ScopeState
from streamer.audience.texts import NAME_CHARACTERS, checked, shortened
from streamer.audience.word_lists import words_in
from streamer.audience.words import blocked
from streamer.conference.grants import Role
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
        if not may_take_name(name, taken_names(state, at)):
            raise Conflict("This name belongs to the crew or to a speaker.", code="name_reserved")
        if blocked(name, words_of(state, at)) is not None:
            raise Conflict("This name is not allowed here.", code="name_refused")
        name = told_apart(state, who.id, name)
    place = shortened(who.place if command.place is None else command.place, NAME_CHARACTERS)
    known = state.people.get(who.id)
    after = Person(who.id, name, place, who.since_ms, at.now_ms)
    return Decision((Put(known, after),), {"name": name, "place": place})


def shown_name(state: ScopeState, who: Participant, at: Situation) -> str:
    """The name that was set last; before that the name that the connection brought, if the participant may have it.

    A name that has become a speaker's or the crew's since it was set gets a number.
    """
    known = state.people.get(who.id)
    set_before = known.name if known is not None else ""
    name = set_before or shortened(who.name, NAME_CHARACTERS)
    if who.trusted:
        speakers = speakers_of(state, at)
        return name or (speakers[0] if who.role is Role.SPEAKER and len(speakers) == 1 else "")
    if set_before:
        return name if may_take_name(name, taken_names(state, at)) else told_apart(state, who.id, name, theirs=True)
    refused = blocked(name, words_of(state, at)) is not None
    return "" if refused or not may_take_name(name, taken_names(state, at)) else told_apart(state, who.id, name)


def told_apart(state: ScopeState, participant: str, name: str, *, theirs: bool = False) -> str:
    """The name, with a number if somebody else here goes by it already. ``theirs``: somebody does, whoever it is."""
    if not name:
        return name
    others = {look_of(one.name) for one in state.people.values() if one.id != participant and one.name}
    if not theirs and look_of(name) not in others:
        return name
    number = 2
    while look_of(numbered := f"{shortened(name, NAME_CHARACTERS - 5)} {number}") in others:
        number += 1
    return numbered


def numbered_of(name: str, given: str) -> bool:
    """Whether ``name`` is what :func:`told_apart` made of the name that was given."""
    base, _, number = name.rpartition(" ")
    return number.isdecimal() and base == shortened(given, NAME_CHARACTERS - 5)


def speakers_of(state: ScopeState, at: Situation) -> tuple[str, ...]:
    """Full names of the speakers of the session that is on."""
    return next((one.speakers for one in at.sessions if one.id == state.focus.session), ())


def taken_names(state: ScopeState, at: Situation) -> tuple[str, ...]:
    """Names of the crew who are here, and of the session's speakers, here or not."""
    return (*at.crew_names, *speakers_of(state, at))


def seen(state: ScopeState, who: Participant, name: str, at: Situation) -> tuple[Put, ...]:
    """Stores the participant with their first message, and the hour when they were last seen."""
    known = state.people.get(who.id)
    if known is not None and known.name == name and at.now_ms - known.seen_ms < 3_600_000:
        return ()
    place = shortened(who.place, NAME_CHARACTERS) or (known.place if known is not None else "")
    return (Put(known, Person(who.id, name, place, who.since_ms, at.now_ms)),)


def words_of(state: ScopeState, at: Situation) -> tuple[str, ...]:
    """Words that names here must not contain."""
    return (*at.settings.blocked_words, *state.mode.words, *words_in(state.mode.word_lists))


def may_take_name(name: str, taken: Iterable[str]) -> bool:
    """Whether a reader could not take it for one of these names, or for a title of the crew."""
    return not any(same_look(name, one) for one in (*RESERVED, *taken))


COMMANDS = (StoredCommand("name.set", NameSet, _set, speaks=True, burst=5, per_s=0.1, budget="names"),)
