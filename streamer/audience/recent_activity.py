"""Limits of how often one person may do something. Pure except :class:`RecentActivities`, which remembers."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from streamer.errors import TooMany

FLOOD_MESSAGES = 3
FLOOD_MS = 2_000
FIRST_PAUSE_MS = 2_000
LONGEST_PAUSE_MS = 60_000
FORGIVEN_MS = 60_000
"""After this quiet time the next pause is as short as the first."""
REPEAT_MS = 30_000
REMEMBERED = 8
"""The number of last texts that are compared."""
MOST_REMEMBERED = 20_000
REACTIONS = 10
REACTIONS_MS = 5_000
"""No more than :data:`REACTIONS` in this time."""


def refuse_later(message: str, code: str, wait_ms: int) -> TooMany:
    return TooMany(message, code=code, headers={"Retry-After": str(max(1, math.ceil(wait_ms / 1000)))})


@dataclass(slots=True)
class RecentActivity:
    """The recent activity of one participant."""

    sent_ms: deque[int] = field(default_factory=lambda: deque(maxlen=FLOOD_MESSAGES))
    texts: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    slow_ms: int | None = None
    """The time of their last message, for slow mode."""
    pauses: int = 0
    """Pauses for a flood, one soon after the other."""
    paused_until_ms: int = 0
    reactions: deque[int] = field(default_factory=lambda: deque(maxlen=REACTIONS))


class RecentActivities:
    """By participant; bounded: those that were quiet longest are forgotten first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._by_participant: OrderedDict[str, RecentActivity] = OrderedDict()

    def of(self, participant: str) -> RecentActivity:
        activity = self._by_participant.get(participant)
        if activity is None:
            activity = self._by_participant[participant] = RecentActivity()
            if len(self._by_participant) > self._most:
                self._by_participant.popitem(last=False)
        else:
            self._by_participant.move_to_end(participant)
        return activity

    def __len__(self) -> int:
        return len(self._by_participant)


def admit(activity: RecentActivity, text: str, now_ms: int, slow_seconds: int | None) -> None:
    """Accept one more text from a participant, or raise ``flood``, ``repeated`` or ``slow_mode`` with the time to wait.

    ``slow_seconds`` None: slow mode does not apply. A refused text does not count, but the refusal that begins a pause
    makes the next pause longer.
    """
    _check_pause(activity, now_ms)
    if slow_seconds is not None and activity.slow_ms is not None:
        wait_ms = activity.slow_ms + slow_seconds * 1000 - now_ms
        # A wait longer than the whole: the clock was set back, which is nobody's fault.
        if 0 < wait_ms <= slow_seconds * 1000:
            raise refuse_later("The chat is slow now.", "slow_mode", wait_ms)
    for at_ms, earlier in activity.texts:
        if earlier == text and abs(now_ms - at_ms) < REPEAT_MS:
            raise refuse_later("You have just said that.", "repeated", at_ms + REPEAT_MS - now_ms)
    full = len(activity.sent_ms) == FLOOD_MESSAGES
    if full and abs(now_ms - activity.sent_ms[0]) < FLOOD_MS:
        if now_ms - activity.paused_until_ms > FORGIVEN_MS:
            activity.pauses = 0
        pause_ms = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(activity.pauses, 10))
        activity.pauses += 1
        activity.paused_until_ms = now_ms + pause_ms
        _check_pause(activity, now_ms)
    activity.sent_ms.append(now_ms)
    activity.texts.append((now_ms, text))
    activity.slow_ms = now_ms


def admit_reaction(activity: RecentActivity, now_ms: int) -> None:
    """Accept one more reaction. Raises TooMany ``rate_limited``."""
    reactions = activity.reactions
    if len(reactions) == reactions.maxlen and 0 <= now_ms - reactions[0] < REACTIONS_MS:
        raise refuse_later("Too many reactions.", "rate_limited", reactions[0] + REACTIONS_MS - now_ms)
    reactions.append(now_ms)


def _check_pause(activity: RecentActivity, now_ms: int) -> None:
    wait_ms = activity.paused_until_ms - now_ms
    if 0 < wait_ms <= LONGEST_PAUSE_MS:
        raise refuse_later("Too many messages at once.", "flood", wait_ms)
