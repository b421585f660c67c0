"""Whether anything comes in, and since when."""

from __future__ import annotations

from streamer.media.presence import SourcePresence


def test_presence_tells_when_media_came_and_where_they_stopped() -> None:
    presence = SourcePresence()
    presence.note(None)
    assert (presence.up, presence.since_ms, presence.stopped_ms) == (False, None, None)
    for heard in (1000, 1020, 1040):
        presence.note(heard)
    assert (presence.up, presence.since_ms, presence.stopped_ms) == (True, 1000, None)
    presence.note(None)
    presence.note(None)
    assert (presence.up, presence.since_ms, presence.stopped_ms) == (False, None, 1040)
    presence.note(5000)
    assert (presence.up, presence.since_ms, presence.stopped_ms) == (True, 5000, None)
