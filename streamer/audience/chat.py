"""Who may write now, how often, and whether others see it at once. Pure but for :class:`Habits`, which remembers."""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from streamer.audience.people import Participant
from streamer.audience.words import same_words
from streamer.conference.participation import ChatMode, MessageState, Mode, QuestionMode, Sanction
from streamer.errors import Conflict, Forbidden, TooMany

FLOOD_MESSAGES = 3
FLOOD_MS = 2_000
FIRST_PAUSE_MS = 2_000
LONGEST_PAUSE_MS = 60_000
FORGIVEN_MS = 60_000
"""Quiet for so long, and the next pause is the first again."""
REPEAT_MS = 30_000
REMEMBERED = 8
"""Texts that are compared."""
NEWCOMER_MS = 5 * 60_000
MOST_REMEMBERED = 20_000


def refuse_later(message: str, code: str, wait_ms: int) -> TooMany:
    return TooMany(message, code=code, headers={"Retry-After": str(max(1, math.ceil(wait_ms / 1000)))})


def check_sanction(sanction: Sanction | None, now_ms: int) -> None:
    """Raises Forbidden ``banned``, TooMany ``muted``."""
    if sanction is None:
        return
    if sanction.banned:
        raise Forbidden("You have been banned from here.", code="banned")
    if sanction.muted_until_ms > now_ms:
        raise refuse_later("A moderator has muted you for a while.", "muted", sanction.muted_until_ms - now_ms)


def check_chat(mode: Mode, who: Participant) -> None:
    """Whether the chat takes messages at all. Raises Forbidden."""
    if who.trusted and mode.chat is not ChatMode.CLOSED:
        return
    refused: dict[ChatMode, tuple[str, str]] = {
        ChatMode.CLOSED: ("chat_closed", "The chat is closed."),
        ChatMode.READ_ONLY: ("read_only", "The chat can only be read now."),
        ChatMode.QUESTIONS_ONLY: ("questions_only", "Only questions are taken now."),
    }
    if mode.chat in refused:
        code, message = refused[mode.chat]
        raise Conflict(message, code=code)


def check_questions(mode: Mode, who: Participant, anonymous: bool) -> None:
    if mode.questions is QuestionMode.CLOSED and not who.trusted:
        raise Conflict("No questions are taken now.", code="questions_closed")
    if anonymous and not mode.anonymous:
        raise Conflict("Questions carry a name here.", code="anonymous_not_allowed")


@dataclass(frozen=True, slots=True)
class Verdict:
    state: Literal[MessageState.VISIBLE, MessageState.HELD, MessageState.DELAYED]
    reason: str = ""
    until_ms: int | None = None


def verdict(
    mode: Mode, who: Participant, now_ms: int, *, review: bool, word: str | None, address_held: bool
) -> Verdict:
    """What becomes of a text that may be sent. ``review``: the mode wants each looked at."""
    if who.trusted:
        return Verdict(MessageState.VISIBLE)
    if mode.shield:
        young = now_ms - who.since_ms < NEWCOMER_MS
        return Verdict(MessageState.HELD, "newcomer" if young else "shield")
    if word is not None:
        return Verdict(MessageState.HELD, "word")
    if address_held:
        return Verdict(MessageState.HELD, "address")
    if review:
        return Verdict(MessageState.HELD, "review")
    if mode.hold_seconds > 0:
        return Verdict(MessageState.DELAYED, "", now_ms + mode.hold_seconds * 1000)
    return Verdict(MessageState.VISIBLE)


@dataclass(slots=True)
class Habit:
    """What one participant did lately."""

    sent_ms: deque[int] = field(default_factory=lambda: deque(maxlen=FLOOD_MESSAGES))
    texts: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    slow_ms: int | None = None
    """When they last wrote, for slow mode."""
    strikes: int = 0
    paused_until_ms: int = 0
    reactions: deque[int] = field(default_factory=lambda: deque(maxlen=10))


class Habits:
    """By participant; bounded, the longest quiet are forgotten first."""

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._habits: OrderedDict[str, Habit] = OrderedDict()

    def of(self, participant: str) -> Habit:
        habit = self._habits.get(participant)
        if habit is None:
            habit = self._habits[participant] = Habit()
            if len(self._habits) > self._most:
                self._habits.popitem(last=False)
        else:
            self._habits.move_to_end(participant)
        return habit

    def __len__(self) -> int:
        return len(self._habits)


def admit(habit: Habit, text: str, now_ms: int, slow_seconds: int | None) -> None:
    """Take one more text from somebody, or raise: ``flood``, ``repeated``, ``slow_mode``, each with when to come again.

    ``slow_seconds`` None: no slow mode, for whoever it is. A refusal counts for nothing, but the one that begins a
    pause makes the next longer.
    """
    _check_pause(habit, now_ms)
    if slow_seconds is not None and habit.slow_ms is not None:
        wait_ms = habit.slow_ms + slow_seconds * 1000 - now_ms
        # More than the whole wait: the clock has been put back, and that is nobody's fault.
        if 0 < wait_ms <= slow_seconds * 1000:
            raise refuse_later("The chat is slow now.", "slow_mode", wait_ms)
    for at_ms, earlier in habit.texts:
        if earlier == text and abs(now_ms - at_ms) < REPEAT_MS:
            raise refuse_later("You have just said that.", "repeated", at_ms + REPEAT_MS - now_ms)
    full = len(habit.sent_ms) == FLOOD_MESSAGES
    if full and abs(now_ms - habit.sent_ms[0]) < FLOOD_MS:
        if now_ms - habit.paused_until_ms > FORGIVEN_MS:
            habit.strikes = 0
        pause_ms = min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << min(habit.strikes, 10))
        habit.strikes += 1
        habit.paused_until_ms = now_ms + pause_ms
        _check_pause(habit, now_ms)
    habit.sent_ms.append(now_ms)
    habit.texts.append((now_ms, text))
    habit.slow_ms = now_ms


def admit_reaction(habit: Habit, now_ms: int) -> None:
    """Ten in five seconds. Raises TooMany ``rate_limited``."""
    reactions = habit.reactions
    if len(reactions) == reactions.maxlen and 0 <= now_ms - reactions[0] < 5_000:
        raise refuse_later("Too many reactions.", "rate_limited", reactions[0] + 5_000 - now_ms)
    reactions.append(now_ms)


def _check_pause(habit: Habit, now_ms: int) -> None:
    wait_ms = habit.paused_until_ms - now_ms
    if 0 < wait_ms <= LONGEST_PAUSE_MS:
        raise refuse_later("Too many messages at once.", "flood", wait_ms)


def may_take_name(name: str, taken: Iterable[str]) -> bool:
    """Whether nobody of the crew is meant by it. ``taken``: what those who are here are called."""
    return not any(same_words(name, one) for one in (*RESERVED, *taken))


RESERVED = (
    "admin",
    "administrator",
    "administrateur",
    "administratrice",
    "mod",
    "moderator",
    "moderators",
    "moderateur",
    "moderatrice",
    "moderation",
    "organiser",
    "organizer",
    "organisers",
    "organizers",
    "organisateur",
    "organisatrice",
    "technician",
    "technicien",
    "technicienne",
    "speaker",
    "staff",
    "streamer",
)
