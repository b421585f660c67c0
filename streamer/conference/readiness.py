"""Whether a room is ready for its next session: one line for each thing that must be right. Pure.

It describes what *comes in*, on air or not. It never keeps anybody from a start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamer.conference.sessions import Flag, Session

State = Literal["yes", "no", "not_yet", "unknown"]
"""``not_yet``: it was not heard, seen or done so far. ``unknown``: nobody can tell; it never makes a room not ready."""
Overall = Literal["ready", "not_ready", "not_yet"]

QUIET_LUFS, LOUD_LUFS = -30.0, -14.0
DISK_SPARE = 1.5
"""The disk must hold the session and half more."""
UPLOAD_SPARE = 1.2
"""The sender's own estimate of its upload must be this many times what it sends."""
REHEARSED_MS = 10 * 60_000
"""A captioner who typed within this time is there."""
BY_HAND = ("framing", "focus")
"""Only a person can judge these."""


@dataclass(frozen=True, slots=True)
class Line:
    """``at_ms``: when it was heard or seen last. ``by``: who has seen it."""

    name: str
    state: State
    at_ms: int | None = None
    by: str | None = None
    details: Mapping[str, float | int | str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Heard:
    """Findings in the source that comes in. Each holds until the source or its device changes; UTC ms."""

    level_ms: int | None = None
    """The last voice at a good level."""
    loudness: float | None = None
    """LUFS of the last seconds of voice."""
    voice_ms: int | None = None
    moved_ms: int | None = None
    seen: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    """Line that a person judges -> when and who."""


@dataclass(frozen=True, slots=True)
class RehearsalFacts:
    """``up``: whether anything comes in. ``wrong_key``: a key that is not of this room, or one that has ended."""

    up: bool
    heard: Heard
    wrong_key: bool = False
    disk_left_s: int | None = None
    captions: tuple[str, ...] = ()
    """The promised languages."""
    captioned_ms: int | None = None
    sent_kbps: float | None = None
    available_kbps: float | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    state: Overall
    lines: tuple[Line, ...]

    @property
    def wrong(self) -> tuple[str, ...]:
        """The lines that are *no*."""
        return tuple(one.name for one in self.lines if one.state == "no")

    @property
    def missing(self) -> tuple[str, ...]:
        """The lines that are *not yet*."""
        return tuple(one.name for one in self.lines if one.state == "not_yet")


def readiness(session: Session | None, facts: RehearsalFacts, now_ms: int) -> Readiness:
    """``session``: the one that is on air, or next."""
    heard = facts.heard
    lines = [
        _level(heard, facts.up),
        _found("voice", heard.voice_ms),
        _found("picture", heard.moved_ms),
        Line("key", "no" if facts.wrong_key else "yes" if facts.up else "not_yet"),
        _disk(session, facts.disk_left_s),
        _flags(session),
        *_captioner(facts, now_ms),
        _upload(facts),
        *(_seen(name, heard) for name in BY_HAND),
    ]
    states = {line.state for line in lines}
    overall: Overall = "not_ready" if "no" in states else "not_yet" if "not_yet" in states else "ready"
    return Readiness(overall, tuple(lines))


def good_level(loudness: float | None) -> bool:
    return loudness is not None and QUIET_LUFS <= loudness <= LOUD_LUFS


def _level(heard: Heard, up: bool) -> Line:
    details = {"loudness": None if heard.loudness is None else round(heard.loudness, 1)}
    if up and heard.loudness is not None and not good_level(heard.loudness):
        return Line("level", "no", heard.level_ms, details=details)
    return Line("level", "not_yet" if heard.level_ms is None else "yes", heard.level_ms, details=details)


def _found(name: str, at_ms: int | None) -> Line:
    return Line(name, "not_yet" if at_ms is None else "yes", at_ms)


def _disk(session: Session | None, left_s: int | None) -> Line:
    if session is None or left_s is None:
        return Line("disk", "unknown")
    needed_s = round((session.end_ms - session.start_ms) / 1000 * DISK_SPARE)
    return Line("disk", "yes" if left_s >= needed_s else "no", details={"left_s": left_s, "needed_s": needed_s})


def _flags(session: Session | None) -> Line:
    if session is None:
        return Line("flags", "unknown")
    asked = session.do_not_record is Flag.ASK and session.record_answer is None
    asked = asked or (session.do_not_stream is Flag.ASK and session.stream_answer is None)
    return Line("flags", "not_yet" if asked else "yes")


def _captioner(facts: RehearsalFacts, now_ms: int) -> list[Line]:
    """No line where no captions are promised."""
    if not facts.captions:
        return []
    at_ms = facts.captioned_ms
    there = at_ms is not None and now_ms - at_ms < REHEARSED_MS
    return [Line("captioner", "yes" if there else "not_yet", at_ms, details={"languages": " ".join(facts.captions)})]


def _upload(facts: RehearsalFacts) -> Line:
    sent, available = facts.sent_kbps, facts.available_kbps
    if not facts.up or not sent or available is None:
        return Line("upload", "unknown")
    details = {"sent_kbps": round(sent), "available_kbps": round(available)}
    return Line("upload", "yes" if available >= sent * UPLOAD_SPARE else "no", details=details)


def _seen(name: str, heard: Heard) -> Line:
    at_ms, by = heard.seen.get(name, (None, None))
    return Line(name, "not_yet" if at_ms is None else "yes", at_ms, by)
