"""Two viewpoints: whatever people and moderators do, in whatever order, viewers learn nothing of what is held, hidden
or dismissed, neither by a snapshot nor by an event; and what they have pieced together is what a newcomer is shown."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.audience import chat, showing, ticking
from streamer.audience.commands import (
    Ban,
    ChatApprove,
    ChatDelete,
    ChatSend,
    ChatWithdraw,
    CrewSay,
    ModeSet,
    Mute,
    NoteAdd,
    QuestionAdd,
    QuestionAsk,
    QuestionCarry,
    QuestionEdit,
    QuestionMerge,
    QuestionMove,
    QuestionVote,
    QuestionWithdraw,
    ReportItem,
    Unban,
    Undo,
)
from streamer.audience.deciding import Decision, Situation, take
from streamer.audience.moderating import moderate
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.people import Crew, Participant
from streamer.audience.state import Focus, Refocus, ScopeState
from streamer.conference.participation import ChatMode, Message, Mode, Question, QuestionMode, QuestionState
from streamer.errors import StreamerError
from streamer.settings import AudienceSettings
from tests.fakes.talkers import HALL, MODERATOR, START_MS, talk

PEOPLE = [Participant(f"p-{name}", f"name-{name}", since_ms=START_MS - 3_600_000) for name in ("a", "b", "c")]


class World:
    """One scope, its rules, and what each viewer's client makes of what it is told."""

    def __init__(self) -> None:
        self.state = ScopeState(Mode("hall", "hall"))
        self.habits = chat.Habits()
        self.now_ms = START_MS
        self.count = itertools.count()
        self.texts = itertools.count()
        self.events: list[AudienceEvent] = []
        self.actions: list[str] = []
        self.focus: str | None = None
        self.chat: dict[str, Any] = {}
        self.questions: dict[str, Any] = {}

    def text(self, word: str = "") -> str:
        """Unlike any other, so that it is found wherever it comes out."""
        return f"text-{next(self.texts)}- {word}"

    def situation(self) -> Situation:
        self.now_ms += 2500
        sessions = [] if self.focus is None else [talk(self.focus, START_MS - 10_000)]
        return Situation(
            HALL,
            self.now_ms,
            sessions,
            AudienceSettings(blocked_words=("rubbish",), open_questions=100),
            lambda: f"i{next(self.count):04}",
            prefixes_of=lambda _participant: ("192.0.2.0/24",),
        )

    def do(self, who: Participant | Crew, command: Any) -> None:
        at = self.situation()
        try:
            if isinstance(who, Participant):
                decision = take(self.state, self.habits, who, command, at)
            else:
                decision = moderate(self.state, who, command, at)
        except StreamerError:
            return
        self.put(decision)

    def put(self, decision: Decision) -> None:
        before = self.state.focus
        self.state.apply(decision.changes)
        if decision.action is not None:
            self.actions.append(decision.action.id)
        for change in decision.changes:
            for event in showing.events_of("hall", change, before, self.state, self.now_ms):
                self.hear(event)
            if isinstance(change, Refocus):
                before = self.state.focus

    def refocus(self, session: str | None) -> None:
        self.focus = session
        self.now_ms += 1000
        to = Focus(session, self.now_ms)
        if session != self.state.focus.session:
            self.put(Decision(tuple(ticking.rolled_over(self.state, to, self.now_ms))))

    def come_out(self) -> None:
        self.now_ms += 10_000
        self.put(Decision(tuple(ticking.due(self.state, self.now_ms))))

    def hear(self, event: AudienceEvent) -> None:
        self.events.append(event)
        if event.viewpoint is not Viewpoint.PUBLIC:
            return
        data = event.data
        if event.type == "chat.message":
            self.chat[data["id"]] = data
        elif event.type == "chat.deleted":
            self.chat.pop(data["id"], None)
        elif event.type == "question.changed":
            if data.get("removed"):
                self.questions.pop(data["id"], None)
            else:
                self.questions[data["id"]] = {**data, "votes": None}

    def check(self, since: int) -> None:
        """Nothing of what is hidden now was told since then, and the client's picture is the snapshot's."""
        public = showing.public_snapshot(self.state, self.now_ms)
        told = [event.data for event in self.events[since:] if event.viewpoint is Viewpoint.PUBLIC]
        seen = json.dumps([public, told], ensure_ascii=False)
        for message in self.state.messages.values():
            if not message.public:
                assert message.text.split()[0] not in seen
        for question in self.state.questions.values():
            if not showing.in_public(question, self.state.focus):
                assert question.text.split()[0] not in seen
            if question.anonymous:
                shown = [q for q in public["questions"] if q["id"] == question.id]
                assert all(q["name"] is None and q["participant"] is None for q in shown)
        assert "crew-only" not in seen
        for who in PEOPLE:
            own = json.dumps(showing.own_snapshot(self.state, who.id, self.now_ms), ensure_ascii=False)
            own += json.dumps([e.data for e in self.events[since:] if e.only == who.id], ensure_ascii=False)
            items: list[Message | Question] = [*self.state.messages.values(), *self.state.questions.values()]
            assert all(item.text.split()[0] not in own for item in items if item.participant != who.id)
            assert "crew-only" not in own
        assert self.chat == {m["id"]: m for m in public["chat"]}
        assert self.questions == {q["id"]: {**q, "votes": None} for q in public["questions"]}


