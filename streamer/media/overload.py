"""Sheds renditions when encoders are too slow, and restores them later. Pure.

First every second frame of the rung that is late is dropped, then the whole rung. A shed rung comes back after a time
that doubles with every relapse, so that a machine that is too small becomes stable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["full", "half", "closing", "off"]
"""``closing``: off from the next cut on."""

BEHIND_S = 0.25
"""A worker that is this late sheds."""
CALM_S = 0.08
"""A worker that is less late than this is fast enough."""
STUCK_S = 4.0
"""Half the frame rate has this long to help. A rung that goes costs every viewer a discontinuity, and frames are
dropped anyway when the delay would grow."""
RETRY_S = 10.0
"""The first wait before a shed rung comes back."""
RETRY_MAX_S = 160.0
RELAPSE_S = 60.0
"""Shedding again within this time after it came back doubles the wait."""


@dataclass(slots=True)
class _Rung:
    level: Level = "full"
    since: float = 0.0
    calm_since: float | None = None
    returned: float | None = None
    retry_s: float = RETRY_S

    def enter(self, level: Level, now: float) -> None:
        self.level, self.since, self.calm_since = level, now, None

    def relapse(self, now: float) -> None:
        if self.returned is not None and now - self.returned < RELAPSE_S:
            self.retry_s = min(self.retry_s * 2, RETRY_MAX_S)
        elif self.returned is not None:
            self.retry_s = RETRY_S
        self.returned = None


@dataclass(slots=True)
class ShedPolicy:
    """Decides for the encoded rungs, the most expensive first. Times are monotonic seconds from the caller.

    At least one rung always stays: at half its frames, never without.
    """

    behind_s: float = BEHIND_S

    _rungs: dict[str, _Rung] = field(default_factory=dict)
    _calm_since: float | None = None
    """The time since which no worker was late."""

    def begin(self, names: Sequence[str], now: float) -> None:
        """The rungs that are encoded from now on, the most expensive first. Known rungs keep their state."""
        self._rungs = {name: self._rungs.get(name, _Rung(since=now)) for name in names}

    def level(self, name: str) -> Level:
        rung = self._rungs.get(name)
        return rung.level if rung else "full"

    @property
    def shedding(self) -> list[str]:
        """The rungs with less than the full rate, as in ``v720:half``, ``v480:off``."""
        return [
            f"{name}:{'half' if r.level == 'half' else 'off'}" for name, r in self._rungs.items() if r.level != "full"
        ]

    def observe(self, lags: Mapping[str, float], feed_lag: float, now: float) -> None:
        """``lags``: worker -> age of its oldest unfinished frame, seconds; ``feed_lag``: the decoder's, which becomes
        slow when the encoders take its processor."""
        worst = max([feed_lag, *lags.values()], default=0.0)
        if worst < CALM_S:
            self._calm_since = now if self._calm_since is None else self._calm_since
        else:
            self._calm_since = None
        for name, rung in self._rungs.items():
            lag = lags.get(name, 0.0)
            if lag > self.behind_s:
                self._behind(name, rung, now)
            elif lag < CALM_S and feed_lag < CALM_S:
                self._calm(rung, now)
            else:
                rung.calm_since = None
        if feed_lag > self.behind_s:
            self._relieve_feed(now)

    def at_cut(self, now: float) -> dict[str, bool]:
        """Rungs that change at the present segment boundary: name -> is on."""
        changed: dict[str, bool] = {}
        for name, rung in self._rungs.items():
            if rung.level == "closing":
                rung.enter("off", now)
                changed[name] = False
            elif rung.level == "off" and not changed and self._may_return(name, rung, now):
                # On trial at half the rate; one rung at a time.
                rung.enter("half", now)
                rung.returned = now
                changed[name] = True
        return changed

    def restore(self, name: str, now: float) -> bool:
        """The rung goes on without encoding (slate, passed through). True if it was off."""
        rung = self._rungs.get(name)
        if rung is None or rung.level not in ("off", "closing"):
            return False
        was_off = rung.level == "off"
        rung.enter("half", now)
        rung.returned = now
        return was_off

    def _behind(self, name: str, rung: _Rung, now: float) -> None:
        rung.calm_since = None
        if rung.level == "full":
            rung.relapse(now)
            rung.enter("half", now)
        elif rung.level == "half" and now - rung.since >= STUCK_S:
            self._close_one(name, now)

    def _close_one(self, name: str, now: float) -> None:
        """Shed ``name``. If it is the last and cheapest, shed a more expensive one instead, whose processor time it
        needs."""
        active = [n for n, r in self._rungs.items() if r.level in ("full", "half")]
        if len(active) <= 1:
            return
        victim = self._rungs[name if name != active[-1] else active[0]]
        victim.relapse(now)
        victim.enter("closing", now)

    def _relieve_feed(self, now: float) -> None:
        active = [(n, r) for n, r in self._rungs.items() if r.level in ("full", "half")]
        for _, rung in active:
            if rung.level == "full":
                rung.relapse(now)
                rung.enter("half", now)
                return
        if len(active) > 1 and all(now - rung.since >= STUCK_S for _, rung in active):
            self._close_one(active[0][0], now)

    def _calm(self, rung: _Rung, now: float) -> None:
        if rung.calm_since is None:
            rung.calm_since = now
        elif rung.level == "half" and now - rung.calm_since >= rung.retry_s:
            rung.enter("full", now)
            rung.returned = now

    def _may_return(self, name: str, rung: _Rung, now: float) -> bool:
        return (
            now - rung.since >= rung.retry_s
            and self._calm_since is not None
            and now - self._calm_since >= rung.retry_s / 2
            # The cheaper ones come first.
            and all(r.level != "off" for n, r in list(self._rungs.items())[list(self._rungs).index(name) + 1 :])
        )


@dataclass(slots=True)
class FrameGate:
    """Reduces a stream of frames to at most ``rate`` a second, evenly. Times are ticks."""

    rate: float
    _due: int | None = None

    def admits(self, start: int, *, always: bool = False) -> bool:
        """Whether the frame at ``start`` is taken; a frame that is taken ``always`` counts, too."""
        # Five per cent more, so that a source of exactly that rate with a fast clock loses nothing; two fifths earlier,
        # so that jitter costs nothing.
        period = int(90_000 / (self.rate * 1.05))
        due = self._due
        if due is not None and abs(start - due) > 10 * period:
            due = None
        if due is not None and not always and start + period * 2 // 5 < due:
            return False
        self._due = max(due or start, start) + period
        return True
