"""The parts of rules for troubles: a cause that lasts, a count of events, the level of voices, a learnt noise. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import log10

from streamer.broadcast.measures import BLOCK_MS, SILENT_DB, PictureMeasure, SoundMeasure

Details = Mapping[str, float | str | None]

EVENTS = 3
CLEAR_TIMES = 3
CLEAR_LEAST_S = 10.0

SILENT_PEAK_DB = -60.0
DEAD_BELOW_DB = 20.0
"""Sound this far below the source's own noise is no microphone's."""
DEADEST_DB = -100.0
"""A learnt noise below this less :data:`DEAD_BELOW_DB` tells nothing: there is a noise gate, or no room at all."""
LEVEL_PARTS = 4
SOFTER_LU = 2.0
"""The softest sentence of loud speech may be softer than the bound by so much."""
QUIET_LUFS, LOUD_LUFS, LEVEL_HYSTERESIS_LU = -30.0, -14.0, 2.0


@dataclass(slots=True)
class LastingCause:
    """One cause. :attr:`on` is whether its trouble is told."""

    on_ms: float
    leak: float | None = None
    """Good time takes away this many times as much bad time; None: all of it."""
    carry_ms: float = 0.0
    """For so long a cause that cannot be told goes on as it was."""
    on: bool = False
    since_ms: int = 0
    details: Details = field(default_factory=dict)
    _last: bool | None = None
    _untold_ms: float = 0.0
    _bad_ms: float = 0.0
    _good_ms: float = 0.0

    @property
    def bad(self) -> bool:
        """Whether it holds now, told or not yet."""
        return self._bad_ms > 0

    @property
    def clear_ms(self) -> float:
        return max(CLEAR_TIMES * self.on_ms, CLEAR_LEAST_S * 1000)

    def note(self, at_ms: int, bad: bool | None, step_ms: float, details: Details | None = None) -> None:
        """``step_ms``: the time for which ``bad`` holds until ``at_ms``. None: it cannot be told, time stands still."""
        if bad is None:
            self._untold_ms += step_ms
            if self._untold_ms > self.carry_ms or self._last is None:
                return
            bad = self._last
        else:
            self._last, self._untold_ms = bad, 0.0
        if bad:
            if not self._bad_ms and not self.on:
                self.since_ms = at_ms - round(step_ms)
            self.details = details if details is not None else self.details
            self._bad_ms += step_ms
            # Chance shows a cause now and then that words hide now and then.
            self._good_ms = 0.0 if self.leak is None else max(0.0, self._good_ms - step_ms / self.leak)
            self.on = self.on or self._bad_ms >= self.on_ms
            return
        if not self.on:
            self._bad_ms = 0.0 if self.leak is None else max(0.0, self._bad_ms - self.leak * step_ms)
            return
        self._good_ms += step_ms
        if self._good_ms >= self.clear_ms:
            self.reset()

    def reset(self) -> None:
        self.on, self._bad_ms, self._good_ms, self._last = False, 0.0, 0.0, None


@dataclass(slots=True)
class EventCount:
    """A cause of single events: :data:`EVENTS` of them within the window, none for three windows."""

    window_ms: float
    on: bool = False
    since_ms: int = 0
    details: Details = field(default_factory=dict)
    _times: deque[int] = field(default_factory=lambda: deque(maxlen=EVENTS))

    def note(self, at_ms: int, events: int) -> None:
        self._times.extend([at_ms] * min(events, EVENTS))
        if len(self._times) == EVENTS and self._times[-1] - self._times[0] <= self.window_ms and not self.on:
            self.on, self.since_ms = True, self._times[0]
        if self.on and at_ms - self._times[-1] >= max(CLEAR_TIMES * self.window_ms, CLEAR_LEAST_S * 1000):
            self.reset()

    def reset(self) -> None:
        self.on = False
        self._times.clear()


@dataclass(slots=True)
class VoicedLevel:
    """The mean loudness of the last ten seconds in which somebody spoke."""

    quiet: LastingCause
    loud: LastingCause
    loudness: float | None = None
    """LUFS; None before there was enough voice."""
    _blocks: deque[tuple[int, float]] = field(default_factory=deque)

    def note(self, at_ms: int, loudness: float, *, heard: bool) -> None:
        """A tenth of a second in which somebody speaks. ``heard``: it is no pause between two words."""
        self._blocks.append((at_ms, 10 ** (loudness / 10) if heard else 0.0))
        window = max(2, round(self.quiet.on_ms / BLOCK_MS))
        while len(self._blocks) > window:
            self._blocks.popleft()
        powers = [power for _, power in self._blocks]
        part = max(1, window // LEVEL_PARTS)
        parts = [[power for power in powers[at : at + part] if power] for at in range(0, window, part)]
        if len(powers) < window or not all(parts):
            return
        levels = [_decibels(sum(part) / len(part)) for part in parts]
        self.loudness = _decibels(sum(map(sum, parts)) / sum(map(len, parts)))
        # One shout is not loud, nor one whisper quiet: the whole window is.
        bound = QUIET_LUFS + (LEVEL_HYSTERESIS_LU if self.quiet.on else 0)
        self._judge(self.quiet, at_ms, max(levels) < bound)
        bound = LOUD_LUFS - (LEVEL_HYSTERESIS_LU if self.loud.on else 0)
        # Loud speech has a softer sentence now and then. In the oldest part there may be what was before.
        softest, *others = sorted(levels[1:])
        self._judge(self.loud, at_ms, min(self.loudness, levels[0], softest + SOFTER_LU, *others) > bound)

    def _judge(self, condition: LastingCause, at_ms: int, bad: bool) -> None:
        # The window is the on-time already.
        step_ms = condition.on_ms if bad and not condition.on else BLOCK_MS
        condition.note(at_ms, bad, step_ms, {"loudness": round(self.loudness or 0.0, 1)})
        if bad and condition.since_ms > self._blocks[0][0]:
            condition.since_ms = self._blocks[0][0]

    def reset(self) -> None:
        self._blocks.clear()
        self.loudness = None
        self.quiet.reset()
        self.loud.reset()


STILL_SHARE = 0.4
"""A still that is encoded again differs a little for a second after each key frame; a living camera nearly always."""
NEAR_MS = 1000
"""Noise is compared between pictures that are so near to each other: that of key frames alone is another."""
UNSEEN_MS = 7000
"""The picture may have moved between two that are further apart. A source that is not on the programme shows one every
five seconds."""
ALIVE_MS = 5000
"""Pictures so shortly before a movement were alive."""
CUT_LEVELS = 8.0
"""Most of the picture differs by so much: it is of another camera, whose noise is another."""
ALIVE_LEAST, ALIVE_MOST = 12, 240
ALIVE_QUANTILE = 0.25
STANDS_BELOW = 0.6
"""A picture that stands has less than this share of the source's own noise,"""
STANDS_LEVELS = 0.8
"""and less than so many levels of 255: an encoder with fewer bits takes noise away as well."""


