"""Messages between the core and a front process about clients, over the bus.

A front's ``core.hello`` opens a *stream*: the core's messages to this front, counted. All that a front asks names the
stream; the core knows no other. Where the front hears a gap, or either has lost the other, another stream begins, and
the front enters its clients again: each with the number of the last event that it has had.
"""

from __future__ import annotations

import msgspec

HELLO, ENTER, COMMAND, LEFT = "core.hello", "core.enter", "core.command", "core.left"
"""Subjects of the core's: :class:`Hello` -> :class:`Welcome`, :class:`Enter` -> None, :class:`Command` ->
:class:`Answered`, :class:`Left` -> None."""

STREAM_OVER = "stream_over"
"""The code of the core's answer to a stream that it does not know: nothing was done."""


def subject(front: str) -> str:
    """The subject of a front's stream, of :class:`StreamMessage`."""
    return f"front.{front}"


class Hello(msgspec.Struct, frozen=True):
    """A sign of life. ``stream``: the one that the front hears; empty: it wants another."""

    front: str
    stream: str


class Welcome(msgspec.Struct, frozen=True):
    stream: str
    """Another than that of the question: the core knows no client of this front's."""
    told: int
    """The number of the stream's last message so far."""


class Enter(msgspec.Struct, frozen=True):
    """A client asks to come in, or a front enters it again. :class:`Joined` comes in the stream, before the answer is
    sent."""

    front: str
    stream: str
    session: str
    """The session of Engine.IO."""
    client: str
    namespace: str
    auth: bytes
    """As it came, JSON."""
    headers: list[tuple[str, str]]
    """Of the request with which the session began."""
    cookies: dict[str, str]


class Command(msgspec.Struct, frozen=True):
    front: str
    stream: str
    client: str
    name: str
    arguments: bytes
    """A JSON list."""


class Answered(msgspec.Struct, frozen=True):
    acknowledgement: bytes
    """JSON."""
    name: str
    place: str
    """The participant's, from now on."""


class Left(msgspec.Struct, frozen=True):
    front: str
    stream: str
    clients: list[str]


# --- in the stream ------------------------------------------------------------------------------------


class Joined(msgspec.Struct, frozen=True, tag=True):
    """A client is in. It gets ``payloads`` (packets of Socket.IO: its snapshot, events that it missed), then the
    channel's events after ``cursor``."""

    client: str
    channel: str
    cursor: int
    payloads: list[bytes]
    participant: str | None
    """The token of an identity that was just made, with which the client comes again."""


class Posted(msgspec.Struct, frozen=True, tag=True):
    """An event of a channel that somebody here reads."""

    namespace: str
    channel: str
    seq: int
    at_ms: int
    json: bytes
    about: str
    replaces: str
    to: list[str] | None
    """The clients that get it; None: all of the channel."""


class ForgetEvents(msgspec.Struct, frozen=True, tag=True):
    """Earlier events about ``about`` are sent to nobody any more."""

    namespace: str
    channel: str
    about: str


class Written(msgspec.Struct, frozen=True, tag=True):
    """A packet of Socket.IO for one session."""

    session: str
    payload: bytes


class LetOut(msgspec.Struct, frozen=True, tag=True):
    """The core has let a client out."""

    client: str


class StreamMessage(msgspec.Struct, frozen=True):
    stream: str
    number: int
    """One more than that of the message before, from 1 on."""
    what: Joined | Posted | ForgetEvents | Written | LetOut
