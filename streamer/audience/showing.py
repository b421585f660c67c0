"""The items of an audience for each viewpoint: JSON objects, whole snapshots, and events of changes. Pure.

Two rules stand only here. Viewers see a message while it is ``visible``, and a question while it is public and belongs
to the session that is on; of everything else they learn only that an item they saw is gone. Authors also see their own
items with their states.
"""

from __future__ import annotations

from collections.abc import Iterable

from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.question_order import ordered, tally, voted, voters
from streamer.audience.state import Change, Focus, Put, Refocus, ScopeState
from streamer.audience.views import (
    Object,
    action_view,
    crew_message_view,
    message_for_moderators,
    message_view,
    mode_for_moderators,
    mode_view,
    moment,
    notice_view,
    own_question_view,
    poll_view,
    question_for_moderators,
    question_view,
    report_view,
    sanction_view,
    you_view,
)
from streamer.conference.participation import (
    CrewMessage,
    Message,
    MessageState,
    Mode,
    ModerationAction,
    Notice,
    Poll,
    Question,
    QuestionState,
    Report,
    Sanction,
)

# --- order ------------------------------------------------------------------------------------------


def in_public(question: Question, focus: Focus) -> bool:
    return question.public and focus.has(question)


def tallies(state: ScopeState) -> dict[str, int]:
    """Question -> votes, with those of merged questions, each participant once."""
    return tally(state.questions, state.votes)


def order_of(state: ScopeState, now_ms: int) -> list[str]:
    """The same order for the screens of the moderator, the speaker and the hall."""
    here = [question for question in state.questions.values() if state.focus.has(question)]
    return ordered(here, tallies(state), now_ms, state.mode.order)


def order_data(state: ScopeState, now_ms: int) -> Object:
    return {"by": state.mode.order.value, "ids": order_of(state, now_ms)}


# --- snapshots --------------------------------------------------------------------------------------


def public_snapshot(state: ScopeState, now_ms: int) -> Object:
    votes = tallies(state)
    notice = state.notice
    over = notice is not None and notice.until_ms is not None and notice.until_ms <= now_ms
    return {
        "session": state.focus.session,
        "chat": [message_view(m) for m in _newest(state) if m.public][-state.keep :],
        "questions": [question_view(q, votes[q.id]) for q in state.questions.values() if in_public(q, state.focus)],
        "order": order_data(state, now_ms),
        "polls": [
            poll_view(poll, state.ballots.get(poll.id, {}))
            for poll in state.polls.values()
            if poll.public and (poll.open or poll.session == state.focus.session)
        ],
        "mode": mode_view(state.mode),
        "notice": None if over else notice_view(notice),
    }


def own_snapshot(state: ScopeState, participant: str, now_ms: int) -> Object:
    """A participant's own items, besides the public snapshot."""
    waiting = (MessageState.HELD, MessageState.DELAYED)
    person = state.people.get(participant)
    return {
        "you": {**you_view(state.sanctions.get(participant), now_ms), "name": None if person is None else person.name},
        "chat": [message_view(m) for m in _newest(state) if m.participant == participant and m.state in waiting],
        "questions": [
            own_question_view(q, len(voters(q.id, state.questions, state.votes)))
            for q in state.questions.values()
            if q.participant == participant and not q.withdrawn
        ],
        "votes": sorted(voted(participant, state.questions, state.votes)),
        "polls": {
            poll: list(ballots[participant]) for poll, ballots in state.ballots.items() if participant in ballots
        },
    }


def moderation_snapshot(state: ScopeState, now_ms: int) -> Object:
    votes = tallies(state)
    return {
        "session": state.focus.session,
        "chat": [message_for_moderators(m) for m in _newest(state)],
        "questions": [question_for_moderators(q, votes[q.id], state.focus) for q in state.questions.values()],
        "order": order_data(state, now_ms),
        "left_over": [question.id for question in state.left_over()],
        "polls": [
            poll_view(poll, state.ballots.get(poll.id, {}), crew=True)
            for poll in state.polls.values()
            if not poll.removed
        ],
        "mode": mode_for_moderators(state.mode),
        "notice": notice_view(state.notice),
        "sanctions": [sanction_view(s, now_ms) for s in state.sanctions.values()],
        "address_holds": [
            {"prefix": hold.prefix, "participant": hold.participant, "until": moment(hold.until_ms)}
            for hold in state.holds.values()
            if hold.until_ms > now_ms
        ],
        "reports": [report_view(report) for report in state.reports.values()],
        "actions": [action_view(action) for action in list(state.actions.values())[::-1]],
        "lines": crew_messages(state),
    }