class StillWindow:
    """Tells a picture that stands from an empty stage, whose camera makes noise. It learns that noise while somebody
    moves; before, a picture stands that hardly differs from the one before."""

    def __init__(self) -> None:
        self._seen: deque[tuple[int, bool]] = deque()
        self._alive: deque[float] = deque(maxlen=ALIVE_MOST)
        self._unproven: deque[float] = deque(maxlen=ALIVE_MOST)
        self._moved_ms: int | None = None
        self._floor: float | None = None

    def note(self, measure: PictureMeasure, window_ms: float, *, seen: bool = True) -> int | None:
        """The time since which the picture stands, if that is as long as the window; None if it does not. ``seen``:
        whether a movement could be seen."""
        at_ms, still = measure.at_ms, measure.still if seen else None
        if self._seen and at_ms - self._seen[-1][0] > UNSEEN_MS:
            self._seen.clear()
        near = bool(self._seen) and at_ms - self._seen[-1][0] <= NEAR_MS
        noise = measure.noise if near else None
        if seen and noise is not None:
            self._unproven.append(noise)
        if still is False:
            if noise is not None and noise >= CUT_LEVELS:
                self._forget()
            self._learn(at_ms)
            self._seen.clear()
        self._seen.append((at_ms, seen and self._stands(measure.still, noise)))
        while len(self._seen) > 2 and self._seen[1][0] <= at_ms - window_ms:
            self._seen.popleft()
        since_ms = self._seen[0][0]
        # The first one is where it came to stand.
        share = sum(stands for _, stands in self._seen) / max(1, len(self._seen) - 1)
        return since_ms if at_ms - since_ms >= window_ms and share >= STILL_SHARE else None

    def _forget(self) -> None:
        self._alive.clear()
        self._unproven.clear()
        self._floor = None

    def _learn(self, at_ms: int) -> None:
        if self._moved_ms is not None and at_ms - self._moved_ms <= ALIVE_MS:
            self._alive.extend(self._unproven)
        self._unproven.clear()
        self._moved_ms = at_ms
        if len(self._alive) >= ALIVE_LEAST:
            self._floor = sorted(self._alive)[int(ALIVE_QUANTILE * len(self._alive))]

    def _stands(self, still: bool | None, noise: float | None) -> bool:
        if self._floor is None or noise is None:
            return still is True
        return still is not False and noise < min(STANDS_BELOW * self._floor, STANDS_LEVELS)


