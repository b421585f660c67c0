"""Reactions, and reports of trouble with picture or sound. They are counted and not stored."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from streamer.audience.audience_scope import AudienceScope
from streamer.audience.command import ClientMessage, CountedCommand, Decision, check_sanction
from streamer.audience.people import Participant
from streamer.audience.presence import TROUBLE_PEOPLE
from streamer.audience.recent_activity import admit_reaction
from streamer.errors import Unprocessable

Kind = Annotated[str, Meta(min_length=1, max_length=40)]
REACTIONS = {
    "like": "👍",
    "love": "❤️",
    "clap": "👏",
    "laugh": "😂",
    "wow": "😮",
    "celebrate": "🎉",
    "sad": "😢",
    "thinking": "🤔",
}
"""Kind -> the picture that pages show. A client may send the kind, the picture, or another usual name for it."""
_ALIASES = {
    **{picture: kind for kind, picture in REACTIONS.items()},
    **{picture.rstrip("\ufe0f"): kind for kind, picture in REACTIONS.items()},
    "heart": "love",
    "thumbs_up": "like",
    "applause": "clap",
    "party": "celebrate",
}
TROUBLES = ("no_sound", "no_picture", "stutter", "sync", "other")


class React(ClientMessage, frozen=True):
    kind: Kind


class TroubleReport(ClientMessage, frozen=True):
    kind: Kind


def _react(scope: AudienceScope, who: Participant, command: React, now_ms: int) -> Decision:
    _check(scope, who, now_ms)
    kind = reaction_kind(command.kind)
    admit_reaction(scope.activities.of(who.id), now_ms)
    scope.tallies.react(kind)
    return Decision(answer={"kind": kind})


def _trouble(scope: AudienceScope, who: Participant, command: TroubleReport, now_ms: int) -> Decision:
    _check(scope, who, now_ms)
    kind = command.kind
    if kind not in TROUBLES:
        raise Unprocessable("There is no such trouble.", code="invalid", details={"field": "kind"})
    people = scope.tallies.trouble(kind, who.id, now_ms)
    data = {"kind": kind, "people": people, "alarm": people >= TROUBLE_PEOPLE, "viewers": scope.crowd.viewers}
    return Decision(answer={"kind": kind}, event=("trouble", data))


def _check(scope: AudienceScope, who: Participant, now_ms: int) -> None:
    check_sanction(None if who.crew else scope.shown.sanctions.get(who.id), now_ms)


def reaction_kind(text: str) -> str:
    """Raises Unprocessable ``invalid``."""
    kind = _ALIASES.get(text, text)
    if kind not in REACTIONS:
        raise Unprocessable("There is no such reaction.", code="invalid", details={"field": "kind"})
    return kind


COMMANDS = (
    CountedCommand("reaction", React, _react),
    CountedCommand("trouble.report", TroubleReport, _trouble, burst=3, per_s=0.05),
)