def crew_messages(state: ScopeState) -> list[Object]:
    """The crew's private chat, oldest first."""
    return [crew_message_view(message) for message in state.crew_messages.values() if not message.removed]


def stage_snapshot(state: ScopeState, now_ms: int) -> Object:
    """For a speaker's or the hall's screen, besides the public snapshot."""
    order = order_of(state, now_ms)
    on_stage = [
        q.id for q in state.questions.values() if q.state is QuestionState.ON_STAGE and in_public(q, state.focus)
    ]
    cues = [message for message in state.crew_messages.values() if message.to == "stage" and not message.removed]
    return {
        "order": {"by": state.mode.order.value, "ids": order},
        "on_stage": on_stage[-1] if on_stage else None,
        "cue": crew_message_view(cues[-1]) if cues else None,
    }


# --- events -----------------------------------------------------------------------------------------


def events_of(scope: str, change: Change, before: Focus, state: ScopeState, now_ms: int) -> Iterable[AudienceEvent]:
    """The events of a change, for each viewpoint. ``state`` is the state after it, ``before`` the focus before it."""
    if isinstance(change, Refocus):
        yield from _refocused(scope, before, state, now_ms)
        return
    if not isinstance(change, Put):
        return
    item, earlier = change.after, change.before
    tell = _Teller(scope, now_ms)
    match item:
        case Message():
            yield from _message_events(tell, earlier if isinstance(earlier, Message) else None, item)
        case Question():
            yield from _question_events(tell, earlier if isinstance(earlier, Question) else None, item, before, state)
        case Poll():
            was = isinstance(earlier, Poll) and earlier.public
            yield from poll_events(scope, item, state, now_ms, was_public=was)
        case Mode():
            yield tell(Viewpoint.PUBLIC, "room.mode", mode_view(item), replaces="mode")
            yield tell(Viewpoint.MODERATION, "room.mode", mode_for_moderators(item), replaces="mode")
        case Notice():
            data = notice_view(item) or {"id": item.id, "removed": True}
            yield tell(Viewpoint.PUBLIC, "notice", data, replaces=f"notice {item.id}")
            yield tell(Viewpoint.MODERATION, "notice", data, replaces=f"notice {item.id}")
        case Sanction():
            yield tell(Viewpoint.MODERATION, "sanction", sanction_view(item, now_ms))
            yield tell(Viewpoint.OWN, "you", you_view(item, now_ms), only=item.participant)
        case Report():
            yield tell(Viewpoint.MODERATION, "report", report_view(item))
        case CrewMessage():
            data = {"id": item.id, "to": item.to, "removed": True} if item.removed else crew_message_view(item)
            yield tell(Viewpoint.MODERATION, "crew.line", data)
            if item.to == "stage":
                yield tell(Viewpoint.STAGE, "cue", data)
        case ModerationAction():
            yield tell(Viewpoint.MODERATION, "action", action_view(item), replaces=f"action {item.id}")
        case _:
            return


class _Teller:
    def __init__(self, scope: str, now_ms: int) -> None:
        self.scope = scope
        self.now_ms = now_ms

    def __call__(
        self,
        viewpoint: Viewpoint,
        kind: str,
        data: Object,
        *,
        media_at: int | None = None,
        only: str | None = None,
        replaces: str = "",
    ) -> AudienceEvent:
        return AudienceEvent(self.scope, viewpoint, kind, data, self.now_ms, media_at, only, replaces)


def _message_events(tell: _Teller, before: Message | None, after: Message) -> Iterable[AudienceEvent]:
    was = before is not None and before.public
    if after.public:
        yield tell(Viewpoint.PUBLIC, "chat.message", message_view(after), media_at=after.media_at_ms)
    elif was:
        yield tell(Viewpoint.PUBLIC, "chat.deleted", {"id": after.id})
    if not after.public:
        gone = after.state in (MessageState.DELETED, MessageState.WITHDRAWN)
        if not gone:
            view = message_view(after)
            yield tell(Viewpoint.OWN, "chat.message", view, media_at=after.media_at_ms, only=after.participant)
        elif not was:
            yield tell(Viewpoint.OWN, "chat.deleted", {"id": after.id}, only=after.participant)
    if after.state in (MessageState.DELETED, MessageState.WITHDRAWN):
        yield tell(
            Viewpoint.MODERATION,
            "chat.deleted",
            {"id": after.id, "state": after.state.value, "reason": after.reason or None},
        )
    else:
        view = message_for_moderators(after)
        yield tell(Viewpoint.MODERATION, "chat.message", view, media_at=after.media_at_ms)


