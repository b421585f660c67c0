"""WHEP viewers' sound while a source's is changed: the way there and back, as their decoder hears it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest

from streamer.broadcast.orders import SourceOrder
from streamer.formats.types import AccessUnit
from streamer.media.audio import SoundDecoder, SoundTrack
from streamer.media.relay_timeline import RelaySound, RelayTimeline
from tests.fakes.waiting import LIMIT_S
from tests.unit.media.test_audio import RATE, encode, level, opus, tone

PACKET_TICKS = 1800
PLAIN = SourceOrder("main")
LOUDER = SourceOrder("main", gain_db=6.0)
MUTED = SourceOrder("main", mute=True)


@dataclass
class Viewers:
    """The relay, as it is told of viewers, and all that it gets."""

    packets: list[tuple[int, bytes]] = field(default_factory=list)
    hears: bool = True
    watched: bool = True

    def push_video(self, data: bytes, start: int, idr: bool) -> None: ...

    def push_audio(self, data: bytes, start: int) -> None:
        self.packets.append((start, data))

    def wants(self, feed: str) -> bool:
        return self.watched

    def heard(self) -> np.ndarray:
        decoder = SoundDecoder("opus")
        return np.concatenate([decoder.decode(data) for _, data in self.packets], axis=1)


class Way:
    """From a source's packets to its viewers, over the sound's thread where it must be."""

    def __init__(self) -> None:
        self.viewers = Viewers()
        self.relay = RelaySound(RelayTimeline(self.viewers, 0), lambda start: self.viewers.hears)
        self.track = SoundTrack(
            {"a": 64_000},
            loop=asyncio.get_running_loop(),
            start=0,
            on_frame=lambda name, sample: None,
            on_answer=self.relay.answered,
        )
        self.sent = 0

    async def send(self, packet: bytes, order: SourceOrder, codec: str = "opus") -> None:
        start = self.sent * PACKET_TICKS
        self.sent += 1
        unit = AccessUnit("audio", codec, packet, start, 48_000, 0)
        asks = self.relay.send_or_ask(unit, start, order)
        assert self.track.push(codec, packet, start, order, asks=asks)
        if asks:
            self.relay.asked()
        if self.sent % 25 == 0:
            self.track.advance(start - 9000)
        await self.until(lambda: self.relay._asked == 0)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.0005)


def without_gaps(viewers: Viewers) -> bool:
    return all(later - earlier == PACKET_TICKS for (earlier, _), (later, _) in pairwise(viewers.packets))


async def test_unchanged_sound_passes_bit_by_bit_and_asks_nobody() -> None:
    way = Way()
    packets = opus(tone(1))
    for packet in packets:
        await way.send(packet, PLAIN)
    assert [data for _, data in way.viewers.packets] == packets
    assert way.relay._asked == 0
    way.track.close()


@pytest.mark.parametrize("order", [SourceOrder("main", mono=True), SourceOrder("main", gain_db=0.01)])
async def test_the_change_to_our_packets_is_not_heard(order: SourceOrder) -> None:
    """Sound that the chain leaves nearly as it is: the listener's decoder gives the same wave, seam included."""
    way = Way()
    packets = opus(tone(2, 440, 0.2))
    for index, packet in enumerate(packets):
        await way.send(packet, PLAIN if index < 50 else order)
    way.track.close()
    heard = way.viewers.heard()[0]
    assert without_gaps(way.viewers)
    assert [data for _, data in way.viewers.packets[:50]] == packets[:50]
    assert way.viewers.packets[51][1] != packets[51]
    decoder = SoundDecoder("opus")
    plain = np.concatenate([decoder.decode(packet) for packet in packets], axis=1)[0, : len(heard)]
    seam = slice(49 * 960, 53 * 960)
    assert np.abs(heard[seam] - plain[seam]).max() < 0.02
    assert np.abs(np.diff(heard[2000:])).max() < 0.03


async def test_a_mute_is_heard_by_viewers_within_two_tenths_of_a_second_and_ends_in_the_sources_own_packets() -> None:
    way = Way()
    packets = opus(tone(6, 440, 0.3))
    for index, packet in enumerate(packets[:50]):
        await way.send(packet, PLAIN if index < 25 else MUTED)
    muted = way.viewers.heard()
    assert level(muted, 0.1, 0.5) > 0.15
    assert np.abs(muted[:, int(0.52 * RATE) :]).max() < 0.005
    # A tone never pauses: the way back is taken where one no longer waits for quiet.
    for packet in packets[50:]:
        await way.send(packet, PLAIN)
        if len(way.viewers.packets) == 60:
            assert way.viewers.packets[-1][1] != packet
    assert without_gaps(way.viewers)
    way.track.close()


async def test_the_way_back_is_taken_in_a_pause_without_a_hole() -> None:
    way = Way()
    speech = np.concatenate([tone(1, 300, 0.2), np.zeros((2, RATE // 5)), tone(1, 300, 0.2)], axis=1)
    packets = opus(speech)
    for index, packet in enumerate(packets):
        await way.send(packet, LOUDER if index < 40 else PLAIN)
    way.track.close()
    sent = [data for _, data in way.viewers.packets]
    assert sent[45] not in packets
    assert sent[-45:] == packets[-45:]
    assert without_gaps(way.viewers)
    heard = way.viewers.heard()
    assert level(heard, 0.2, 0.7) == pytest.approx(2 * 0.2 / np.sqrt(2), rel=0.1)
    assert level(heard, 1.4, 2.1) == pytest.approx(0.2 / np.sqrt(2), rel=0.1)


async def test_what_was_on_its_way_when_viewers_were_cut_off_does_not_arrive() -> None:
    way = Way()
    packets = opus(tone(1))
    for packet in packets[:20]:
        await way.send(packet, LOUDER)
    told = len(way.viewers.packets)
    assert told >= 18
    way.viewers.hears = False
    for packet in packets[20:40]:
        await way.send(packet, LOUDER)
    assert len(way.viewers.packets) == told
    way.track.close()


async def test_nothing_is_encoded_for_nobody() -> None:
    way = Way()
    way.viewers.watched = False
    for packet in opus(tone(0.5)):
        await way.send(packet, LOUDER)
    assert way.viewers.packets == []
    assert way.track._changed._encoder is None
    way.track.close()


async def test_a_source_that_sends_no_opus_is_heard_too() -> None:
    way = Way()
    for packet in encode("g722", tone(1)[:, ::3], 16_000, "mono", 320):
        await way.send(packet, PLAIN, "g722")
    way.track.close()
    assert without_gaps(way.viewers)
    assert level(way.viewers.heard(), 0.3, 0.8) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
