"""Polls: what may be asked, what a vote may say, and the counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from streamer.audience.texts import checked
from streamer.conference.participation import Poll, PollKind
from streamer.errors import Conflict, Unprocessable

MOST_OPTIONS = 10
OPTION_CHARACTERS = 100
YES_NO = ("Yes", "No")
"""Where no options are given; pages translate these two."""


def checked_options(options: Sequence[str]) -> tuple[str, ...]:
    """Raises Unprocessable ``invalid``, ``empty_text``, ``too_long``."""
    if not options:
        return YES_NO
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise Unprocessable(f"A poll has 2 to {MOST_OPTIONS} options.", code="invalid", details={"field": "options"})
    found = tuple(checked(option, OPTION_CHARACTERS) for option in options)
    if len(set(found)) < len(found):
        raise Unprocessable("Two options are the same.", code="invalid", details={"field": "options"})
    return found


def choice(poll: Poll, options: Sequence[int | str]) -> tuple[int, ...]:
    """A vote's options as ids, in order; empty: no vote any more. Raises Conflict ``poll_closed``, Unprocessable."""
    if not poll.open:
        raise Conflict("The poll is closed.", code="poll_closed")
    chosen = sorted({_option(poll, option) for option in options})
    if poll.kind is PollKind.SINGLE and len(chosen) > 1:
        raise Unprocessable("One option only.", code="invalid", details={"field": "options"})
    return tuple(chosen)


def _option(poll: Poll, option: int | str) -> int:
    if isinstance(option, str):
        if option in poll.options:
            return poll.options.index(option)
        if not (option.isascii() and option.isdigit() and len(option) < 4):
            raise _no_option()
        option = int(option)
    if isinstance(option, bool) or not 0 <= option < len(poll.options):
        raise _no_option()
    return option


def counts(poll: Poll, votes: Iterable[tuple[int, ...]]) -> list[int]:
    """Votes by option."""
    found = [0] * len(poll.options)
    for chosen in votes:
        for option in chosen:
            found[option] += 1
    return found


def _no_option() -> Unprocessable:
    return Unprocessable("The poll has no such option.", code="invalid", details={"field": "options"})
