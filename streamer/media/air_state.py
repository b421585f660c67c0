"""An output's state: the slate, an awaited programme, the programme, or the end. Pure; ticks throughout.

    OnSlate -- awaited --> Pending -- reached --> OnAir -- left --> OnSlate
    any     -- Stopped() --> Stopped -- awaited, left --> as from OnSlate

``interval`` is the open one; None: the next segment opens it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from streamer.broadcast.programme import Interval


@dataclass(slots=True, frozen=True)
class OnSlate:
    interval: Interval | None = None


@dataclass(slots=True, frozen=True)
class Pending:
    """The slate goes on until a segment of the programme begins late enough."""

    not_before: int
    """The order's ``not_before``."""
    listed_to: int
    """The end of the listed segments at that time."""
    interval: Interval | None = None


@dataclass(slots=True, frozen=True)
class OnAir:
    interval: Interval | None = None


@dataclass(slots=True, frozen=True)
class Stopped:
    """No new media is listed any more except the missing parts of slower renditions."""

    interval: None = None


AirState = OnSlate | Pending | OnAir | Stopped


def awaited(state: AirState, *, not_before: int, listed_to: int) -> AirState:
    """The programme is ordered."""
    if isinstance(state, Pending | OnAir):
        return state
    return Pending(not_before, listed_to, state.interval)


def reached(state: AirState) -> AirState:
    """A segment of the programme is listed."""
    return OnAir() if isinstance(state, Pending) else state


def left(state: AirState) -> OnSlate:
    """The slate is ordered. An interval of the programme ends with it."""
    return OnSlate() if isinstance(state, OnAir) else OnSlate(state.interval)


def opened(state: AirState, interval: Interval) -> AirState:
    """A new interval holds every segment that is listed from now on."""
    return state if isinstance(state, Stopped) else replace(state, interval=interval)
