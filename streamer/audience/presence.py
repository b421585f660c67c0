"""Counts that are not stored: people, reactions, troubles, claims. Each scope has one of these in memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from streamer.audience.address_holds import exempt, prefix_of
from streamer.audience.people import Participant
from streamer.errors import Conflict

TROUBLE_MS = 30_000
TROUBLE_PEOPLE = 3
"""This many people within 30 s are worth a look."""
REMEMBERED_MS = 3_600_000
CLAIM_MS = 30_000
"""Others see for this long that a moderator is at work on an item."""
MOST_REMEMBERED = 5000


@dataclass(slots=True)
class Here:
    """A connected participant with the number of their connections."""

    participant: Participant
    connections: int
    addresses: set[str]


@dataclass(slots=True)
class Crowd:
    """The people in a scope now, and those of the last hour: a ban needs the addresses that somebody came from."""

    here: dict[str, Here] = field(default_factory=dict)
    gone: OrderedDict[str, tuple[int, set[str]]] = field(default_factory=OrderedDict)
    trusted: dict[str, str] = field(default_factory=dict)
    """Participant -> the name that they connected with, for the crew and the speakers who are here."""
    hls: int = 0
    whep: int = 0

    def join(self, participant: Participant, address: str) -> None:
        if participant.trusted:
            self.trusted[participant.id] = participant.name
        else:
            self.trusted.pop(participant.id, None)
        known = self.here.get(participant.id)
        if known is None:
            self.here[participant.id] = Here(participant, 1, {address})
            return
        known.participant = participant
        known.connections += 1
        if len(known.addresses) < 16:
            known.addresses.add(address)

    def leave(self, participant: str, now_ms: int) -> None:
        known = self.here.get(participant)
        if known is None:
            return
        known.connections -= 1
        if known.connections > 0:
            return
        del self.here[participant]
        self.trusted.pop(participant, None)
        self.gone[participant] = (now_ms, known.addresses)
        self.gone.move_to_end(participant)
        while self.gone:
            left_ms, _ = next(iter(self.gone.values()))
            if len(self.gone) <= MOST_REMEMBERED and now_ms - left_ms < REMEMBERED_MS:
                break
            self.gone.popitem(last=False)

    def prefixes(self, participant: str, networks: tuple[str, ...]) -> tuple[str, ...]:
        """The networks that the participant came from, without exempt ones."""
        known = self.here.get(participant)
        addresses = known.addresses if known is not None else self.gone.get(participant, (0, set()))[1]
        return tuple(sorted({prefix_of(address) for address in addresses if not exempt(address, networks)}))

    @property
    def crew(self) -> frozenset[str]:
        return frozenset(name for name, here in self.here.items() if here.participant.crew)

    @property
    def viewers(self) -> int:
        """The number of viewers, as far as it is known: players that load media, or people who are connected."""
        return max(self.hls + self.whep, len(self.here))

    def counts(self) -> dict[str, int]:
        return {"participants": len(self.here), "hls": self.hls, "whep": self.whep, "viewers": self.viewers}


@dataclass(slots=True)
class Tallies:
    """Counts since the last look."""

    reactions: dict[str, int] = field(default_factory=dict)
    troubles: dict[str, dict[str, int]] = field(default_factory=dict)
    """Kind -> participant -> time."""
    claims: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    """Item -> (id of the grant, its label, end of the claim)."""

    def react(self, kind: str) -> None:
        self.reactions[kind] = self.reactions.get(kind, 0) + 1

    def taken(self) -> dict[str, int]:
        counts, self.reactions = self.reactions, {}
        return counts

    def trouble(self, kind: str, participant: str, now_ms: int) -> int:
        """Count one report. Returns how many people had this trouble in the last 30 s."""
        people = self.troubles.setdefault(kind, {})
        people[participant] = now_ms
        for one in [one for one, at_ms in people.items() if not 0 <= now_ms - at_ms < TROUBLE_MS]:
            del people[one]
        return len(people)

    def claim(self, item: str, who: str, label: str, now_ms: int, on: bool) -> int:
        """Claim an item, or end the claim. Returns its end. Raises Conflict ``claimed`` if somebody else works on
        it."""
        self.claims = {one: held for one, held in self.claims.items() if 0 < held[2] - now_ms <= CLAIM_MS}
        held = self.claims.get(item)
        if held is not None and held[0] != who:
            raise Conflict("Somebody else is working on this.", code="claimed", details={"by": held[1]})
        if not on:
            self.claims.pop(item, None)
            return now_ms
        self.claims[item] = (who, label, now_ms + CLAIM_MS)
        return now_ms + CLAIM_MS
