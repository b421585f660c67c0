"""A talk in a hall with a fault in its sound, or without one, and what the rules say of it in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from streamer.broadcast.measures import SoundMeasure
from streamer.broadcast.troubles import SourceJudge
from streamer.media.sound_analysis import SoundAnalysis
from tests.day_of_troubles import recordings as rec
from tests.day_of_troubles.faults import SOUND_FAULTS, Stereo, through_opus

PACKET = 960
BEFORE_S = 32.0
DURING_S = {
    "sound_dropouts": 36.0,
    "sound_clipping": 14.0,
    "sound_dead": 8.0,
    "sound_dead_again": 8.0,
    "sound_quiet": 40.0,
    "sound_loud": 40.0,
}
"""For levels it is long enough for ten seconds of voice: some of what the voices' folders hold is a tone."""
OTHERS_S = 30.0


@dataclass(slots=True)
class Told:
    """Code -> the time at which it was first told, seconds of the scene."""

    at_s: dict[str, float] = field(default_factory=dict)
    since_s: dict[str, float] = field(default_factory=dict)
    until_s: dict[str, float] = field(default_factory=dict)


def hall(rng: np.random.Generator, seconds: float, profile: str = "") -> Stereo:
    """A speaker as a room's microphone hears them: ``plain``, ``gated``, ``babble``, ``paused``, ``stereo``."""
    profile = profile or str(rng.choice(np.array(["plain", "gated", "babble", "stereo"])))
    pause_s = 4.0 if profile == "paused" else 0.5
    voice = rec.speech(rng, seconds, pause_s=pause_s)
    sound = rec.reverberant(voice, rng, rt60_s=float(rng.uniform(0.3, 0.9)), wet=float(rng.uniform(0.1, 0.35)))
    sound = sound + rec.ventilation(rng, seconds, float(rng.uniform(-55, -44)))
    if profile == "babble":
        sound = sound + rec.babble(rng, seconds, -46.0)
    if profile == "gated":
        sound = rec.gated(sound)
    if profile == "stereo":
        side = rec.reverberant(voice, rng, rt60_s=0.8, wet=0.4) - voice
        return np.stack((sound + side, sound - side)).astype(np.float32)
    return np.stack((sound, sound)).astype(np.float32)


def film(rng: np.random.Generator, seconds: float) -> Stereo:
    """A film as a mixer sends it: music and voices, which have a place and its noise, and no sound at all for some
    seconds between."""
    parts, size = [], 0
    while size < seconds * rec.RATE:
        length_s = float(rng.uniform(5, 15))
        part = rec.music(rng, length_s) if rng.random() < 0.5 else hall(rng, length_s, "plain")[0]
        parts += [part, np.zeros(int(rng.uniform(1, 5) * rec.RATE), np.float32)]
        size += parts[-2].size + parts[-1].size
    sound = np.concatenate(parts)[: int(seconds * rec.RATE)]
    return np.stack((sound, sound)).astype(np.float32)


def muted_before(rng: np.random.Generator, sound: Stereo, severity: str) -> Stereo:
    """Somebody has muted the microphone for some seconds, and opened it again; or, ``strong``, a film with silences was
    shown before. Then it has been well for long enough to be clear."""
    end = sound.shape[1] - int(rng.uniform(14, 24) * rec.RATE)
    if severity == "strong":
        shown = film(rng, 40.0)
        return np.concatenate((sound[:, : 25 * rec.RATE], shown, sound[:, 25 * rec.RATE :]), axis=1)
    sound[:, end - int(rng.uniform(3.4, 5.9) * rec.RATE) : end] = 0
    return sound


def with_fault(code: str, severity: str, seed: int) -> tuple[Stereo, float, float]:
    """The sound, and between which seconds the fault is there."""
    rng = np.random.default_rng([seed, len(code), sum(map(ord, code + severity))])
    before_s = {"sound_silent": 0.0, "sound_dead_again": 50.0}.get(code, BEFORE_S)
    during_s = DURING_S.get(code, OTHERS_S)
    # A gate hides the noise by which a dead microphone is told from a pause.
    profile = str(rng.choice(np.array(["plain", "babble", "stereo"]))) if code.startswith("sound_dead") else ""
    if code == "sound_polarity":
        profile = "plain"
    sound = hall(rng, before_s + during_s, profile)
    before, after = np.split(sound, [int(before_s * rec.RATE)], axis=1)
    if code == "sound_dead_again":
        before = muted_before(rng, before, severity)
        before_s = before.shape[1] / rec.RATE
    sound = np.concatenate((before, SOUND_FAULTS[code](after, rng, severity)), axis=1)
    return through_opus(sound, int(rng.choice([64_000, 96_000, 128_000]))), before_s, before_s + during_s


def measures_of(sound: Stereo, start_ms: int = 0) -> list[SoundMeasure]:
    analysis = SoundAnalysis()
    out: list[SoundMeasure] = []
    for at in range(0, sound.shape[1] - PACKET + 1, PACKET):
        out += analysis.push(sound[:, at : at + PACKET], start_ms + (at + PACKET) * 1000 // rec.RATE)
    return out


def told_of(measures: list[SoundMeasure], judge: SourceJudge | None = None) -> Told:
    judge = judge or SourceJudge()
    told = Told()
    for measure in measures:
        judge.sound(measure)
        now = {trouble.code: trouble for trouble in judge.troubles()}
        for code, trouble in now.items():
            if code not in told.at_s:
                told.at_s[code], told.since_s[code] = measure.at_ms / 1000, trouble.since_ms / 1000
        for code in told.at_s:
            if code not in now and code not in told.until_s:
                told.until_s[code] = measure.at_ms / 1000
    return told
