"""A scope's memory is bounded whatever people do, and a troll fills no list for others."""

from __future__ import annotations

import itertools

import pytest

from streamer.audience import state
from streamer.audience.chat import ChatSend, ChatWithdraw
from streamer.audience.command import Situation
from streamer.audience.command_table import definition_of
from streamer.audience.people import Participant
from streamer.audience.questions import QuestionAsk, QuestionVote, QuestionWithdraw
from streamer.audience.recent_activity import RecentActivities
from streamer.audience.state import MOST_OVER, MOST_QUESTIONS, SLACK, ScopeState
from streamer.conference.participation import Mode
from streamer.settings import AudienceSettings
from tests.fakes.talkers import ANN, HALL, START_MS


class Mill:
    """Decides and applies, three seconds apart."""

    def __init__(self) -> None:
        self.state = ScopeState(Mode("hall", "hall"), keep=50)
        self.activities = RecentActivities(most=100)
        self.now_ms = START_MS
        self.ids = itertools.count()

    def do(
        self, who: Participant, command: ChatSend | ChatWithdraw | QuestionAsk | QuestionVote | QuestionWithdraw
    ) -> str:
        self.now_ms += 3000
        at = Situation(HALL, self.now_ms, [], AudienceSettings(), lambda: f"i{next(self.ids):06}", self.activities)
        decision = definition_of(command).decide(self.state, who, command, at)
        self.state.apply(decision.changes)
        return str(decision.answer.get("id"))


def test_who_asks_and_takes_back_without_end_keeps_nobody_from_asking() -> None:
    mill = Mill()
    kept = mill.do(ANN, QuestionAsk("What about the roof?"))
    troll = Participant("p-troll", "Troll", since_ms=START_MS)
    for number in range(MOST_QUESTIONS + 2 * MOST_OVER):
        asked = mill.do(troll, QuestionAsk(f"Why {number}?"))
        mill.do(troll, QuestionVote(asked, 1))
        mill.do(troll, QuestionWithdraw(asked))
    assert len(mill.state.questions) <= MOST_QUESTIONS + MOST_OVER
    assert set(mill.state.votes) <= set(mill.state.questions)
    assert kept in mill.state.questions
    assert mill.do(ANN, QuestionAsk("And the floor?")) in mill.state.questions


def test_a_thousand_newcomers_cost_no_more_than_the_newest_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "MOST_PEOPLE", 500)
    mill = Mill()
    for number in range(1000):
        said = mill.do(Participant(f"p{number}", f"N{number}", since_ms=START_MS), ChatSend(f"hello {number}"))
        mill.do(Participant(f"p{number}", f"N{number}", since_ms=START_MS), ChatWithdraw(said))
    assert len(mill.state.messages) <= 50 + SLACK
    assert len(mill.state.people) <= 500
    assert len(mill.activities) <= 100