LEARNING_BLOCKS = 200
"""A noise is known after twenty seconds."""
HALF_LIFE_BLOCKS = 1200
LOUDEST_NOISE_DB = -40.0
"""No hall's noise is louder; the softest moments of music are."""


class LearntNoise:
    """The level of a source's own noise: what its quietest moments have in the last minutes, dBFS."""

    def __init__(self) -> None:
        self._counts = [0.0] * 121
        """By level, one for each decibel from -120 to 0."""
        self._total = 0.0
        self._seen = 0
        self.level: float | None = None
        """None: it is not known yet, or there is none that a silence could be told from."""

    def note(self, measure: SoundMeasure) -> None:
        if self.dead(measure):
            return
        self._counts[min(120, max(0, round(measure.lowest + 120)))] += 1
        self._total += 1
        self._seen += 1
        if self._total > HALF_LIFE_BLOCKS:
            self._counts = [count / 2 for count in self._counts]
            self._total /= 2
        if self._seen >= LEARNING_BLOCKS and self._seen % 10 == 0:
            self.level = self._judge()

    def dead(self, measure: SoundMeasure) -> bool | None:
        """Whether the sound is less than the source's noise; None: it cannot be told."""
        return None if self.level is None else measure.level < self.level - DEAD_BELOW_DB

    def _judge(self) -> float | None:
        low, high = self._at(0.1), self._at(0.95)
        # Something was heard above it, so it is a microphone's; and it is not what a noise gate leaves.
        known = low > DEADEST_DB + DEAD_BELOW_DB and (high - low >= 12 or low > SILENT_PEAK_DB)
        return min(low, LOUDEST_NOISE_DB) if known else None

    def _at(self, share: float) -> float:
        left = share * self._total
        for index, count in enumerate(self._counts):
            left -= count
            if left <= 0:
                return index - 120.0
        return 0.0


PAUSE_MS, OWN_PAUSE_MS = 1000, 6000
"""A shorter silence is a break. A longer one did not end by itself: somebody ended it."""
LONGER_THAN_OWN = 1.5
NOTHING_DB = -100.0
"""A pulled cable leaves the noise of its input, which is louder. A player at rest, a noise gate and a mute leave less,
and nobody can tell them apart."""
LINE_PAUSE_MS = 3200
"""A silence of such a kind tells a dead microphone once it is half as long again as this."""
PLAYER_PAUSE_MS = 4000
"""A player that was heard to pause may pause for so long, and half as long again."""
STRETCH_BLOCKS = 200
LINE_BLOCKS = 100
"""Words leave a moment of the room's noise within ten seconds."""
LINE_WITHIN_DB = 4.0


