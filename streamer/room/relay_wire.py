"""Messages between a room process and its WHEP relay process, over a socket pair; frames as in framing.py.

Room to relay: :class:`VideoFrame`, :class:`AudioFrame`, requests (``offer`` Offer -> Answer, ``candidates``
Candidates, ``hangup`` {resource}). Relay to room: replies, and the events ``viewers`` (:class:`ViewerCounts`) and
``keyframe`` (a feed's name). Both ends are of one version: the room starts its relay itself.
"""

from __future__ import annotations

import msgspec

from streamer.broadcast.media_events import PREVIEW
from streamer.control.framing import FrameError
from streamer.control.messages import ControlEvent, Offer, Reply, Request


class VideoFrame(msgspec.Struct, tag="v"):
    """One access unit of H.264, Annex B. ``media_us``: UTC microseconds on the feed's clock."""

    feed: str
    media_us: int
    idr: bool
    data: bytes


class AudioFrame(msgspec.Struct, tag="a"):
    """One Opus packet, on the same clock as the feed's pictures."""

    feed: str
    media_us: int
    data: bytes


class ViewerCounts(msgspec.Struct):
    """Counts of viewers for the room's status."""

    resources: dict[str, str] = {}
    """Resource -> feed."""
    counters: dict[str, float] = {}
    connected: int = 0
    """Connected viewers of the audience, without previews and without connections in progress."""


RelayMessage = VideoFrame | AudioFrame | Request | Reply | ControlEvent

_decoder: msgspec.msgpack.Decoder[RelayMessage] = msgspec.msgpack.Decoder(RelayMessage)


def decode_relay(payload: bytes) -> RelayMessage:
    """Raises FrameError."""
    try:
        return _decoder.decode(payload)
    except msgspec.MsgspecError as error:
        raise FrameError(f"not a relay message: {error}") from error


def feed_of(offer: Offer) -> str:
    """The feed of an offer: an output's, or ``source/NAME`` for the crew's preview of a source."""
    return f"source/{offer.source}" if offer.output == PREVIEW else offer.output
