"""Faults of sound, put into the samples before they are encoded. Severities: ``under`` its threshold, ``plain``,
``strong``.

A fault takes 2 x n floats that begin where it begins, and gives as many back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from streamer.media.audio import SoundDecoder
from streamer.media.meters import LoudnessMeter
from tests.day_of_troubles.recordings import RATE

Stereo = NDArray[np.float32]
Fault = Callable[[Stereo, np.random.Generator, str], Stereo]

SEVERITIES = ("under", "plain", "strong")


def dead(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """The desk is muted, or a cable is pulled and its input's own noise stays. Under: two seconds of it."""
    out = sound.copy()
    end = 2 * RATE if severity == "under" else out.shape[1]
    noise = 0.0 if severity == "plain" else 10 ** (-92 / 20)
    out[:, :end] = rng.standard_normal((1, end)) * noise
    return out


def silent(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """A source that was silent from its first moment on: nobody knows its noise."""
    out = sound.copy()
    end = 12 * RATE if severity == "under" else out.shape[1]
    out[:, :end] = rng.standard_normal((1, end)) * (0.0 if severity == "strong" else 10 ** (-80 / 20))
    return out


def quiet(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    return _at_loudness(sound, {"under": -28.0, "plain": -34.0, "strong": -40.0}[severity])


def loud(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    wanted = {"under": -16.0, "plain": -11.5, "strong": -10.0}[severity]
    # A sender's limiter keeps the peaks from clipping.
    out = _at_loudness(sound, wanted)
    for _ in range(4):
        out = _at_loudness(_limited(out), wanted)
    return _limited(out)


def clipping(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """A desk's output is too high. Under: peaks that touch nothing."""
    if severity == "under":
        return _limited(_at_loudness(sound, -17.0))
    limit = 0.98 if severity == "strong" else 0.7
    drive = limit / np.percentile(np.abs(sound), 99) * 10 ** ({"plain": 6, "strong": 12}[severity] / 20)
    return np.clip(sound * drive, -limit, limit).astype(np.float32)


def one_channel(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    lost = int(rng.integers(2))
    out = sound.copy()
    out[lost] *= 10 ** ({"under": -10, "plain": -35, "strong": -200}[severity] / 20)
    return out


def polarity(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """Under: fifteen seconds of it, then nothing. Plain: with some of the other channel."""
    out = sound.copy()
    end = 15 * RATE if severity == "under" else out.shape[1]
    out[1, :end] = -out[0, :end]
    if severity == "plain":
        out[:, :end] += rng.standard_normal((2, end)).astype(np.float32) * 10 ** (-55 / 20)
    return out


def hum(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """A cable's shield is broken: the mains and its harmonics."""
    mains = float(rng.choice([50.0, 60.0])) + 0.1 * float(rng.standard_normal())
    times = np.arange(sound.shape[1]) / RATE
    tones = sum(np.sin(2 * np.pi * mains * k * times + rng.random() * 6) / k**0.7 for k in (1, 2, 3, 4, 5, 6, 7))
    level = {"under": -66.0, "plain": -46.0, "strong": -36.0}[severity]
    return (sound + tones / np.std(tones) * 10 ** (level / 20)).astype(np.float32)


def howl(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """Feedback grows until the loudspeaker's amplifier is at its end. Under: somebody ends it after eight seconds."""
    times = np.arange(sound.shape[1]) / RATE
    hertz = float(rng.uniform(400, 3500))
    top = {"under": -20.0, "plain": -20.0, "strong": -12.0}[severity]
    level = np.minimum(top, -70 + 12 * times)
    tone = np.sin(2 * np.pi * hertz * times) * 10 ** (level / 20)
    if severity == "under":
        tone[times > 12] = 0
    return np.clip(sound * 0.8 + tone, -1, 1).astype(np.float32)


def dropouts(sound: Stereo, rng: np.random.Generator, severity: str) -> Stereo:
    """A radio link breaks off in the middle of words. Under: twice in half a minute."""
    out = sound.copy()
    every_s = {"under": 18.0, "plain": 5.0, "strong": 2.5}[severity]
    level = np.sqrt(np.convolve(np.mean(sound, axis=0) ** 2, np.ones(RATE // 20) * 20 / RATE, "same"))
    at = RATE
    while at < sound.shape[1] - 2 * RATE:
        # It breaks off in a word, and comes back in one.
        length = int(RATE * rng.uniform(0.08, 0.5))
        loud = np.flatnonzero(level[at : at + 3 * RATE] > 0.5 * np.percentile(level, 90))
        begin = at + (int(loud[len(loud) // 3]) if loud.size else 0)
        out[:, begin : begin + length] = 0
        at = begin + int(every_s * RATE)
    return out


CODES = {"sound_dead_again": "sound_dead"}
"""Kind -> the code that must be told of it, where that is another."""
SOUND_FAULTS: dict[str, Fault] = {
    "sound_dead": dead,
    "sound_dead_again": dead,
    "sound_silent": silent,
    "sound_quiet": quiet,
    "sound_loud": loud,
    "sound_clipping": clipping,
    "sound_one_channel": one_channel,
    "sound_polarity": polarity,
    "sound_hum": hum,
    "sound_howl": howl,
    "sound_dropouts": dropouts,
}


def opus_packets(sound: Stereo, bitrate: int = 96_000) -> Iterator[bytes]:
    """Of 20 ms each."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "flt"
    encoder.bit_rate, encoder.time_base = bitrate, Fraction(1, RATE)
    for at in range(0, sound.shape[1] - 959, 960):
        block = np.ascontiguousarray(sound[:, at : at + 960].T.reshape(1, -1), np.float32)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = RATE, at
        yield from map(bytes, encoder.encode(frame))


def through_opus(sound: Stereo, bitrate: int = 96_000) -> Stereo:
    """As it comes out of the room's decoder, without the encoder's delay."""
    decoder = SoundDecoder("opus")
    return np.concatenate([decoder.decode(packet) for packet in opus_packets(sound, bitrate)], axis=1)


def loudness_of(sound: Stereo) -> float:
    meter = LoudnessMeter()
    meter.push(sound, 0)
    return meter.reading.integrated


def _at_loudness(sound: Stereo, lufs: float) -> Stereo:
    return (sound * 10 ** ((lufs - loudness_of(sound)) / 20)).astype(np.float32)


def _limited(sound: Stereo) -> Stereo:
    """Looks ahead by five milliseconds and turns down smoothly."""
    reach = RATE // 200
    peaks = np.abs(sound).max(axis=0)
    padded = np.pad(peaks, (reach, reach))
    highest = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)[:: reach // 4].max(axis=1)
    gains = np.minimum(1, 0.85 / np.maximum(highest, 1e-6))
    curve = np.interp(np.arange(peaks.size), np.arange(len(gains)) * (reach // 4), gains)
    kernel = np.hanning(reach)
    smooth = np.convolve(np.pad(curve, reach // 2, mode="edge"), kernel / kernel.sum(), "same")
    return (sound * smooth[reach // 2 : reach // 2 + peaks.size]).astype(np.float32)
