"""Changes that happen by themselves: sessions change, delayed messages appear, counts are sent. Pure except the scope's
counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from streamer.audience import showing
from streamer.audience.audience_scope import AudienceScope
from streamer.audience.chapters import with_chapters
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.questions import answered
from streamer.audience.scope import GRACE_MS, Scope, focus
from streamer.audience.state import Change, Focus, Put, Refocus, ScopeState
from streamer.conference.participation import ChatMode, MessageState, Mode, QuestionMode, QuestionState
from streamer.conference.sessions import Session

VOTES_MS = 500
"""Votes are collected for this time and sent together."""
SECOND_MS = 1000
LONGEST_HOLD_MS = 60_000
BETWEEN_MS = 12 * 3_600_000
"""A room's own questions are at most this old."""


def focus_now(scope: Scope, sessions: Sequence[Session], now_ms: int) -> Focus:
    """The focus from now on."""
    session = focus(scope, sessions, now_ms)
    return Focus(session, now_ms if session is not None else _break_since(sessions, now_ms))


def first_focus(scope: Scope, sessions: Sequence[Session], now_ms: int) -> tuple[Focus, Focus | None]:
    """The focus after a restart, and the focus before it."""
    session = focus(scope, sessions, now_ms)
    this = next((s for s in sessions if s.id == session), None)
    others = [s for s in sessions if s.id != session]
    if session is None:
        now = Focus(None, _break_since(sessions, now_ms))
    else:
        now = Focus(session, now_ms if this is None or this.running or this.ended_ms is None else this.ended_ms)
    last = _last_ended(others)
    if last is None or scope.session is not None:
        return now, None
    ended_ms, before = last
    if this is not None and this.started_ms is not None and this.started_ms - ended_ms > GRACE_MS:
        # Between them the room's own questions were in focus.
        return now, Focus(None, _break_since(others, now_ms))
    return now, Focus(before, ended_ms)


def _break_since(sessions: Sequence[Session], now_ms: int) -> int:
    """The time since which the room's own questions count while no session is on: the last end."""
    last = _last_ended(sessions)
    return max(now_ms - BETWEEN_MS, 0 if last is None else last[0])


def _last_ended(sessions: Sequence[Session]) -> tuple[int, str] | None:
    return max(((s.ended_ms, s.id) for s in sessions if s.ended_ms is not None and not s.closed), default=None)


def modes_of(state: ScopeState, to: Focus, sessions: Sequence[Session]) -> list[Change]:
    """A session that begins sets the modes that it was planned with. The next one gets the usual ones back, as far as
    nobody has set others meanwhile."""
    after = _modes(state.mode, state.focus.session, to.session, sessions)
    return [] if after == state.mode else [Put(state.mode, after)]


def first_modes(state: ScopeState, sessions: Sequence[Session]) -> list[Change]:
    """As :func:`modes_of` for an audience that nobody was in when the session began. What a moderator has set since
    then stays."""
    since_ms = next((s.started_ms for s in sessions if s.id == state.focus.session and s.started_ms is not None), 0)
    if any(action.kind == "room.mode" and action.at_ms >= since_ms for action in state.actions.values()):
        return []
    before = None if state.previous is None else state.previous.session
    after = _modes(state.mode, before, state.focus.session, sessions)
    return [] if after == state.mode else [Put(state.mode, after)]


def _modes(mode: Mode, before: str | None, after: str | None, sessions: Sequence[Session]) -> Mode:
    last = next((s for s in sessions if s.id == before and before != after), None)
    if last is not None and last.chat is not None and mode.chat is last.chat:
        mode = replace(mode, chat=ChatMode.OPEN)
    if last is not None and last.questions is not None and mode.questions is last.questions:
        mode = replace(mode, questions=QuestionMode.OPEN)
    now = next((s for s in sessions if s.id == after), None)
    if now is None:
        return mode
    return replace(mode, chat=now.chat or mode.chat, questions=now.questions or mode.questions)


def rolled_over(state: ScopeState, to: Focus, now_ms: int) -> list[Change]:
    """Another session is on: polls close, the question on stage has had its turn, the others stay with their session.

    A poll that was opened in the break, right after the session's end, stays open in the break.
    """
    changes: list[Change] = []
    for question in state.questions.values():
        if question.state is QuestionState.ON_STAGE and state.focus.has(question) and not to.has(question):
            changes.append(Put(question, answered(question, now_ms)))
    for poll in state.polls.values():
        if not poll.open or poll.session != state.focus.session:
            continue
        in_the_break = to.session is None and 0 <= now_ms - poll.at_ms < GRACE_MS
        changes.append(Put(poll, replace(poll, session=None) if in_the_break else replace(poll, closed_ms=now_ms)))
    return [*with_chapters(changes), Refocus(to)]


def due(state: ScopeState, now_ms: int) -> list[Change]:
    """Delayed messages whose time has come."""
    return [
        Put(message, replace(message, state=MessageState.VISIBLE, until_ms=None))
        for message in state.messages.values()
        if message.state is MessageState.DELAYED
        and message.until_ms is not None
        # Or the clock was set back by more than the longest hold.
        and not 0 < message.until_ms - now_ms <= LONGEST_HOLD_MS
    ]


def told(audience: AudienceScope, now_ms: int) -> Iterable[AudienceEvent]:
    """Votes since the last look, the order if it has changed, and once a second reactions and presence."""
    state, key = audience.shown, audience.scope.key
    if abs(now_ms - audience.told_ms) < VOTES_MS:
        return
    whole_second = now_ms // SECOND_MS != audience.told_ms // SECOND_MS
    audience.told_ms = now_ms
    voted, audience.voted = audience.voted, {}
    for question_id in voted:
        question = state.questions.get(question_id)
        if question is not None and question.merged_into is not None:
            question = state.questions.get(question.merged_into)
        if question is not None:
            yield from showing.question_events(key, question, state, now_ms, was_public=False)
    polled, audience.polled = audience.polled, {}
    for poll_id in polled:
        poll = state.polls.get(poll_id)
        if poll is not None:
            yield from showing.poll_events(key, poll, state, now_ms)
    if not whole_second:
        return
    order = (state.mode.order.value, *showing.order_of(state, now_ms))
    if order != audience.told_order:
        if audience.told_order is not None or len(order) > 1:
            yield from showing.order_events(key, state, now_ms)
        audience.told_order = order
    counts = audience.tallies.taken()
    if counts:
        for viewpoint in (Viewpoint.PUBLIC, Viewpoint.MODERATION):
            yield AudienceEvent(key, viewpoint, "reaction.counts", {"counts": counts}, now_ms)
    presence = audience.crowd.counts()
    if presence != audience.told_presence:
        audience.told_presence = presence
        for viewpoint in (Viewpoint.PUBLIC, Viewpoint.MODERATION):
            yield AudienceEvent(key, viewpoint, "presence", presence, now_ms, replaces="presence")
