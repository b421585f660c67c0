"""Sources that are decoded and measured beside the programme, with encoded sound and pictures."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np

from streamer.broadcast.measures import PictureMeasure, SoundMeasure
from streamer.formats.types import AccessUnit
from streamer.media.sound_analysis import SoundAnalysis
from streamer.media.source_meters import SourceMeters
from streamer.media.voice import CHUNK, CYCLE_CHUNKS, HEARD_CHUNKS, VoiceDetector
from tests.day_of_troubles.pictures import Scene, encoded_pictures
from tests.fakes.waiting import until

RATE = 48_000


def opus(pcm: np.ndarray) -> list[AccessUnit]:
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "flt"
    encoder.bit_rate, encoder.time_base = 96_000, Fraction(1, RATE)
    units = []
    for at in range(0, pcm.shape[1] - 959, 960):
        block = np.ascontiguousarray(pcm[:, at : at + 960].T.reshape(1, -1), np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, at
        units += [
            AccessUnit("audio", "opus", bytes(packet), len(units) * 960, RATE, 0) for packet in encoder.encode(frame)
        ]
    return units


def tone(seconds: float, left: float, right: float) -> np.ndarray:
    wave = np.sin(2 * np.pi * 440 * np.arange(int(seconds * RATE)) / RATE)
    return np.stack((wave * left, wave * right)).astype(np.float32)


async def test_sound_is_measured_ten_times_a_second_with_the_times_of_its_packets() -> None:
    meters = SourceMeters(10_000_000)
    for number, unit in enumerate(opus(tone(1.0, 0.1, 0.001))):
        meters.sound("main", unit, 5000 + (number + 1) * 20)
    await until(lambda: meters._worker.idle)
    found = [measure for source, measure in meters.collect() if source == "main"]
    meters.close()
    assert all(isinstance(measure, SoundMeasure) for measure in found)
    assert [measure.at_ms for measure in found][:3] == [5100, 5200, 5300]
    last = found[5]
    assert isinstance(last, SoundMeasure)
    assert abs(last.level - -23.0) < 1.0
    assert last.balance_db > 25
    assert meters.collect() == []


def test_breaks_are_found_behind_a_decoder_that_lets_sound_fade_and_a_gate_that_shuts_slowly_is_none() -> None:
    def heard(gap: list[float]) -> int:
        """Levels of the steps of 10 ms in a gap of a tone at -20 dBFS, of which there are three."""
        levels = [*[-20.0] * 200, *([*gap, *[-20.0] * 100] * 3)]
        steps = np.repeat(10 ** (np.array(levels) / 20), RATE // 100)
        sound = tone(len(levels) / 100, 2**0.5, 2**0.5) * steps.astype(np.float32)
        return sum(measure.dropouts for measure in SoundAnalysis(voices=False).push(sound, 0))

    assert heard([-120.0] * 20) == 3
    assert heard([-56.0, -57.0, -58.5, -59.5, -61.0, *[-63.0] * 15]) == 3
    fade = [-31.0 - 1.5 * step for step in range(26)]
    assert heard(fade) == 3, "Opus after a tone"
    assert heard(fade[:14]) == 3
    assert heard([-29.0, -30.6, -32.0, -34.1, -35.3, -37.5, -39.6, -42.1]) == 0, "a syllable and its echo"
    assert heard([level + 2.5 * (number % 2) for number, level in enumerate(fade)]) == 0, "a hall's echo"
    assert heard([*fade, *reversed(fade)]) == 0
    assert heard([*[-55.0] * 15, *[-120.0] * 5]) == 0, "a gate that holds, and then shuts"
    assert heard([-30.0, -38.0, -46.0, -54.0, *[-120.0] * 16]) == 0


def test_a_closed_microphone_is_no_work_for_the_voice_detector() -> None:
    heard: list[int] = []

    class Model:
        def process_samples(self, samples: Sequence[float]) -> float:
            heard.append(len(samples))
            return 1.0

    detector = VoiceDetector()
    detector._model = Model()
    for peak, voice, chunks in ((0.0, False, 0), (1e-4, False, 0), (1e-2, True, HEARD_CHUNKS)):
        detector.push(np.full(CHUNK * CYCLE_CHUNKS, peak, np.float32))
        assert (detector.voice, len(heard)) == (voice, chunks)


def test_the_voice_detector_keeps_to_the_thread_that_calls_it() -> None:
    # In a process of its own, where no other thread begins or ends.
    script = """if True:
        import os
        from streamer.media.voice import CHUNK, load_model
        model, before = load_model(), os.listdir("/proc/self/task")
        model.process_samples([0.1] * CHUNK)
        print(len(os.listdir("/proc/self/task")) - len(before))
    """
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0"]


async def test_a_key_frame_of_a_source_that_nobody_shows_is_measured() -> None:
    meters = SourceMeters(10_000_000)
    units = encoded_pictures(Scene(), 0.5, 3)
    meters.key_frame("spare", AccessUnit("video", "h264", units[0], 0, 90_000, 0), 7000)
    meters.key_frame("spare", AccessUnit("video", "h264", b"\0\0\0\1\x65broken", 0, 90_000, 0), 7100)
    meters.sound("spare", AccessUnit("audio", "opus", b"", 0, RATE, 0), 7100)
    await until(lambda: meters._worker.idle)
    found = meters.collect()
    meters.close()
    assert [(source, measure.at_ms) for source, measure in found] == [("spare", 7000)]
    measure = found[0][1]
    assert isinstance(measure, PictureMeasure)
    assert measure.still is None
    assert 0.2 < measure.mean < 0.6
    assert measure.contrast > 0.4


async def test_a_busy_machine_measures_less_and_counts_it() -> None:
    meters = SourceMeters(10_000_000)
    unit = opus(tone(0.1, 0.1, 0.1))[0]
    for _ in range(4000):
        meters.sound("main", unit, 0)
    assert meters.dropped_total > 0
    meters.close()
