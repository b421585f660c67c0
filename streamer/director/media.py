"""The room's incoming media, from the status of its process."""

from __future__ import annotations

from dataclasses import replace

from streamer.conference.day import MediaState
from streamer.control.messages import RoomStatus


def media_of(status: RoomStatus | None, *, room_open: bool, up: bool, before: MediaState, now_ms: int) -> MediaState:
    """The media state for the rules.

    ``room_open``: the media plane knows the room; ``up``: its process answers now. While the process of an open room is
    away (it is being restarted, or this web process has just started) the last known state stays: it comes back in a
    moment, and a minute of doubt must end nothing. A closed room has no incoming media.
    """
    if not room_open:
        if not before.up and (before.stopped_ms is not None or before.up_since_ms is None):
            return replace(before, known=True)
        return MediaState(up=False, up_since_ms=None, stopped_ms=before.stopped_ms or now_ms, known=True)
    if not up or status is None:
        # At the last known time no media came in; now there may be a camera in preview.
        return before if before.up else replace(before, known=False)
    if status.media_up:
        since_ms = status.media_since_ms if status.media_since_ms is not None else now_ms
        return MediaState(up=True, up_since_ms=since_ms, known=True)
    return MediaState(up=False, stopped_ms=status.media_stopped_ms or before.stopped_ms, known=True)
