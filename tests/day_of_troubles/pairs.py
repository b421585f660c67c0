"""Two faults at once: what is told in the end are their causes, by the order of causes, and nothing ever besides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from streamer.broadcast.measures import PictureMeasure, SoundMeasure
from streamer.broadcast.troubles import SourceJudge
from streamer.conference.alarm_memory import WAIT_MS, AlarmMemory, looked
from streamer.conference.alarms import Alarm, alarm_id
from streamer.director.room_troubles import WARNINGS
from tests.day_of_troubles import pictures, scenes
from tests.day_of_troubles.faults import SOUND_FAULTS, Stereo, through_opus
from tests.day_of_troubles.pictures import Scene
from tests.day_of_troubles.recordings import RATE
from tests.day_of_troubles.runs import BEFORE_PICTURE_S, within_s

SOURCE = "main"
LASTS_S = 40.0


@dataclass(frozen=True, slots=True)
class Pair:
    """``told``: what the crew is told of it in the end. ``later_s``: the second begins so long after the first."""

    first: str
    second: str
    told: tuple[str, ...]
    later_s: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.first} + {self.second}" + (f" after {self.later_s:.0f} s" if self.later_s else "")


PAIRS = (
    # A capture card without signal, and a camera and its microphone that hang together.
    Pair("picture_black", "sound_dead", ("picture_black",)),
    Pair("picture_flat", "sound_dead", ("picture_flat",)),
    Pair("picture_frozen", "sound_dead", ("picture_frozen",)),
    # A microphone that dies while the picture has long been black is another trouble.
    Pair("picture_black", "sound_dead", ("picture_black", "sound_dead"), later_s=15),
    Pair("sound_hum", "sound_dead", ("sound_dead",)),
    Pair("sound_clipping", "sound_one_channel", ("sound_clipping", "sound_one_channel")),
    Pair("sound_hum", "sound_one_channel", ("sound_hum", "sound_one_channel")),
    Pair("sound_quiet", "picture_dark", ("sound_quiet", "picture_dark")),
    Pair("sound_polarity", "picture_washed_out", ("sound_polarity", "picture_washed_out")),
    Pair("picture_black", "sound_loud", ("picture_black", "sound_loud"), later_s=15),
)


@dataclass(slots=True)
class PairRun:
    """``rung`` and ``told``: code -> seconds after its fault began, of each trouble as it was first told, and of what
    is told at the end."""

    name: str
    seed: int
    rung: list[str] = field(default_factory=list)
    told: dict[str, float] = field(default_factory=dict)
    wrong: str = ""


def run_pair(pair: Pair, seed: int) -> PairRun:
    found: list[SoundMeasure | PictureMeasure] = [*_sound(pair, seed), *_picture(pair, seed)]
    found.sort(key=lambda measure: measure.at_ms)
    begins = {pair.first: scenes.BEFORE_S, pair.second: scenes.BEFORE_S + pair.later_s}
    made, judge, memory = PairRun(pair.name, seed), SourceJudge(kind="camera"), AlarmMemory()
    known: set[str] = set()
    for measure in found:
        if isinstance(measure, SoundMeasure):
            judge.sound(measure)
        else:
            judge.picture(measure)
        memory = looked(memory, _alarms(judge), measure.at_ms, session="talk", on_programme=SOURCE)
        for episode in memory.episodes:
            code = episode.alarm.code
            if episode.id not in known:
                known.add(episode.id)
                made.rung.append(code)
            if code in begins:
                made.told.setdefault(code, measure.at_ms / 1000 - begins[code])
    last = {alarm.code for alarm in memory.told}
    made.told = {code: at_s for code, at_s in made.told.items() if code in last}
    limits = {code: within_s(code, found, begins[code]) + WAIT_MS / 1000 for code in pair.told}
    late = [code for code in pair.told if made.told.get(code, 0.0) > limits[code] + 0.11]
    if last != set(pair.told):
        made.wrong = f"not {', '.join(pair.told)}"
    elif len(known) > len(pair.told):
        made.wrong = f"{len(known)} rings of {len(pair.told)}"
    elif late:
        made.wrong = f"late: {', '.join(late)}"
    return made


def all_pairs(seeds: Sequence[int]) -> Iterator[PairRun]:
    for pair in PAIRS:
        for seed in seeds:
            yield run_pair(pair, seed)


def _alarms(judge: SourceJudge) -> list[Alarm]:
    return [
        Alarm(
            alarm_id(one.code, "hall", SOURCE),
            one.code,
            "warning" if one.code in WARNINGS else "alarm",
            one.since_ms,
            "technician",
            "talk",
            {"source": SOURCE},
        )
        for one in judge.troubles()
    ]


def _sound(pair: Pair, seed: int) -> list[SoundMeasure]:
    rng = np.random.default_rng([seed, 21, PAIRS.index(pair)])
    sound: Stereo = scenes.hall(rng, scenes.BEFORE_S + LASTS_S, "plain")
    for code, later_s in ((pair.first, 0.0), (pair.second, pair.later_s)):
        if code in SOUND_FAULTS:
            begin = int((scenes.BEFORE_S + later_s) * RATE)
            sound[:, begin:] = SOUND_FAULTS[code](sound[:, begin:], rng, "plain")
    return scenes.measures_of(through_opus(sound))


def _picture(pair: Pair, seed: int) -> list[PictureMeasure]:
    """The first of both may be one of the picture; the second is, where it begins with it."""
    code = next((one for one in (pair.first, pair.second) if one not in SOUND_FAULTS), "")
    if not code:
        return []
    shift_ms = round((scenes.BEFORE_S - BEFORE_PICTURE_S) * 1000)
    seconds = BEFORE_PICTURE_S + LASTS_S
    found = pictures.measures(Scene(), seconds, seed, code=code, severity="plain", begin_s=BEFORE_PICTURE_S)
    return [replace(measure, at_ms=measure.at_ms + shift_ms) for measure in found]