def _question_events(
    tell: _Teller, before: Question | None, after: Question, focus: Focus, state: ScopeState
) -> Iterable[AudienceEvent]:
    was = before is not None and in_public(before, focus)
    yield from question_events(tell.scope, after, state, tell.now_ms, was_public=was)
    if after.merged_into is not None or (before is not None and before.merged_into is not None):
        into = after.merged_into or (before.merged_into if before is not None else None)
        target = None if into is None else state.questions.get(into)
        if target is not None and target.id != after.id:
            yield from question_events(tell.scope, target, state, tell.now_ms, was_public=False)


def question_events(
    scope: str, question: Question, state: ScopeState, now_ms: int, *, was_public: bool
) -> Iterable[AudienceEvent]:
    """The present state of a question, for all who may see it."""
    tell = _Teller(scope, now_ms)
    votes = len(voters(question.id, state.questions, state.votes))
    at = question.media_at_ms
    key = f"question {question.id}"
    if in_public(question, state.focus):
        data = question_view(question, votes)
        yield tell(Viewpoint.PUBLIC, "question.changed", data, media_at=at, replaces=key)
    elif was_public:
        data = {"id": question.id, "state": question.state.value, "removed": True}
        yield tell(Viewpoint.PUBLIC, "question.changed", data, replaces=key)
    if question.participant is not None:
        own = own_question_view(question, votes)
        yield tell(
            Viewpoint.OWN, "question.changed", own, media_at=at, only=question.participant, replaces=f"{key} own"
        )
    crew = question_for_moderators(question, votes, state.focus)
    yield tell(Viewpoint.MODERATION, "question.changed", crew, media_at=at, replaces=key)


def poll_events(
    scope: str, poll: Poll, state: ScopeState, now_ms: int, *, was_public: bool = True
) -> Iterable[AudienceEvent]:
    """The present state of a poll."""
    tell = _Teller(scope, now_ms)
    key = f"poll {poll.id}"
    for viewpoint in (Viewpoint.PUBLIC, Viewpoint.MODERATION):
        hidden = viewpoint is Viewpoint.PUBLIC and poll.prepared
        if hidden and not was_public:
            continue
        if poll.removed or hidden:
            yield tell(viewpoint, "poll.changed", {"id": poll.id, "removed": True}, replaces=key)
        else:
            data = poll_view(poll, state.ballots.get(poll.id, {}), crew=viewpoint is Viewpoint.MODERATION)
            yield tell(viewpoint, "poll.changed", data, media_at=poll.media_at_ms, replaces=key)


def order_events(scope: str, state: ScopeState, now_ms: int) -> Iterable[AudienceEvent]:
    tell = _Teller(scope, now_ms)
    data = order_data(state, now_ms)
    for viewpoint in (Viewpoint.PUBLIC, Viewpoint.MODERATION):
        yield tell(viewpoint, "question.order", data, replaces="order")


def _refocused(scope: str, before: Focus, state: ScopeState, now_ms: int) -> Iterable[AudienceEvent]:
    tell = _Teller(scope, now_ms)
    for question in state.questions.values():
        was, now = in_public(question, before), in_public(question, state.focus)
        if was and not now:
            data = {"id": question.id, "state": question.state.value, "removed": True, "archived": True}
            yield tell(Viewpoint.PUBLIC, "question.changed", data, replaces=f"question {question.id}")
        elif now and not was:
            yield from question_events(scope, question, state, now_ms, was_public=False)
    yield tell(Viewpoint.PUBLIC, "questions.session", {"session": state.focus.session}, replaces="questions.session")
    left: Object = {"session": state.focus.session, "left_over": [question.id for question in state.left_over()]}
    yield tell(Viewpoint.MODERATION, "questions.session", left, replaces="questions.session")


def _newest(state: ScopeState) -> list[Message]:
    return sorted(state.messages.values(), key=lambda message: (message.at_ms, message.id))