class OwnPauses:
    """The silences that a source ended by itself: a player's between two tunes, a film's. A silence that is hardly
    longer than they were does not tell a dead microphone, nor the first one of a film that is shown after a talk.

    A microphone's line comes back to one noise between words, that of its room: a long silence with the same noise on
    both sides is none of a player's, and after twenty seconds of one noise there is a microphone again. Music has no
    such noise, and each place of a film has another.
    """

    def __init__(self) -> None:
        self._longest_ms = self._last_ms = self._silent_ms = 0
        self._waits_ms = 0.0
        self._before: float | None = None
        """The noise before the last silence, dBFS."""
        self._lowest: deque[float] = deque(maxlen=STRETCH_BLOCKS)
        """The quietest moment of each tenth of a second since then."""

    def note(self, dead: bool | None, lowest: float) -> tuple[bool | None, int]:
        """``dead``: whether a tenth of a second is less than the source's noise; ``lowest``: the level of its quietest
        moment, dBFS. Whether that tells a dead microphone (None: it cannot be told), and the time for which it holds,
        ms."""
        if not dead:
            if dead is False and self._silent_ms:
                self._ended()
            elif dead is False:
                self._lowest.append(lowest)
            self._silent_ms = 0
            return dead, BLOCK_MS
        if not self._silent_ms:
            longest_ms = max(self._longest_ms, self._last_own_ms())
            self._waits_ms = LONGER_THAN_OWN * (min(longest_ms, LINE_PAUSE_MS) if self._is_line() else longest_ms)
        if lowest < NOTHING_DB:
            self._waits_ms = max(self._waits_ms, LONGER_THAN_OWN * LINE_PAUSE_MS)
        before_ms = self._silent_ms
        self._silent_ms += BLOCK_MS
        if self._silent_ms < self._waits_ms:
            return None, BLOCK_MS
        # It was dead from its begin on.
        return True, BLOCK_MS if before_ms >= self._waits_ms else self._silent_ms

    def _ended(self) -> None:
        if self._silent_ms < PAUSE_MS:
            return
        self._longest_ms = max(self._longest_ms, self._last_own_ms())
        self._last_ms = self._silent_ms if self._silent_ms <= OWN_PAUSE_MS else 0
        self._before = _noise_of(list(self._lowest))
        self._lowest.clear()

    def _last_own_ms(self) -> int:
        """The part of the last silence that its source has made itself."""
        if not self._last_ms or _alike(self._before, _noise_of(list(self._lowest))):
            return min(self._last_ms, LINE_PAUSE_MS)
        return max(self._last_ms, PLAYER_PAUSE_MS)

    def _is_line(self) -> bool:
        """Whether there was one noise for twenty seconds, without a silence."""
        whole = list(self._lowest)
        return len(whole) == STRETCH_BLOCKS and _alike(*map(_noise_of, (whole[:LINE_BLOCKS], whole[LINE_BLOCKS:])))

    def interrupt(self) -> None:
        """A silence has no known length once nobody listens."""
        self._silent_ms = 0


def _noise_of(lowest: list[float]) -> float | None:
    """None: too little was heard. The very lowest lie in the edges of a silence, where a decoder lets sound fade."""
    return sorted(lowest)[3] if len(lowest) >= LINE_BLOCKS else None


def _alike(one: float | None, other: float | None) -> bool:
    return (
        one is not None
        and other is not None
        and max(one, other) <= LOUDEST_NOISE_DB
        and abs(one - other) <= LINE_WITHIN_DB
    )


def _decibels(power: float) -> float:
    return SILENT_DB if power <= 1e-12 else 10 * log10(power)
