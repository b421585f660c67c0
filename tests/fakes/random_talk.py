"""People and moderators of one audience who act by chance, and the state that each viewer's client builds from its
events: by the rules alone, through the log that serves returning clients."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from streamer.audience import showing, ticking
from streamer.audience.chat import ChatApprove, ChatDelete, ChatSend, ChatWithdraw
from streamer.audience.command import Decision, Situation
from streamer.audience.command_table import definition_of
from streamer.audience.crew import CrewSay, Undo
from streamer.audience.modes import ModeSet, NoticeSet
from streamer.audience.names import NameSet
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.people import Crew, Participant
from streamer.audience.polls import PollClose, PollOpen, PollVote
from streamer.audience.questions import (
    QuestionAdd,
    QuestionAsk,
    QuestionCarry,
    QuestionEdit,
    QuestionMerge,
    QuestionMove,
    QuestionVote,
    QuestionWithdraw,
)
from streamer.audience.recent_activity import RecentActivities
from streamer.audience.reports import ReportItem, ReportResolve
from streamer.audience.sanctions import Ban, Mute, NoteAdd, Unban
from streamer.audience.state import Ballot, Focus, Refocus, ScopeState, Vote
from streamer.conference.participation import ChatMode, Message, Mode, PollKind, Question, QuestionMode, QuestionState
from streamer.errors import StreamerError
from streamer.realtime.audience_feed import AudienceFeed
from streamer.realtime.hub import AUDIENCE, Hub
from streamer.realtime.log import Log, LogEntry
from streamer.realtime.stats import Stats
from streamer.settings import AudienceSettings, RealtimeSettings
from tests.fakes.talkers import HALL, MODERATOR, START_MS, talk
from tests.fakes.talking import ScriptedDirector

PEOPLE = [Participant(f"p-{name}", f"name-{name}", since_ms=START_MS - 3_600_000) for name in ("a", "b", "c")]


class Told:
    """An audience that is only listened to."""

    def __init__(self) -> None:
        self.hear: Callable[[AudienceEvent], None] = lambda _event: None

    def listen(self, listener: Callable[[AudienceEvent], None]) -> Callable[[], None]:
        self.hear = listener
        return lambda: None


@dataclass
class Picture:
    """The state that a client has built, up to ``seq``."""

    seq: int
    chat: dict[str, Any]
    questions: dict[str, Any]
    polls: dict[str, Any]

    def hear(self, kind: str, data: Any) -> None:
        items = {"chat": self.chat, "question": self.questions, "poll": self.polls}.get(kind.partition(".")[0])
        if items is None or kind == "question.order":
            return
        if kind == "chat.deleted" or data.get("removed"):
            items.pop(data["id"], None)
        else:
            # Votes are told a little later than they count.
            items[data["id"]] = {**data, "votes": None} if kind == "question.changed" else data


class World:
    """One scope, its rules, and the state that each viewer's client builds."""

    def __init__(self) -> None:
        self.now_ms = START_MS
        self.told = Told()
        self.hub = Hub(RealtimeSettings(), Stats(), lambda: self.now_ms, lambda _room: None)
        feed = AudienceFeed(self.hub, ScriptedDirector("hall"), self.told, lambda _scope, _who: None)  # type: ignore[arg-type]
        self.state = ScopeState(Mode("hall", "hall"))
        self.activities = RecentActivities()
        self.count = itertools.count()
        self.texts = itertools.count()
        self.events: list[AudienceEvent] = []
        self.actions: list[str] = []
        self.focus: str | None = None
        self.log: Log = self.hub.channel(AUDIENCE, "hall").log
        feed.start()
        self.picture = Picture(self.log.last, {}, {}, {})
        self.earlier: list[Picture] = [deepcopy(self.picture)]

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
            self.activities,
            prefixes_of=lambda _participant: ("192.0.2.0/24",),
        )

    def do(self, who: Participant | Crew, command: Any) -> None:
        at = self.situation()
        try:
            decision = definition_of(command).decide(self.state, who, command, at)
        except StreamerError:
            return
        self.put(decision)

    def put(self, decision: Decision) -> None:
        before = self.state.focus
        self.state.apply(decision.changes)
        if decision.action is not None:
            self.actions.append(decision.action.id)
        for change in decision.changes:
            if isinstance(change, Ballot):
                for event in showing.poll_events("hall", self.state.polls[change.poll], self.state, self.now_ms):
                    self.hear(event)
            elif isinstance(change, Vote) and change.question in self.state.questions:
                voted = self.state.questions[change.question]
                for event in showing.question_events("hall", voted, self.state, self.now_ms, was_public=False):
                    self.hear(event)
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
        self.told.hear(event)
        self.picture.seq = self.log.last
        if event.viewpoint is Viewpoint.PUBLIC:
            self.picture.hear(event.type, event.data)

    def remember(self) -> None:
        """A client goes away now, with its present state."""
        self.earlier.append(deepcopy(self.picture))

    def come_back(self, picture: Picture) -> Picture:
        """The state of a client that left with ``picture`` and comes back now."""
        assert self.log.resumes(picture.seq)
        back = deepcopy(picture)
        for entry in self.log.after(picture.seq):
            if entry.for_all:
                event = json.loads(entry.json)
                back.hear(event["type"], event["data"])
        return back

    def check_log(self) -> None:
        """A client that comes back gets no hidden item, whatever it was told before; and of its own only its
        identity."""
        entries: list[LogEntry] = self.log.after(0)
        for item in self.hidden():
            word = item.text.split()[0].encode()
            assert all(word not in entry.json for entry in entries if entry.for_all), item
            assert all(word not in e.json for e in entries if e.only not in (None, item.participant)), item
        # The text before a moderator's edit is hidden, too.
        assert all(b"crew-only" not in entry.json for entry in entries if entry.stage is None)

    def hidden(self) -> list[Message | Question]:
        state = self.state
        return [
            *(message for message in state.messages.values() if not message.public),
            *(question for question in state.questions.values() if not showing.in_public(question, state.focus)),
        ]

    def check(self, since: int) -> None:
        """Nothing hidden was sent since then, and the client's state equals the snapshot's."""
        public = showing.public_snapshot(self.state, self.now_ms)
        told = [event.data for event in self.events[since:] if event.viewpoint is Viewpoint.PUBLIC]
        seen = json.dumps([public, told], ensure_ascii=False)
        for item in self.hidden():
            assert item.text.split()[0] not in seen
        for question in self.state.questions.values():
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
        for poll in public["polls"]:
            kept_back = poll["results_at_end"] and poll["state"] == "open"
            assert all((option["votes"] is None) == kept_back for option in poll["options"])
        self.check_picture(self.picture)

    def check_picture(self, picture: Picture) -> None:
        """It is what a newcomer is shown."""
        public = showing.public_snapshot(self.state, self.now_ms)
        assert picture.chat == {m["id"]: m for m in public["chat"]}
        assert picture.questions == {q["id"]: {**q, "votes": None} for q in public["questions"]}
        shown = {poll["id"] for poll in public["polls"]}
        assert {p: poll for p, poll in picture.polls.items() if p in shown} == {p["id"]: p for p in public["polls"]}


