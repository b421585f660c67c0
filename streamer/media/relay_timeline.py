"""The public output's frames for WHEP viewers, in times that never go back. On the loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamer.broadcast.media_events import PUBLIC
from streamer.broadcast.orders import SourceOrder
from streamer.formats import h264
from streamer.formats.types import AccessUnit, Sample, TrackConfig
from streamer.media.audio import OPUS_SILENCE, OPUS_SILENCE_TICKS
from streamer.media.changed_sound import OpusPackets


class FrameRelay(Protocol):
    """Takes the frames. ``start`` in ticks of the broadcast."""

    def push_video(self, data: bytes, start: int, idr: bool) -> None:
        """One access unit of H.264, Annex B, with parameter sets before an IDR."""

    def push_audio(self, data: bytes, start: int) -> None:
        """One Opus packet."""

    def wants(self, feed: str) -> bool:
        """Whether somebody watches the feed or is connecting."""


class RelayTimeline:
    """Passes a broadcast's pictures and sound to the relay in order of time, with silence for missing sound. ``start``:
    the tick from which sound is missing."""

    def __init__(self, relay: FrameRelay, start: int) -> None:
        self._relay = relay
        self._next_sound = start
        self._last_sound = self._last_picture = -1

    @property
    def watched(self) -> bool:
        return self._relay.wants(PUBLIC)

    def picture(self, sample: Sample, config: TrackConfig) -> None:
        sets = (config.sps, config.pps) if sample.sync else ((), ())
        # Slate and programme may overlap at an action. Every picture is needed for the ones after it, and time never
        # goes back.
        start = self._last_picture = max(sample.start, self._last_picture + 1)
        self._relay.push_video(h264.avcc_to_annexb(sample.data, *sets), start, sample.sync)

    def sound(self, packet: bytes, start: int) -> None:
        if start <= self._last_sound:
            return  # silence was heard instead of it
        self._last_sound = start
        self._next_sound = start + OPUS_SILENCE_TICKS
        self._relay.push_audio(packet, start)

    def silence(self, to: int) -> None:
        """Viewers hear silence up to ``to``: a stream of packets that stops is a fault for them."""
        while self._next_sound + OPUS_SILENCE_TICKS <= to:
            self.sound(OPUS_SILENCE, self._next_sound)


class RelaySound:
    """The programme's sound on its way to WHEP viewers: the source's own packets, bit by bit, or those of the sound's
    thread while it changes the sound. None overtakes another.

    ``hears(start)``: whether viewers hear the programme at that tick, by the orders that hold now.
    """

    def __init__(self, timeline: RelayTimeline, hears: Callable[[int], bool]) -> None:
        self._timeline = timeline
        self._hears = hears
        self._direct = True
        self._asked = 0
        """Packets for which the sound's thread has not answered yet."""

    def send_or_ask(self, unit: AccessUnit, start: int, order: SourceOrder) -> bool:
        """Send a packet of the source on the programme, or return True: the sound's thread must say what goes out for
        it."""
        if not self._timeline.watched:
            self._direct = not self._asked
            return False
        if unit.codec != "opus" or order.may_change_sound:
            self._direct = False
        if self._direct:
            self._send(unit.data, start)
        return not self._direct

    def asked(self) -> None:
        self._asked += 1

    def answered(self, packets: OpusPackets, own: bool) -> None:
        """``own``: the source's next packets may go without asking."""
        self._asked -= 1
        for data, start in packets:
            self._send(data, start)
        self._direct = own and not self._asked

    def _send(self, data: bytes, start: int) -> None:
        # Asked when it goes out: an order may have come while the packet was with the thread.
        if self._hears(start):
            self._timeline.sound(data, start)
