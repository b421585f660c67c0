"""The state of a room's public output, in the contract's three words. Pure."""

from __future__ import annotations

from typing import Literal

from streamer.broadcast.programme import SLATE
from streamer.broadcast.view import BroadcastView
from streamer.control.messages import RoomStatus

PublicState = Literal["off", "slate", "live"]


def public_state(view: BroadcastView | None, status: RoomStatus | None) -> PublicState:
    """``off`` without an open broadcast; ``live`` once the output shows the programme, a source that is up feeds
    it and every rendition's playlist has a whole segment of it; ``slate`` otherwise, until the room closes."""
    if view is None or view.broadcast is None or view.closed:
        return "off"
    output = view.public
    if output is None or status is None or not output.has_aired_segment:
        return "slate"
    source = status.sources.get(status.on_programme)
    if status.on_programme == SLATE or source is None or not source.up:
        return "slate"
    return "live"
