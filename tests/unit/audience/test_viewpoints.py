"""Two viewpoints: whatever people and moderators do, in whatever order, viewers learn nothing of what is held, hidden
or dismissed, neither by a snapshot nor by an event, nor by coming back; and what they have pieced together is what a
newcomer is shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.audience.chat import ChatDelete, ChatSend
from streamer.audience.crew import Undo
from streamer.audience.modes import ModeSet
from streamer.audience.news import AudienceEvent, Viewpoint
from streamer.audience.questions import QuestionAsk
from streamer.conference.participation import ChatMode
from tests.fakes.chance import examples
from tests.fakes.random_talk import PEOPLE, World, act, moderator_acts
from tests.fakes.talkers import MODERATOR


@settings(max_examples=examples(60), deadline=None)
@given(st.data())
def test_viewers_learn_nothing_of_what_moderators_hold(data: st.DataObject) -> None:
    world = World()
    for _ in range(data.draw(st.integers(1, 40))):
        since = len(world.events)
        act(world, data.draw)
        world.check(since)
    world.check_log()
    for picture in world.earlier:
        world.check_picture(world.come_back(picture))


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
        [line for line in state.crew_messages.values() if line.to == "stage" and not line.removed],
    )


@settings(max_examples=examples(60), deadline=None)
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


def test_the_check_would_find_what_is_kept_for_those_who_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    monkeypatch.setattr(world.hub, "forget", lambda *_: None)
    world.do(PEOPLE[0], ChatSend(world.text()))
    (message,) = world.state.messages
    world.remember()
    world.do(MODERATOR, ChatDelete(None, (message,)))
    world.check_picture(world.come_back(world.earlier[-1]))
    with pytest.raises(AssertionError):
        world.check_log()
