"""The rules that judge measures of sound, picture and way: which trouble, since when, and until when. Pure.

A trouble is told when its cause held for the on-time, and until it was gone for three times as long, ten seconds at
least. Time comes with the measures alone, so that rules run on recorded measures as on living ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from streamer.broadcast.conditions import (
    SILENT_PEAK_DB,
    Details,
    EventCount,
    LastingCause,
    LearntNoise,
    OwnPauses,
    StillWindow,
    VoicedLevel,
)
from streamer.broadcast.measures import BLOCK_MS, SILENT_DB, PictureMeasure, SoundMeasure, WayMeasure

ON_TIMES_S: dict[str, float] = {
    "sound_dead": 3,
    "sound_silent": 15,
    "sound_quiet": 10,
    "sound_loud": 10,
    "sound_clipping": 10,
    "sound_one_channel": 20,
    "sound_polarity": 20,
    "sound_hum": 20,
    "sound_howl": 20,
    "sound_dropouts": 30,
    "picture_broken": 5,
    "picture_black": 3,
    "picture_flat": 3,
    "picture_frozen": 10,
    "picture_dark": 20,
    "picture_washed_out": 20,
    "frames_few": 10,
    "keyframes_rare": 30,
    "upload_weak": 3,
    "encoder_slow": 5,
}
"""Code -> on-time, seconds. For ``sound_clipping`` and ``sound_dropouts`` the window of :data:`.conditions.EVENTS`
events, for ``sound_quiet`` and ``sound_loud`` of voiced sound."""
LEAKS = {"sound_hum": 0.4, "sound_howl": 1.0, "sound_one_channel": 2.0, "sound_polarity": 2.0}
"""Causes that words hide now and then: good time takes away this many times as much bad time, not all of it."""
CARRIES_MS = {"sound_one_channel": 3000.0, "sound_polarity": 3000.0}
"""Pauses of which nobody can tell, ms."""

ALIVE_WITHIN_DB = 10.0
HEARD_OVER_DB = 6.0
JUDGED_DB, JUDGED_OVER_DB = -50.0, 10.0
"""Channels are compared while the louder one is above this, and so far above the noise."""
BALANCE_DB, BALANCE_CLEAR_DB = 20.0, 14.0
MID_DB, MID_CLEAR_DB = -9.0, -6.0
HUM_DB, HUM_CLEAR_DB = -55.0, -58.0
HOWL_DB = -45.0
LINES_LAST_MS = 4000
"""A hum or a tone that is found has lasted for so long already."""
HIDDEN_MS = 3000
"""Words may hide a hum for so long."""
TONE_WITHIN_HZ = 6.0
VOICE_FRESH_MS = 10_000
"""Breaks and a hum hide the voice in which they are."""
DARK, DARK_CLEAR = 0.10, 0.13
DARK_BRIGHTEST = 0.45
PALE_CONTRAST, PALE_CLEAR = 0.22, 0.27
BLACK = 0.05
FLAT_DEVIATION = 0.008
FEW_FRAMES, FEW_FRAMES_CLEAR = 12.0, 15.0
RARE_KEYFRAMES_S = 4.5
LOST, LOST_CLEAR = 0.03, 0.01
JITTER_MS, JITTER_CLEAR_MS = 100.0, 60.0
QUEUED_MS, QUEUED_CLEAR_MS = 120.0, 80.0
"""More is sent than the way takes. Soon its queue is full, and packets are lost."""
ROUND_TRIP_MS, ROUND_TRIP_CLEAR_MS = 600.0, 400.0
STARVED = 0.7
"""Video below this share of the least that was asked for."""
NO_PACKETS_MS = 1000
"""A browser with DTX sends every 400 ms."""
LONGEST_STEP_MS = 5000


@dataclass(frozen=True, slots=True)
class FoundTrouble:
    code: str
    since_ms: int
    details: Details = field(default_factory=dict)


class SourceJudge:
    """Judges the measures of one source (or of the programme) in the order of their times.

    ``kind``: ``camera``, ``slides``, ``mixed`` or "" (unknown). ``suppressed``: its sender suppresses noise, so that
    only a lack of packets says that a microphone is dead.
    """

    def __init__(self, on_times: Mapping[str, float] = {}, *, kind: str = "", suppressed: bool = False) -> None:
        seconds = {**ON_TIMES_S, **{code: value for code, value in on_times.items() if code in ON_TIMES_S}}
        self.kind, self.suppressed = kind, suppressed
        self.noise = LearntNoise()
        self._pauses = OwnPauses()
        self.heard_ms: int | None = None
        self.voice_ms: int | None = None
        self.moved_ms: int | None = None
        events = ("sound_clipping", "sound_dropouts")
        self._conditions = {
            code: LastingCause(value * 1000, LEAKS.get(code), CARRIES_MS.get(code, 0.0))
            for code, value in seconds.items()
            if code not in events
        }
        self._events = {code: EventCount(seconds[code] * 1000) for code in events}
        self._voiced = VoicedLevel(self._conditions["sound_quiet"], self._conditions["sound_loud"])
        self._tone_hz = 0.0
        self._hum_ms = 0
        """When a hum was found last."""
        self._stills = StillWindow()
        self._sound_ms: int | None = None
        self._picture_ms: int | None = None
        self._way_ms: int | None = None
        self._picture_bad: dict[str, bool] = {}

    def follow(self, on_times: Mapping[str, float], *, kind: str, suppressed: bool) -> None:
        """Other settings from now on. What was learnt and told stays."""
        self.kind, self.suppressed = kind, suppressed
        for code, seconds in ON_TIMES_S.items():
            wanted = on_times.get(code, seconds) * 1000
            if code in self._events:
                self._events[code].window_ms = wanted
            else:
                self._conditions[code].on_ms = wanted

    @property
    def loudness(self) -> float | None:
        """LUFS over the last voiced sound."""
        return self._voiced.loudness

    def troubles(self) -> list[FoundTrouble]:
        """The troubles to tell now."""
        told: dict[str, LastingCause | EventCount] = {**self._conditions, **self._events}
        return [FoundTrouble(code, one.since_ms, one.details) for code, one in told.items() if one.on]

    # --- sound -------------------------------------------------------------------------------------

    def sound(self, measure: SoundMeasure, *, level_judged: bool = True) -> None:
        """``level_judged``: whether too quiet and too loud are judged here, not after gain."""
        at_ms, step_ms = measure.at_ms, BLOCK_MS
        self._sound_ms = at_ms
        dead = self.noise.dead(measure)
        self.noise.note(measure)
        if dead is None and measure.level > SILENT_PEAK_DB:
            dead = False
        dead, dead_ms = self._pauses.note(False if self.suppressed and dead else dead, measure.lowest)
        self._note("sound_dead", at_ms, dead, dead_ms, level=measure.level)
        self._note("sound_silent", at_ms, self._is_silent(measure), step_ms, level=measure.level)
        noise = self.noise.level
        heard = measure.level > (SILENT_PEAK_DB if noise is None else noise + HEARD_OVER_DB)
        if heard:
            self.heard_ms = at_ms
        howls = measure.tone_db > HOWL_DB
        if measure.voice:
            self.voice_ms = at_ms
            if level_judged and not howls:
                self._voiced.note(at_ms, measure.loudness, heard=heard)
        self._events["sound_clipping"].note(at_ms, 0 if howls else measure.clips)
        speaks = self.voice_ms is not None and at_ms - self.voice_ms <= VOICE_FRESH_MS
        # Without a voice it may be a beep's end, or music.
        self._events["sound_dropouts"].note(at_ms, measure.dropouts if speaks else 0)
        self._channels(measure)
        self._tones(measure)
        self._leave_out_symptoms()

    def level(self, at_ms: int, loudness: float, peak: float, *, voice: bool) -> None:
        """The programme's own level of a tenth of a second, after gain."""
        self._sound_ms = at_ms
        self._note("sound_silent", at_ms, peak < SILENT_PEAK_DB, BLOCK_MS, level=peak)
        if voice:
            self._voiced.note(at_ms, loudness, heard=peak > SILENT_PEAK_DB)

    def _is_silent(self, measure: SoundMeasure) -> bool:
        noise = self.noise.level
        at_rest = noise is not None and measure.level > noise - ALIVE_WITHIN_DB
        return measure.peak < SILENT_PEAK_DB and not at_rest

    def _channels(self, measure: SoundMeasure) -> None:
        heard = measure.level > max(JUDGED_DB, (self.noise.level or SILENT_DB) + JUDGED_OVER_DB)
        one, polarity = self._conditions["sound_one_channel"], self._conditions["sound_polarity"]
        alone = measure.balance_db > (BALANCE_CLEAR_DB if one.on else BALANCE_DB)
        opposed = measure.mid_db < (MID_CLEAR_DB if polarity.on else MID_DB)
        at_ms = measure.at_ms
        self._note("sound_one_channel", at_ms, alone if heard else None, BLOCK_MS, difference_db=measure.balance_db)
        self._note("sound_polarity", at_ms, opposed if heard else None, BLOCK_MS, mono_db=measure.mid_db)

    def _tones(self, measure: SoundMeasure) -> None:
        hum = measure.hum_db > (HUM_CLEAR_DB if self._conditions["sound_hum"].on else HUM_DB)
        howl = measure.tone_db > HOWL_DB
        if howl and abs(measure.tone_hz - self._tone_hz) > TONE_WITHIN_HZ:
            # Another note: music moves, a howl stays where it is.
            self._tone_hz = measure.tone_hz
            if not self._conditions["sound_howl"].on:
                self._conditions["sound_howl"].reset()
        for code, bad, hertz, level in (
            ("sound_hum", hum, measure.hum_hz, measure.hum_db),
            ("sound_howl", howl, measure.tone_hz, measure.tone_db),
        ):
            condition, step_ms = self._conditions[code], float(BLOCK_MS)
            if bad and not condition.bad:
                step_ms = LINES_LAST_MS
            elif code == "sound_hum" and bad and not condition.on:
                # It was there all the time: words hid it, which was taken for good time. Music's lines come and go.
                hidden_ms, voice_ms = measure.at_ms - self._hum_ms - BLOCK_MS, self.voice_ms or 0
                hidden = hidden_ms <= HIDDEN_MS and measure.at_ms - voice_ms <= VOICE_FRESH_MS
                step_ms += hidden_ms * (1 + LEAKS[code]) if hidden else 0
            self._note(code, measure.at_ms, bad, step_ms, hertz=hertz, level=level)
        if hum:
            self._hum_ms = measure.at_ms

    # --- picture -----------------------------------------------------------------------------------

    def picture(self, measure: PictureMeasure) -> bool:
        """Whether the picture is none, black or flat: the next one is wanted soon."""
        at_ms = measure.at_ms
        step_ms = 0 if self._picture_ms is None else min(LONGEST_STEP_MS, max(0, at_ms - self._picture_ms))
        self._picture_ms = at_ms
        black = measure.brightest < BLACK
        flat = not black and measure.deviation < FLAT_DEVIATION
        if measure.still is False:
            self.moved_ms = at_ms
        camera = self.kind == "camera"
        dark = measure.mean < (DARK_CLEAR if self._conditions["picture_dark"].on else DARK)
        pale = measure.contrast < (PALE_CLEAR if self._conditions["picture_washed_out"].on else PALE_CONTRAST)
        found: dict[str, bool | None] = {
            "picture_black": black,
            "picture_flat": flat,
            # A dark theme and a pale photograph are no trouble of slides.
            "picture_dark": camera and not black and dark and measure.brightest < DARK_BRIGHTEST,
            "picture_washed_out": camera and not black and not flat and not dark and pale,
        }
        for code, bad in found.items():
            # A cause that the picture before did not show begins with this one.
            held_ms = step_ms if bad is None or bad == self._picture_bad.get(code, False) else 0
            if bad is not None:
                self._picture_bad[code] = bad
            self._note(code, at_ms, bad, held_ms, brightness=measure.mean)
        frozen = self._conditions["picture_frozen"]
        # In the dark, and behind haze, nothing is seen to move.
        since_ms = self._stills.note(measure, frozen.on_ms, seen=not (dark or (pale and not flat)))
        if not camera or since_ms is None:
            frozen.note(at_ms, False, step_ms)
        else:
            frozen.note(at_ms, True, step_ms if frozen.on else at_ms - since_ms, {"brightness": round(measure.mean, 3)})
        self._leave_out_symptoms()
        return black or flat

    # --- way ---------------------------------------------------------------------------------------

    def way(self, measure: WayMeasure) -> None:
        at_ms = measure.at_ms
        step_ms = 0 if self._way_ms is None else min(LONGEST_STEP_MS, max(0, at_ms - self._way_ms))
        self._way_ms = at_ms
        on = self._conditions["upload_weak"].on
        kbps, asked_kbps = measure.video_kbps, measure.asked_kbps
        # A camera that sends no picture at all is no weak upload.
        starved = bool(kbps) and kbps is not None and asked_kbps is not None and kbps < STARVED * asked_kbps
        bad = (
            measure.lost > (LOST_CLEAR if on else LOST)
            or measure.jitter_ms > (JITTER_CLEAR_MS if on else JITTER_MS)
            or measure.queued_ms > (QUEUED_CLEAR_MS if on else QUEUED_MS)
            or (measure.round_trip_ms or 0.0) > (ROUND_TRIP_CLEAR_MS if on else ROUND_TRIP_MS)
            or starved
        )
        self._note(
            "upload_weak",
            at_ms,
            bad,
            step_ms,
            lost=measure.lost,
            jitter_ms=measure.jitter_ms,
            queued_ms=measure.queued_ms,
            round_trip_ms=measure.round_trip_ms,
            video_kbps=measure.video_kbps,
        )
        self._note("picture_broken", at_ms, measure.broken > 0, step_ms, frames=float(measure.broken))
        few: bool | None = None
        if self.kind == "camera" and measure.frame_rate is not None:
            few = measure.frame_rate < (FEW_FRAMES_CLEAR if self._conditions["frames_few"].on else FEW_FRAMES)
        self._note("frames_few", at_ms, few, step_ms, frame_rate=measure.frame_rate)
        rare = None if measure.keyframe_s is None else measure.keyframe_s > RARE_KEYFRAMES_S
        self._note("keyframes_rare", at_ms, rare, step_ms, keyframe_s=measure.keyframe_s)
        self._leave_out_symptoms()

    def encoder(self, at_ms: int, step_ms: float, shedding: str) -> None:
        """``shedding``: the renditions whose encoders on this server do not open or keep up; "" none."""
        self._note("encoder_slow", at_ms, bool(shedding), step_ms, renditions=shedding or None)

    # --- nothing -----------------------------------------------------------------------------------

    def no_packets(self, at_ms: int, *, sound_ms: int | None, picture_ms: int | None) -> None:
        """The times of the last packets; None: such a track never sent any. Where neither comes the source is gone, and
        that is another's to tell."""
        if at_ms - max(sound_ms or 0, picture_ms or 0) >= NO_PACKETS_MS:
            # Of this time nothing is told once one of them comes back before the other.
            self._sound_ms = self._picture_ms = at_ms
            return
        if sound_ms is not None and at_ms - sound_ms >= NO_PACKETS_MS:
            before = max(sound_ms, self._sound_ms or 0)
            self._sound_ms = at_ms
            self._note("sound_dead", at_ms, True, at_ms - before, level=SILENT_DB)
        elif (
            sound_ms is not None
            and at_ms - (self._sound_ms or 0) > NO_PACKETS_MS
            and self._conditions["sound_dead"].bad
        ):
            # Packets come again, and nobody listens to them.
            self._note("sound_dead", at_ms, False, BLOCK_MS)
        if picture_ms is not None and at_ms - picture_ms >= NO_PACKETS_MS and self.kind == "camera":
            before = max(picture_ms, self._picture_ms or 0)
            self._picture_ms = at_ms
            self._note("picture_frozen", at_ms, True, at_ms - before)

    def unheard(self) -> None:
        """The source is not listened to any more."""
        for code, condition in self._conditions.items():
            if code.startswith("sound_"):
                condition.reset()
        for count in self._events.values():
            count.reset()
        self._voiced.reset()
        self._pauses.interrupt()

    def gone(self) -> None:
        """The source is gone, or another sender feeds it: nothing is told of it, and nothing is known."""
        self.unheard()
        for condition in self._conditions.values():
            condition.reset()
        self.noise, self._pauses = LearntNoise(), OwnPauses()
        self._picture_bad.clear()
        self._stills = StillWindow()
        self._sound_ms = self._picture_ms = self._way_ms = None

    def _leave_out_symptoms(self) -> None:
        """While a cause is told, its symptoms have not even begun: they must not come up when it is over."""
        for cause, symptoms in _COVERS.items():
            if self._is_told(cause):
                for symptom in symptoms:
                    one = self._conditions.get(symptom) or self._events[symptom]
                    one.reset()

    def _is_told(self, code: str) -> bool:
        return (self._conditions.get(code) or self._events[code]).on

    def _note(self, code: str, at_ms: int, bad: bool | None, step_ms: float, **details: float | str | None) -> None:
        rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in details.items()}
        self._conditions[code].note(at_ms, bad, step_ms, rounded if bad else None)


_COVERS = {
    "sound_dead": ("sound_silent", "sound_quiet", "sound_one_channel", "sound_hum", "sound_dropouts"),
    "sound_silent": ("sound_quiet", "sound_one_channel"),
    "sound_howl": ("sound_loud", "sound_clipping", "sound_hum"),
    "sound_clipping": ("sound_loud",),
    "upload_weak": ("sound_dropouts", "picture_broken", "frames_few"),
    "picture_broken": (
        "picture_black",
        "picture_flat",
        "picture_frozen",
        "picture_dark",
        "picture_washed_out",
        "frames_few",
    ),
    "picture_black": ("picture_flat", "picture_frozen", "picture_dark", "frames_few"),
    "picture_flat": ("picture_frozen", "picture_washed_out", "frames_few"),
    "picture_frozen": ("frames_few",),
    "frames_few": ("keyframes_rare",),
}
"""Cause -> what it makes as well."""