def some(world: World, draw: Any, items: dict[str, Any]) -> str:
    return draw(st.sampled_from(sorted(items))) if items else "none"


def act(world: World, draw: Any) -> None:
    """One thing that somebody does, by chance."""
    state = world.state
    who = draw(st.sampled_from(PEOPLE))
    word = draw(st.sampled_from(["", "", "rubbish"]))
    reason = "crew-only"
    choice = draw(st.integers(0, 21))
    if choice <= 2:
        world.do(who, ChatSend(world.text(word)))
    elif choice <= 5:
        world.do(who, QuestionAsk(world.text(word), anonymous=draw(st.booleans())))
    elif choice == 6:
        world.do(who, ChatWithdraw(some(world, draw, state.messages)))
    elif choice == 7:
        world.do(who, QuestionWithdraw(some(world, draw, state.questions)))
    elif choice == 8:
        world.do(who, QuestionVote(some(world, draw, state.questions), draw(st.integers(0, 1))))
    elif choice <= 16:
        moderator_acts(world, draw, who)
    elif choice <= 18:
        world.do(MODERATOR, Undo(draw(st.sampled_from(world.actions or ["none"]))))
    elif choice == 19:
        world.refocus(draw(st.sampled_from([None, "one", "two"])))
        world.do(MODERATOR, QuestionCarry())
    elif choice == 20:
        world.come_out()
    else:
        world.do(
            MODERATOR, draw(st.sampled_from([CrewSay(reason), NoteAdd(who.id, reason), QuestionAdd(world.text())]))
        )
        world.do(who, ReportItem("message", some(world, draw, state.messages), reason))


def moderator_acts(world: World, draw: Any, who: Participant) -> None:
    """One thing that a moderator does, by chance; ``who`` is whom it may be about."""
    state, reason = world.state, "crew-only"
    choice = draw(st.integers(0, 8))
    if choice == 0:
        world.do(MODERATOR, ChatDelete((some(world, draw, state.messages),), reason))
    elif choice == 1:
        world.do(MODERATOR, ChatApprove((some(world, draw, state.messages),)))
    elif choice <= 3:
        move = QuestionMove((some(world, draw, state.questions),), draw(st.sampled_from(list(QuestionState))), reason)
        world.do(MODERATOR, move)
    elif choice == 4:
        world.do(MODERATOR, QuestionEdit(some(world, draw, state.questions), world.text()))
    elif choice == 5:
        ids = draw(st.lists(st.sampled_from(sorted(state.questions) or ["none"]), min_size=2, max_size=3))
        world.do(MODERATOR, QuestionMerge(tuple(ids)))
    elif choice == 6:
        sanction = draw(
            st.sampled_from([Ban(who.id, reason, remove=True), Mute(who.id, 60, reason, remove=True), Unban(who.id)])
        )
        world.do(MODERATOR, sanction)
    elif choice == 7:
        world.do(MODERATOR, draw(st.sampled_from([QuestionAdd(world.text()), CrewSay("crew-only", to="stage")])))
    else:
        world.do(
            MODERATOR,
            ModeSet(
                chat=draw(st.sampled_from([ChatMode.OPEN, ChatMode.REVIEW])),
                questions=draw(st.sampled_from([QuestionMode.OPEN, QuestionMode.REVIEW])),
                shield=draw(st.booleans()),
                hold_seconds=draw(st.sampled_from([0, 5])),
                words=("crew-only",),
            ),
        )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_viewers_learn_nothing_of_what_moderators_hold(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 40))):
        since = len(world.events)
        act(world, data.draw)
        world.check(since)


def image(world: World) -> Any:
    """All that has an effect or is seen. The log is no part of it, nor is what has been taken away whole."""
    state = world.state
    return (
        {message.id: message for message in state.messages.values()},
        {q.id: q for q in state.questions.values() if q.participant is not None},
        {q.id: q for q in state.questions.values() if q.participant is None and q.public},
        state.mode,
        {s.participant: (s.banned, s.muted_until_ms) for s in state.sanctions.values() if s.banned or s.muted_until_ms},
        {hold.prefix: hold.until_ms for hold in state.holds.values() if hold.until_ms},
        [line for line in state.lines.values() if line.to == "stage" and not line.removed],
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_an_undo_at_once_returns_what_was(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 30))):
        who, command = data.draw(st.sampled_from(PEOPLE)), data.draw(st.integers(0, 1))
        if command:
            world.do(who, ChatSend(world.text(data.draw(st.sampled_from(["", "rubbish"])))))
            world.do(who, QuestionAsk(world.text()))
        before, known = image(world), len(world.actions)
        moderator_acts(world, data.draw, who)
        new = world.actions[known:]
        if new and world.state.actions[new[0]].changes and data.draw(st.booleans()):
            for _ in range(2):
                world.do(MODERATOR, Undo(new[0]))
                assert image(world) == before


def test_the_check_would_find_a_leak() -> None:
    world = World()
    world.do(MODERATOR, ModeSet(chat=ChatMode.REVIEW))
    world.do(PEOPLE[0], ChatSend(world.text()))
    (message,) = world.state.messages.values()
    world.hear(AudienceEvent("hall", Viewpoint.PUBLIC, "question.changed", {"id": message.text}, 0))
    with pytest.raises(AssertionError):
        world.check(0)
