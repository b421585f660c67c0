"""Runs of one fault each, and clean hours, judged in virtual time."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import cycle

import numpy as np

from streamer.broadcast.measures import PictureMeasure, SoundMeasure
from streamer.broadcast.troubles import ON_TIMES_S, SourceJudge
from tests.day_of_troubles import pictures, scenes
from tests.day_of_troubles import recordings as rec
from tests.day_of_troubles.faults import CODES, SEVERITIES, SOUND_FAULTS, Stereo, through_opus
from tests.day_of_troubles.pictures import Scene

PICTURE_FAULTS = ("picture_black", "picture_flat", "picture_frozen", "picture_dark", "picture_washed_out")
KINDS = (*SOUND_FAULTS, *PICTURE_FAULTS)
BEFORE_PICTURE_S = 6.0
WITHIN_S = {"sound_dead": 5.0, "sound_dead_again": 5.0, "picture_black": 5.0}
GROWS_S = {"sound_howl": 2.5}
"""Feedback grows from nothing: it is there once it is above -45 dBFS."""
SLACK_S = 2.0
VOICED = ("sound_quiet", "sound_loud")
"""Their on-time is one of voiced sound."""
SENDER_MS = 30 * 60_000
"""The time until another speaker sends, in clean hours."""
CLEAN = ("plain", "gated", "babble", "paused", "stereo", "music", "applause", "questions", "film")

Measures = Sequence[SoundMeasure | PictureMeasure]


@dataclass(slots=True)
class Run:
    """One fault at one severity. Times are seconds after its beginning."""

    kind: str
    severity: str
    seed: int
    told_s: dict[str, float] = field(default_factory=dict)
    cleared_s: float | None = None
    """After its end."""
    within_s: float = 0.0
    wrong: str = ""
    """Why it did not pass; empty: it did."""

    @property
    def code(self) -> str:
        return CODES.get(self.kind, self.kind)


def play(measures: Iterable[SoundMeasure | PictureMeasure], judge: SourceJudge) -> Iterator[tuple[int, set[str]]]:
    """Times and what is told at them."""
    for measure in measures:
        if isinstance(measure, SoundMeasure):
            judge.sound(measure)
        else:
            judge.picture(measure)
        yield measure.at_ms, {trouble.code for trouble in judge.troubles()}


@lru_cache(maxsize=4)
def _clean_talk(seed: int) -> Measures:
    """Each fault of a seed is followed by the same one."""
    return scenes.measures_of(through_opus(scenes.hall(np.random.default_rng([seed, 9]), 20, "plain")))


def run(kind: str, severity: str, seed: int) -> Run:
    """A talk, a fault in it, and the same talk without it until the trouble clears."""
    if kind in SOUND_FAULTS:
        sound, begin_s, _ = scenes.with_fault(kind, severity, seed)
        found: Measures = scenes.measures_of(sound)
        clean = _clean_talk(seed)
        judge = SourceJudge()
    else:
        begin_s = BEFORE_PICTURE_S
        chance = np.random.default_rng([seed, 5])
        scene = Scene(float(chance.uniform(1, 4)), float(chance.uniform(6, 16)), bitrate=int(chance.uniform(3e5, 2e6)))
        seconds = begin_s + ON_TIMES_S[kind] + 6
        found = list(pictures.measures(scene, seconds, seed, code=kind, severity=severity, begin_s=begin_s))
        clean = list(pictures.measures(scene, 5, seed + 1))
        judge = SourceJudge(kind="camera")
    made = Run(kind, severity, seed, within_s=within_s(kind, found, begin_s))
    begin_ms, before = round(begin_s * 1000), set[str]()
    for at_ms, codes in play(found, judge):
        if made.code != kind and at_ms <= begin_ms:
            # A silence before is told as it is, and is over; a film may have told more.
            before = codes - {made.code}
            continue
        for code in codes - before:
            made.told_s.setdefault(code, (at_ms - begin_ms) / 1000)
    if severity != "under":
        _let_clear(made, clean, judge, found[-1].at_ms, before)
    made.wrong = _judge(made)
    return made


def within_s(kind: str, measures: Measures, begin_s: float) -> float:
    """The time within which it has to be named."""
    on_s = ON_TIMES_S[CODES.get(kind, kind)]
    if kind in VOICED:
        voiced = [m.at_ms for m in measures if isinstance(m, SoundMeasure) and m.voice and m.at_ms > begin_s * 1000]
        count = round(on_s * 10)
        on_s = voiced[count - 1] / 1000 - begin_s if len(voiced) >= count else on_s
    return WITHIN_S.get(kind, on_s + SLACK_S + GROWS_S.get(kind, 0.0))


def _let_clear(made: Run, clean: Measures, judge: SourceJudge, from_ms: int, before: set[str]) -> None:
    length_ms = clean[-1].at_ms
    for turn in range(-(-240_000 // length_ms)):
        shifted = [replace(measure, at_ms=measure.at_ms + from_ms + turn * length_ms) for measure in clean]
        for at_ms, codes in play(shifted, judge):
            if made.code not in codes:
                made.cleared_s = (at_ms - from_ms) / 1000
                return
            for code in codes - made.told_s.keys() - before:
                made.told_s[code] = made.told_s.get(made.code, 0.0)


def _judge(made: Run) -> str:
    if made.severity == "under":
        return "rings: " + ", ".join(made.told_s) if made.told_s else ""
    if made.code not in made.told_s:
        return "is not named" + (f", but {', '.join(made.told_s)}" if made.told_s else "")
    if len(made.told_s) > 1:
        return "rings besides: " + ", ".join(made.told_s.keys() - {made.code})
    if made.told_s[made.code] > made.within_s + 0.11:
        return f"late: {made.told_s[made.code]:.1f} s of {made.within_s:.1f}"
    return "" if made.cleared_s is not None else "does not clear"


def all_runs(kinds: Sequence[str], seeds: Sequence[int]) -> Iterator[Run]:
    for kind in kinds:
        for severity in SEVERITIES:
            for seed in seeds:
                yield run(kind, severity, seed)


# --- clean hours ------------------------------------------------------------------------------------------


def clean_sound(kind: str, seed: int, seconds: float) -> Stereo:
    rng = np.random.default_rng([seed, 11, CLEAN.index(kind)])
    if kind == "music":
        tune = rec.music(rng, seconds)
        return np.stack((tune, 0.8 * np.roll(tune, 400))).astype(np.float32)
    if kind == "film":
        return scenes.film(rng, seconds)
    if kind not in ("applause", "questions"):
        return scenes.hall(rng, seconds, kind)
    sound = scenes.hall(rng, seconds, "plain")
    begin, length = sound.shape[1] // 3, sound.shape[1] // 4
    noise = rec.ventilation(rng, length / rec.RATE, -50.0)
    if kind == "applause":
        sound[:, begin : begin + length] = noise + rec.applause(rng, length / rec.RATE)
    else:
        # A voice from the hall, after a pause; softer than -30 LUFS it would be quiet indeed.
        far = rec.at_level(rec.reverberant(rec.speech(rng, length / rec.RATE), rng, wet=0.9), -28.0)
        sound[:, begin : begin + length] = noise + far[:length]
    return sound


def clean_minutes(seeds: Sequence[int], seconds: float = 60.0) -> dict[tuple[str, int], list[SoundMeasure]]:
    """Measures of clean sound, each of them once through Opus."""
    return {
        (kind, seed): scenes.measures_of(through_opus(clean_sound(kind, seed, seconds)))
        for kind in CLEAN
        for seed in seeds
    }


def clean_pictures(seeds: Sequence[int], seconds: float = 30.0) -> list[list[PictureMeasure]]:
    """Measures of cameras without faults: somebody sways, and goes on so, hardly moves any more, or goes; noise and
    bitrate by chance."""
    found = []
    for seed in seeds:
        for number, motion in enumerate((12.0, 0.7, 0.0)):
            chance = np.random.default_rng([seed, 31, number])
            scene = Scene(float(chance.uniform(0.5, 5)), 12.0, bitrate=int(chance.uniform(2e5, 2e6)))
            parts = (scene, seconds / 4), (replace(scene, motion=motion), seconds * 3 / 4)
            looks = [look for part, length in parts for look in pictures.measures(part, length, seed * 10 + number)]
            # Another camera was shown before.
            found.append([replace(looks[0], still=False, noise=50.0), *looks[1:]])
    return found


def clean_hours(
    minutes: dict[tuple[str, int], list[SoundMeasure]],
    looks: Sequence[Sequence[PictureMeasure]],
    hours: float,
    seed: int,
) -> dict[str, int]:
    """Code -> how often it is told in so many hours of one room that has these minutes in random order, each a few
    times in a row, and a camera's pictures with them. Every half an hour another speaker sends: nothing is known of
    them."""
    rng, told = np.random.default_rng(seed), dict[str, int]()
    keys, at_ms, judge, ends_ms, before = sorted(minutes), 0, SourceJudge(), 0, set[str]()
    while at_ms < hours * 3_600_000:
        if at_ms >= ends_ms:
            judge, before, ends_ms = SourceJudge(kind="camera"), set[str](), ends_ms + SENDER_MS
        chosen = minutes[keys[int(rng.integers(len(keys)))]]
        seen = looks[int(rng.integers(len(looks)))]
        for _ in range(int(rng.integers(1, 5))):
            for _, codes in play(_together(chosen, seen, at_ms), judge):
                for code in codes - before:
                    told[code] = told.get(code, 0) + 1
                before = codes
            at_ms += chosen[-1].at_ms
    return told


def _together(
    sound: Sequence[SoundMeasure], seen: Sequence[PictureMeasure], from_ms: int
) -> Iterator[SoundMeasure | PictureMeasure]:
    """The sound from then on, with the pictures as often as they fit."""
    step_ms = 1000 // pictures.MEASURED_RATE
    looks = (
        replace(one, at_ms=from_ms + number * step_ms)
        for number, one in zip(range(sound[-1].at_ms // step_ms), cycle(seen), strict=False)
    )
    return heapq.merge((replace(m, at_ms=m.at_ms + from_ms) for m in sound), looks, key=lambda one: one.at_ms)
