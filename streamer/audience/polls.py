"""Polls: their options, votes and counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Annotated

from msgspec import Meta

from streamer.audience.action_log import LoggedAction, acted
from streamer.audience.command import ClientMessage, Decision, Ident, Situation, StoredCommand, no_such
from streamer.audience.people import Crew, Participant
from streamer.audience.state import Ballot, Change, Put, ScopeState
from streamer.audience.texts import checked
from streamer.conference.grants import Action
from streamer.conference.participation import Poll, PollKind
from streamer.errors import Conflict, Unprocessable

MOST_OPTIONS = 10
MOST_PREPARED = 30
OPTION_CHARACTERS = 100
RATING_STEPS = ("1", "2", "3", "4", "5")
"""The options of a rating without options."""
YES_NO = ("Yes", "No")
"""The options of a poll without options; pages translate these two."""


class PollVote(ClientMessage, frozen=True):
    """``options``: ids (places from 0), their digits, or texts; an empty list removes the vote."""

    id: Ident
    options: Annotated[tuple[int | Annotated[str, Meta(max_length=1000)], ...], Meta(max_length=100)]


class PollOpen(ClientMessage, frozen=True):
    """Without options: yes or no, or a rating from 1 to 5. Answer: ``id``."""

    kind: PollKind
    question: str
    options: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    results_at_end: bool = False


class PollPrepare(PollOpen, frozen=True):
    """For later: only the moderators see it until it is started. Answer: ``id``."""


class PollStart(ClientMessage, frozen=True):
    """A prepared one."""

    id: Ident


class PollDiscard(ClientMessage, frozen=True):
    """A prepared one."""

    id: Ident


class PollClose(ClientMessage, frozen=True):
    id: Ident


def _vote(state: ScopeState, who: Participant, command: PollVote, _at: Situation) -> Decision:
    poll = state.polls.get(command.id)
    if poll is None or not poll.public:
        raise no_such("poll")
    chosen = choice(poll, command.options)
    if state.ballots.get(poll.id, {}).get(who.id, ()) == chosen:
        return Decision(answer={"id": poll.id, "options": list(chosen)})
    return Decision((Ballot(poll.id, who.id, chosen),), {"id": poll.id, "options": list(chosen)})


def _open(state: ScopeState, who: Crew, command: PollOpen, at: Situation) -> Decision:
    poll = _made(state, command, at)
    return acted(state, who, at, LoggedAction("poll.open", poll.id), [Put(None, poll)], {"id": poll.id})


def _prepare(state: ScopeState, who: Crew, command: PollPrepare, at: Situation) -> Decision:
    if sum(poll.prepared and not poll.removed for poll in state.polls.values()) >= MOST_PREPARED:
        raise Conflict(f"No more than {MOST_PREPARED} polls are kept for later.", code="too_many_polls")
    poll = replace(_made(state, command, at), prepared=True)
    return acted(state, who, at, LoggedAction("poll.prepare", poll.id), [Put(None, poll)], {"id": poll.id})


def _start(state: ScopeState, who: Crew, command: PollStart, at: Situation) -> Decision:
    poll = _prepared(state, command.id)
    session, now_ms = state.focus.session, at.now_ms
    opened = replace(poll, prepared=False, session=session, at_ms=now_ms, media_at_ms=now_ms)
    return acted(state, who, at, LoggedAction("poll.start", poll.id), [Put(poll, opened)], {"id": poll.id})


def _discard(state: ScopeState, who: Crew, command: PollDiscard, at: Situation) -> Decision:
    poll = _prepared(state, command.id)
    changes: list[Change] = [Put(poll, replace(poll, removed=True))]
    return acted(state, who, at, LoggedAction("poll.discard", poll.id), changes, {"id": poll.id})


def _prepared(state: ScopeState, poll_id: str) -> Poll:
    poll = state.polls.get(poll_id)
    if poll is None or poll.removed:
        raise no_such("poll")
    if not poll.prepared:
        raise Conflict("The poll has been opened already.", code="wrong_state")
    return poll


def _made(state: ScopeState, command: PollOpen, at: Situation) -> Poll:
    return Poll(
        id=at.new_id(),
        room=at.scope.room,
        scope=at.scope.key,
        session=state.focus.session,
        kind=command.kind,
        question=checked(command.question, at.settings.question_characters),
        options=checked_options(command.options, RATING_STEPS if command.kind is PollKind.RATING else YES_NO),
        at_ms=at.now_ms,
        media_at_ms=at.now_ms,
        results_at_end=command.results_at_end,
    )


def _close(state: ScopeState, who: Crew, command: PollClose, at: Situation) -> Decision:
    poll = state.polls.get(command.id)
    if poll is None or not poll.public:
        raise no_such("poll")
    changes: list[Change] = [Put(poll, replace(poll, closed_ms=at.now_ms))] if poll.open else []
    return acted(state, who, at, LoggedAction("poll.close", poll.id), changes, {"id": poll.id})


def checked_options(options: Sequence[str], without: tuple[str, ...] = YES_NO) -> tuple[str, ...]:
    """``without``: those of a poll without options. Raises Unprocessable ``invalid``, ``empty_text``, ``too_long``."""
    if not options:
        return without
    if not 2 <= len(options) <= MOST_OPTIONS:
        raise Unprocessable(f"A poll has 2 to {MOST_OPTIONS} options.", code="invalid", details={"field": "options"})
    found = tuple(checked(option, OPTION_CHARACTERS) for option in options)
    if len(set(found)) < len(found):
        raise Unprocessable("Two options are the same.", code="invalid", details={"field": "options"})
    return found


def choice(poll: Poll, options: Sequence[int | str]) -> tuple[int, ...]:
    """A vote's options as ids, in order; empty: no vote. Raises Conflict ``poll_closed``, Unprocessable."""
    if not poll.open:
        raise Conflict("The poll is closed.", code="poll_closed")
    chosen = sorted({_option(poll, option) for option in options})
    if poll.kind is not PollKind.MULTIPLE and len(chosen) > 1:
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
    """The number of votes for each option."""
    found = [0] * len(poll.options)
    for chosen in votes:
        for option in chosen:
            found[option] += 1
    return found


def _no_option() -> Unprocessable:
    return Unprocessable("The poll has no such option.", code="invalid", details={"field": "options"})


COMMANDS = (
    StoredCommand("poll.vote", PollVote, _vote, budget="votes"),
    StoredCommand("poll.open", PollOpen, _open, action=Action.POLL_RUN),
    StoredCommand("poll.prepare", PollPrepare, _prepare, action=Action.POLL_RUN),
    StoredCommand("poll.start", PollStart, _start, action=Action.POLL_RUN),
    StoredCommand("poll.discard", PollDiscard, _discard, action=Action.POLL_RUN),
    StoredCommand("poll.close", PollClose, _close, action=Action.POLL_RUN),
)
