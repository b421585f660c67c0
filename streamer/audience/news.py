"""The events of the audience service and their viewpoints. Values; sent on the loop, in order, after they are
stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Viewpoint(StrEnum):
    """``public``: everybody in the scope. ``own``: the participant ``only``, besides the public events. ``moderation``:
    moderators; they get their own versions of the public events instead. ``stage``: a speaker's or the hall's screen,
    besides the public events."""

    PUBLIC = "public"
    OWN = "own"
    MODERATION = "moderation"
    STAGE = "stage"


@dataclass(frozen=True, slots=True)
class AudienceEvent:
    """``data`` is JSON-able, with times in RFC 3339 and media times in integer milliseconds.

    Types: those of the contract (``chat.message``, ``chat.deleted``, ``question.changed``, ``poll.changed``,
    ``reaction.counts``, ``presence``, ``room.mode``, ``notice``) and ``question.order``, ``questions.session``, ``cue``
    (stage), ``you`` (own: muted, banned), ``report``, ``claim``, ``sanction``, ``action``, ``crew.line``, ``trouble``
    (moderation). An item's event replaces the event of the same id before; ``removed`` removes the item.
    """

    scope: str
    viewpoint: Viewpoint
    type: str
    data: Mapping[str, Any]
    at_ms: int
    media_at_ms: int | None = None
    only: str | None = None
    replaces: str = ""
    """A key: only the newest event with it counts (``reaction.counts`` excepted)."""


Listener = Callable[[AudienceEvent], None]
"""Must be quick and not raise."""
