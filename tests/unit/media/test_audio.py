"""The sound track: what comes in is heard at its time, without holes or clicks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest

from streamer.broadcast.orders import SourceOrder
from streamer.formats.types import Sample
from streamer.media.aac import AAC_TICKS
from streamer.media.audio import OPUS_SILENCE, SoundDecoder, SoundTrack
from streamer.media.meters import LoudnessMeter
from streamer.settings import MediaSettings
from tests.fakes.waiting import LIMIT_S, until_ended

RATE = 48_000
TICKS = 90_000


def encode(codec: str, pcm: np.ndarray, rate: int, layout: str, frame: int) -> list[bytes]:
    """Packets of ``frame`` samples each."""
    context = av.CodecContext.create(codec, "w")
    context.sample_rate, context.layout, context.time_base = rate, layout, Fraction(1, rate)
    context.format = "s16"
    if codec == "libopus":
        context.options = {"application": "lowdelay", "frame_duration": "20"}
    context.open()
    channels = 2 if layout == "stereo" else 1
    packets = []
    for begin in range(0, pcm.shape[1] - frame + 1, frame):
        piece = (pcm[:channels, begin : begin + frame].T * 32767).clip(-32768, 32767).astype(np.int16).reshape(1, -1)
        audio = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece), format="s16", layout=layout)
        audio.sample_rate, audio.pts = rate, begin
        packets += [bytes(p) for p in context.encode(audio)]
    return packets


def opus(pcm: np.ndarray, layout: str = "stereo") -> list[bytes]:
    return encode("libopus", pcm, RATE, layout, 960)


def tone(seconds: float, hertz: float = 440, level: float = 0.3) -> np.ndarray:
    wave = level * np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE)
    return np.stack([wave, wave])


class Listener:
    """Collects a track's frames and plays them."""

    def __init__(self, start: int = 0, meter: LoudnessMeter | None = None, **settings: object) -> None:
        self.samples: list[Sample] = []
        self.track = SoundTrack(
            {"a128": MediaSettings(**settings).audio_bitrate_kbps * 1000},
            loop=asyncio.get_running_loop(),
            start=start,
            on_frame=lambda _, sample: self.samples.append(sample),
            meter=meter,
        )

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.005)

    async def play(self, to: int) -> tuple[int, np.ndarray]:
        """Advance and decode: tick of the first sample, and 2 x n floats."""
        self.track.advance(to)
        # The encoder gives a frame out when the one after the next is in.
        last = (to // AAC_TICKS - 3) * AAC_TICKS
        await self.until(lambda: bool(self.samples) and self.samples[-1].start >= last)
        self.track.close()
        await until_ended(self.track._worker._thread)
        context = av.CodecContext.create("aac", "r")
        context.extradata = self.track.configs["a128"].audio_specific_config
        blocks = []
        for sample in self.samples:
            blocks += [frame.to_ndarray() for frame in context.decode(av.Packet(sample.data))]
        return self.samples[0].start, np.concatenate(blocks, axis=1)


def level(pcm: np.ndarray, begin_s: float, end_s: float) -> float:
    piece = pcm[0, int(begin_s * RATE) : int(end_s * RATE)]
    return float(np.sqrt(np.mean(piece**2)))


async def test_a_click_is_heard_within_a_millisecond_of_its_time() -> None:
    listener = Listener()
    start = 90_123
    pcm = np.zeros((2, RATE))
    pcm[:, 24_000:24_010] = 0.9
    # PCM A-law has no delay of its own, so the packet's time is the click's.
    packets = encode("pcm_alaw", pcm[:, ::6], 8000, "mono", 160)
    for index, packet in enumerate(packets):
        listener.track.push("pcma", packet, start + index * 1800)
    first, heard = await listener.play(3 * TICKS)
    click = first / TICKS + int(np.abs(heard[0]).argmax()) / RATE
    assert abs(click - (start / TICKS + 0.5)) < 0.001


async def test_frames_stand_on_one_grid_from_the_start() -> None:
    listener = Listener(start=1_000_001)
    await listener.play(1_000_001 + 2 * TICKS)
    starts = [sample.start for sample in listener.samples]
    assert starts[0] == -(-1_000_001 // AAC_TICKS) * AAC_TICKS
    assert set(np.diff(starts)) == {AAC_TICKS}
    assert all(sample.sync for sample in listener.samples)
    assert listener.track.configs["a128"].codecs == "mp4a.40.2"
    assert listener.track.configs["a128"].audio_specific_config


async def test_nothing_in_gives_silence() -> None:
    listener = Listener()
    _, heard = await listener.play(TICKS)
    assert np.abs(heard).max() < 1e-4


async def test_jitter_of_packets_makes_no_hole() -> None:
    listener = Listener()
    jitter = np.random.default_rng(1).integers(-900, 900, 100)
    for index, packet in enumerate(opus(tone(2))):
        listener.track.push("opus", packet, TICKS // 2 + index * 1800 + int(jitter[index]))
    _, heard = await listener.play(3 * TICKS)
    wave = heard[0, 33_600:110_400]
    envelope = np.abs(wave).reshape(-1, 240).max(axis=1)
    assert envelope.min() > 0.12
    assert np.abs(np.diff(wave)).max() < 0.05


async def test_a_lost_packet_is_concealed_and_a_long_gap_is_silent() -> None:
    listener = Listener()
    for index, packet in enumerate(opus(tone(2))):
        if index != 30 and not 60 <= index < 80:
            listener.track.push("opus", packet, index * 1800)
    _, heard = await listener.play(2 * TICKS)
    assert level(heard, 0.605, 0.618) > 0.1
    assert level(heard, 1.25, 1.55) < 1e-3
    assert level(heard, 1.7, 1.9) > 0.15
    assert listener.track.counters["sound_concealed_total"] == 1
    assert np.abs(np.diff(heard[0, 2000:])).max() < 0.08


async def test_sound_that_lies_beside_its_place_is_drawn_there() -> None:
    """10 ms off, as when the first sender report comes in: 4 ms a second, without a seam."""
    listener = Listener()
    packets = opus(tone(6))
    for index, packet in enumerate(packets):
        listener.track.push("opus", packet, index * 1800 + (900 if index >= 25 else 0))
    await listener.until(lambda: listener.track._worker.depth == 0 and listener.track._worker.lag == 0)
    end = listener.track._end
    assert end is not None
    assert abs(end - (len(packets) * 960 + 480)) < RATE * 3 // 1000
    _, heard = await listener.play(6 * TICKS)
    assert np.abs(np.diff(heard[0, 2000:])).max() < 0.05


@pytest.mark.parametrize("speed", [1.05, 0.95])
async def test_a_source_that_catches_up_is_heard_without_a_seam(speed: float) -> None:
    listener = Listener()
    for index, packet in enumerate(opus(tone(4))):
        listener.track.push("opus", packet, round(index * 1800 / speed))
    _, heard = await listener.play(3 * TICKS)
    wave = heard[0, RATE : RATE + 380 * 240]
    assert np.abs(wave).reshape(-1, 240).max(axis=1).min() > 0.25
    assert np.abs(np.diff(wave)).max() < 0.03
    rising = np.flatnonzero((wave[:-1] < 0) & (wave[1:] >= 0))
    assert (len(rising) - 1) / (rising[-1] - rising[0]) * RATE == pytest.approx(440 * speed, rel=0.005)
    assert listener.track.counters["sound_concealed_total"] == 0


async def test_a_source_may_change_its_channels() -> None:
    listener = Listener()
    stereo = tone(1)
    stereo[1] = 0
    packets = opus(stereo) + opus(tone(1), "mono")
    for index, packet in enumerate(packets):
        listener.track.push("opus", packet, index * 1800)
    _, heard = await listener.play(2 * TICKS)
    assert np.abs(heard[1, int(0.3 * RATE) : int(0.9 * RATE)]).max() < 0.02
    assert level(heard, 1.2, 1.8) > 0.15
    assert level(heard[::-1], 1.2, 1.8) > 0.15


@pytest.mark.parametrize(("codec", "encoder", "rate"), [("pcmu", "pcm_mulaw", 8000), ("g722", "g722", 16_000)])
async def test_telephone_codecs_are_heard_in_both_ears(codec: str, encoder: str, rate: int) -> None:
    listener = Listener()
    wave = tone(1)[:, :: RATE // rate]
    for index, packet in enumerate(encode(encoder, wave, rate, "mono", rate // 50)):
        listener.track.push(codec, packet, index * 1800)
    _, heard = await listener.play(TICKS)
    assert level(heard, 0.2, 0.8) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)
    assert np.allclose(heard[0], heard[1], atol=0.01)


async def test_one_encoder_runs_through_takes_without_a_click() -> None:
    listener = Listener()
    for index, packet in enumerate(opus(tone(1.5, 300))):
        listener.track.push("opus", packet, index * 1800)
    listener.track.reset(TICKS)
    for index, packet in enumerate(opus(tone(1, 500))):
        listener.track.push("opus", packet, TICKS + 450 + index * 1800)
    _, heard = await listener.play(2 * TICKS)
    assert set(np.diff([s.start for s in listener.samples])) == {AAC_TICKS}
    spectrum = np.abs(np.fft.rfft(heard[0, int(1.2 * RATE) : int(1.9 * RATE)]))
    assert abs(int(spectrum.argmax()) / 0.7 - 500) < 5
    assert np.abs(np.diff(heard[0, 2000:])).max() < 0.05


async def test_sound_that_comes_too_late_is_counted_and_not_heard() -> None:
    listener = Listener()
    listener.track.advance(TICKS)
    for index, packet in enumerate(opus(tone(0.5))):
        listener.track.push("opus", packet, index * 1800)
    listener.track.push("opus", b"\xff\xff\xff", TICKS)
    _, heard = await listener.play(2 * TICKS)
    assert np.abs(heard).max() < 1e-3
    assert listener.track.counters["sound_late_total"] == 25
    assert listener.track.counters["sound_errors_total"] == 1


async def test_gain_and_meter() -> None:
    meter = LoudnessMeter()
    listener = Listener(meter=meter)
    for index, packet in enumerate(opus(tone(2, 1000, level=1 / np.sqrt(2) * 0.9))):
        listener.track.push("opus", packet, index * 1800, SourceOrder("main", gain_db=-20))
    await listener.play(2 * TICKS)
    assert meter.reading.short_term == pytest.approx(-3.9 - 20, abs=1.5)
    incoming = listener.track.incoming
    assert incoming is not None
    assert incoming.momentary == pytest.approx(-3.9, abs=1.5)


async def test_a_mute_holds_for_sound_that_is_not_encoded_yet_and_makes_no_click() -> None:
    listener = Listener()
    for index, packet in enumerate(opus(tone(1))):
        # The order comes with the packet of 600 ms, while all sound after 400 ms waits.
        order = SourceOrder("main", mute=index >= 30)
        assert listener.track.push("opus", packet, index * 1800, order)
        if index == 29:
            listener.track.advance(to=400 * 90)
    _, pcm = await listener.play(90_000)
    assert level(pcm, 0.1, 0.38) > 0.15
    assert np.abs(pcm[:, int(0.43 * RATE) :]).max() < 0.005
    assert np.abs(np.diff(pcm[0, int(0.05 * RATE) :])).max() < 0.06


async def test_measures_of_what_comes_in_end_with_the_take() -> None:
    listener = Listener()
    for index, packet in enumerate(opus(tone(0.3))):
        listener.track.push("opus", packet, index * 1800, SourceOrder("main", mono=True))
    await listener.until(lambda: listener.track.incoming is not None)
    listener.track.reset(TICKS)
    await listener.until(lambda: listener.track.incoming is None)
    listener.track.close()


def test_the_silent_opus_frame_is_silent() -> None:
    block = SoundDecoder("opus").decode(OPUS_SILENCE)
    assert block.shape == (2, 960)
    assert not np.any(block)