def some(world: World, draw: Any, items: dict[str, Any]) -> str:
    return draw(st.sampled_from(sorted(items))) if items else "none"


def act(world: World, draw: Any) -> None:
    """One thing that somebody does, by chance."""
    state = world.state
    who = draw(st.sampled_from(PEOPLE))
    word = draw(st.sampled_from(["", "", "rubbish"]))
    reason = "crew-only"
    choice = draw(st.integers(0, 24))
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
    elif choice == 22:
        poll = some(world, draw, state.polls)
        world.do(who, PollVote(poll, tuple(draw(st.sets(st.integers(0, 1), max_size=2)))))
    elif choice == 23:
        world.do(who, NameSet(draw(st.sampled_from(["Ann", "Somebody", "admin"]))))
        world.do(MODERATOR, ReportResolve(some(world, draw, state.reports)))
    elif choice == 24:
        world.remember()
    else:
        world.do(
            MODERATOR, draw(st.sampled_from([CrewSay(reason), NoteAdd(who.id, reason), QuestionAdd(world.text())]))
        )
        world.do(who, ReportItem("message", some(world, draw, state.messages), reason))


def moderator_acts(world: World, draw: Any, who: Participant) -> None:
    """One thing that a moderator does, by chance; ``who`` is whom it may be about."""
    state, reason = world.state, "crew-only"
    choice = draw(st.integers(0, 10))
    if choice == 0:
        world.do(MODERATOR, ChatDelete(some(world, draw, state.messages), reason=reason))
    elif choice == 1:
        world.do(MODERATOR, ChatApprove(some(world, draw, state.messages)))
    elif choice <= 3:
        to = draw(st.sampled_from(list(QuestionState)))
        move = QuestionMove(some(world, draw, state.questions), state=to, reason=reason)
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
    elif choice == 8:
        kind = draw(st.sampled_from(list(PollKind)))
        world.do(MODERATOR, PollOpen(kind, world.text(), ("yes", "no"), results_at_end=draw(st.booleans())))
    elif choice == 9:
        world.do(MODERATOR, draw(st.sampled_from([PollClose(some(world, draw, state.polls)), NoticeSet("soon", 60)])))
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
