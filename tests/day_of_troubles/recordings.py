"""Recorded voices and music of Debian's packages for telephone exchanges, in a hall that is computed.

Nothing of them is committed; ``.ci/setup.sh`` installs them. Arrays are mono floats at 48 kHz, full scale 1.0.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Mono = NDArray[np.float32]

RATE = 48_000
SOUNDS = Path("/usr/share/asterisk/sounds")
MUSIC = Path("/usr/share/asterisk/moh")
VOICES = (
    "en_US_f_Allison",
    "es_MX_f_Allison",
    "fr_CA_f_June",
    "it_IT_m_Carlo",
    "ru_RU_f_IvrvoiceRU",
    "de",
    "es_CO_f_Avatar",
    "fr",
    "it_IT_f_Menardi",
)
"""Folders, a voice each: the packages asterisk-core-sounds-{en,es,fr,it,ru}-g722 and
asterisk-prompt-{de,es-co,fr-armelle,it-menardi}."""
LOW_CUT_HZ = 75.0
FORMATS = {".g722": "g722", ".gsm": "gsm", ".wav": "wav", ".alaw": "alaw"}


def are_there() -> bool:
    return len(voices()) >= 3 and bool(tunes())


@lru_cache(maxsize=1)
def voices() -> tuple[str, ...]:
    return tuple(name for name in VOICES if clips(name))


@lru_cache(maxsize=16)
def clips(voice: str) -> tuple[Path, ...]:
    """The longer half of what a voice says, each of them a few seconds."""
    found = [path for path in (SOUNDS / voice).rglob("*") if path.suffix in FORMATS and path.is_file()]
    found.sort(key=lambda path: (-path.stat().st_size, path.name))
    return tuple(found[: max(40, len(found) // 4)])


@lru_cache(maxsize=1)
def tunes() -> tuple[Path, ...]:
    return tuple(sorted(MUSIC.glob("*.wav")))


@lru_cache(maxsize=256)
def read(path: Path, seconds: float = 12.0, start: float = 0.0) -> Mono:
    resampler = av.AudioResampler("flt", "mono", RATE)
    found: list[NDArray[np.float32]] = []
    # Names of folders like "letters.wav" in other packages are no reason to guess: the suffix is the format.
    with av.open(str(path), format=FORMATS[path.suffix], options={}) as container:
        size = 0
        for frame in container.decode(audio=0):
            frame.pts = None
            for out in resampler.resample(frame):
                found.append(out.to_ndarray()[0].astype(np.float32))
                size += found[-1].size
            if size > (start + seconds) * RATE:
                break
    joined = np.concatenate(found) if found else np.zeros(0, np.float32)
    return joined[int(start * RATE) : int((start + seconds) * RATE)]


def speech(rng: np.random.Generator, seconds: float, voice: str | None = None, *, pause_s: float = 0.5) -> Mono:
    """Sentences of one voice with pauses between, at -23 LUFS or so while it speaks."""
    name = voice or str(rng.choice(np.array(voices())))
    out, size = [], 0
    paths = clips(name)
    while size < seconds * RATE:
        sentence = _without_mains(read(paths[int(rng.integers(len(paths)))]))
        if sentence.size < RATE // 2:
            continue
        pause = np.zeros(int(RATE * pause_s * (0.4 + 1.6 * rng.random())), np.float32)
        out += [at_level(sentence, -24.0), pause]
        size += sentence.size + pause.size
    return np.concatenate(out)[: int(seconds * RATE)]


def _without_mains(samples: Mono) -> Mono:
    """As behind a microphone's low cut. One voice was recorded with a hum of 50 Hz, another with one of 60 Hz, at -51
    and -56 dBFS where they speak at -24: the rules would name it, and rightly."""
    spectrum = np.fft.rfft(samples)
    spectrum[np.fft.rfftfreq(samples.size, 1 / RATE) < LOW_CUT_HZ] = 0
    return np.fft.irfft(spectrum, samples.size).astype(np.float32)


def music(rng: np.random.Generator, seconds: float) -> Mono:
    path = tunes()[int(rng.integers(len(tunes())))]
    return _filled(at_level(read(path, seconds, 10.0 + 20 * float(rng.random())), -22.0), seconds)


def at_level(samples: Mono, dbfs: float) -> Mono:
    """With this RMS level over its louder half."""
    loud = np.abs(samples)
    loud = loud[loud >= np.median(loud)]
    power = float(np.sqrt(np.mean(loud.astype(np.float64) ** 2))) / np.sqrt(2)
    return (samples * (10 ** (dbfs / 20) / max(power, 1e-9))).astype(np.float32)


def _filled(samples: Mono, seconds: float) -> Mono:
    size = int(seconds * RATE)
    return np.tile(samples, -(-size // max(1, samples.size)))[:size]


# --- the hall ---------------------------------------------------------------------------------------------


def reverberant(samples: Mono, rng: np.random.Generator, *, rt60_s: float = 0.6, wet: float = 0.25) -> Mono:
    """The response of a room: a decaying noise behind the direct sound."""
    length = int(RATE * rt60_s)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: RATE // 100] = 0
    tail *= wet / np.sqrt(np.sum(tail**2))
    size = 1 << int(np.ceil(np.log2(samples.size + length)))
    both = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)[: samples.size]
    return (samples + both).astype(np.float32)


def ventilation(rng: np.random.Generator, seconds: float, dbfs: float) -> Mono:
    """Noise that falls by 6 dB an octave above 100 Hz."""
    size = int(seconds * RATE)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / RATE)
    spectrum *= 1 / (1 + hertz / 100) * (hertz > 25)
    noise = np.fft.irfft(spectrum, size)
    return (noise * (10 ** (dbfs / 20) / noise.std())).astype(np.float32)


def babble(rng: np.random.Generator, seconds: float, dbfs: float, people: int = 6) -> Mono:
    total = np.sum([speech(rng, seconds, pause_s=0.2) for _ in range(people)], axis=0)
    return at_level(reverberant(total.astype(np.float32), rng, rt60_s=1.2, wet=0.8), dbfs)


def applause(rng: np.random.Generator, seconds: float, dbfs: float = -24.0) -> Mono:
    size = int(seconds * RATE)
    claps = (rng.random(size) < 120 / RATE).astype(np.float32) * rng.standard_normal(size).astype(np.float32)
    grain = rng.standard_normal(400) * np.exp(-np.arange(400) / 90)
    padded = 1 << int(np.ceil(np.log2(size + 400)))
    sound = np.fft.irfft(np.fft.rfft(claps, padded) * np.fft.rfft(grain, padded), padded)[:size]
    swell = np.minimum(1, np.minimum(np.arange(size), np.arange(size)[::-1]) / RATE)
    return at_level((sound * swell).astype(np.float32), dbfs)


def gated(samples: Mono, *, below_dbfs: float = -42.0, hold_s: float = 0.15, release_s: float = 0.1) -> Mono:
    """A noise gate: shut where nobody speaks, open at once, and slow to shut."""
    step = RATE // 200
    blocks = samples[: samples.size // step * step].reshape(-1, step)
    loud = 20 * np.log10(np.maximum(np.sqrt((blocks**2).mean(axis=1)), 1e-6)) > below_dbfs
    gains, gain, held = np.zeros(len(blocks) + 1), 0.0, 0
    for index, is_loud in enumerate(loud):
        held = int(hold_s * 200) if is_loud else max(0, held - 1)
        gain = 1.0 if held else max(0.0, gain - 1 / (release_s * 200))
        gains[index + 1] = gain
    curve = np.interp(np.arange(samples.size) / step, np.arange(len(gains)), gains)
    return (samples * curve).astype(np.float32)
