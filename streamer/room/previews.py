"""The crew's previews: one source as it comes in, before anybody puts it on air.

Runs on the loop. Costs nothing while nobody watches.
"""

from __future__ import annotations

from streamer.errors import NotFound, StreamerError
from streamer.media.incoming import IncomingUnit
from streamer.media.switch import SourceState
from streamer.media.timeline import RoomClock, SourceClock
from streamer.room.relay import Relay

SOURCE_FEED = "source/"


class Previews:
    """Gives the relay the sources whose preview is watched. H.264 and Opus only: nothing is encoded again."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._clocks: dict[str, SourceClock] = {}

    def take_in(self, name: str, incoming: IncomingUnit) -> None:
        clock, feed, unit = self._clocks.get(name), f"{SOURCE_FEED}{name}", incoming.unit
        if not self._relay.wants(feed):
            if clock is not None:
                del self._clocks[name]
            return
        if clock is None:
            # A separate clock on monotonic time, because a preview is on no broadcast's timeline.
            clock = self._clocks[name] = SourceClock(RoomClock(epoch_ms=0, anchor_ns=0))
        start = clock.video_start(unit) if incoming.is_video else clock.sound_start(unit)
        if clock.jumped(start, unit) if incoming.is_video else clock.sound_is_far(start, unit):
            del self._clocks[name]
        elif unit.codec == "h264":
            self._relay.push_video(unit.data, start, incoming.idr, feed=feed)
        elif unit.codec == "opus":
            self._relay.push_audio(unit.data, start, feed=feed)

    def check(self, source: SourceState | None, offer: str) -> None:
        """``offer``: the SDP; one without video is for sound alone, which every source has as Opus.

        Errors: ``no_such_source`` 404, ``unsupported_media`` 406 for a picture that cannot be relayed as it is.
        """
        if source is None or not source.connected:
            raise NotFound("There is no source with this name.", code="no_such_source")
        if source.codec not in ("", "h264") and "\nm=video" in offer:
            raise StreamerError(
                f"A preview is not encoded again, and this source sends {source.codec}.",
                code="unsupported_media",
                status=406,
            )

    def restart(self, name: str) -> None:
        """Another publication feeds the source, with another sender's clock."""
        self._clocks.pop(name, None)
