"""No illegal life, whatever people, cameras and clocks do. The laws stand in ``tests.fakes.random_days``.

Hypothesis looks for the shortest story that breaks a law; the seeded days go for numbers: ``python -m
tests.fakes.random_days 100000 --jobs 2`` for a hundred thousand.
"""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamer.conference import airing, clockwork, taps
from streamer.conference.day import RoomDay, with_sessions
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import SessionState
from tests.fakes.chance import SOAK, seed
from tests.fakes.day_laws import H, Illegal
from tests.fakes.random_days import MIDNIGHT, RandomDay, run_day, untouched_day

MINUTES = st.integers(-10, 30)
DAYS = 20_000 if SOAK else 200


class AnyDay(RuleBasedStateMachine):
    """One room: what may happen to it, in any order."""

    @initialize(seed=st.integers(0, 10_000))
    def plan(self, seed: int) -> None:
        self.one = RandomDay(random.Random(seed))

    def _session(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.one.day.sessions)).id

    def _at(self, data: st.DataObject) -> int | None:
        back = data.draw(st.none() | st.integers(-1, 31 * 60))
        return None if back is None else self.one.wall_ms - back * 1000

    @rule(seconds=st.integers(1, 3000))
    def time_passes(self, seconds: int) -> None:
        end_ms = self.one.wall_ms + seconds * 1000
        while self.one.wall_ms < end_ms:
            self.one.wall_ms = min(end_ms, self.one.wall_ms + 59_000)
            self.one.look(closely=False)

    @rule()
    def to_the_next_start(self) -> None:
        coming = [s.start_ms for s in self.one.day.sessions if s.start_ms > self.one.wall_ms]
        if coming:
            self.time_passes((min(coming) - self.one.wall_ms) // 1000 + 1)

    @rule(by_s=st.integers(-4 * 3600, 4 * 3600))
    def the_clock_steps(self, by_s: int) -> None:
        self.one.wall_ms += by_s * 1000
        self.one.look()

    @rule()
    def the_camera_comes_or_goes(self) -> None:
        self.one.media()

    @rule()
    def the_server_restarts(self) -> None:
        self.one.restart()

    @rule()
    def somebody_plans(self) -> None:
        self.one.edit()

    @rule()
    def somebody_undoes(self) -> None:
        self.one.undo()

    @precondition(lambda self: self.one.day.sessions)
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        self.one.tap(taps.StartTap(self._session(data), self._at(data)))

    @precondition(lambda self: self.one.day.sessions)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        self.one.tap(taps.End(self._session(data), self._at(data)))

    @precondition(lambda self: self.one.day.sessions)
    @rule(data=st.data(), minutes=MINUTES, following=st.booleans())
    def later(self, data: st.DataObject, minutes: int, following: bool) -> None:
        name = self._session(data)
        commands: list[taps.Command] = [taps.Extend(name, minutes), taps.Delay(name, minutes, following)]
        self.one.tap(data.draw(st.sampled_from(commands)))

    @precondition(lambda self: self.one.day.sessions)
    @rule(data=st.data(), yes=st.booleans())
    def whether(self, data: st.DataObject, yes: bool) -> None:
        name = self._session(data)
        commands: list[taps.Command] = [
            taps.Cancel(name),
            taps.Reopen(name),
            taps.ConsentAnswer(name, yes, None),
            taps.ConsentAnswer(name, None, yes),
        ]
        self.one.tap(data.draw(st.sampled_from(commands)))

    @rule(command=st.sampled_from([taps.HoldOn("x"), taps.Resume(True), taps.Resume(), taps.ShowSlate(True)]))
    def all_stop(self, command: taps.Command) -> None:
        self.one.tap(command)

    @rule()
    def ad_hoc(self) -> None:
        self.one.ids += 1
        self.one.tap(taps.AdHoc(f"tap-{self.one.ids}", f"Panel {self.one.ids}."))

    @invariant()
    def the_laws_hold(self) -> None:
        self.one.check()


TestAnyDay = AnyDay.TestCase
TestAnyDay.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.search
def test_random_days_break_no_law() -> None:
    seen: Counter[str] = Counter()
    first = seed()
    for day in range(DAYS):
        seen.update(run_day(first + day).seen)
    for command in ("StartTap", "End", "Reopen", "HoldOn", "Resume", "Delay", "AdHoc", "undo"):
        assert seen[command] > 0, f"the days are too quiet: no {command} in {DAYS}"
    assert seen["on air"] > seen["looks"] // 10


@pytest.mark.search
def test_in_a_tap_room_nothing_is_on_air_without_a_tap_whatever_clock_and_media_do() -> None:
    first = seed()
    seen: Counter[str] = Counter()
    for day in range(60):
        seen.update(untouched_day(first + day).seen)
    assert seen["camera"] > 400, "hardly anything came in"


# --- the laws themselves can be broken --------------------------------------------------------------


def _never_hidden(session: object) -> bool:
    return False


def _public(day: RoomDay, now_ms: int) -> str:
    return "programme" if any(s.running for s in day.sessions) else "slate"


def _cuts(day: RoomDay, now_ms: int) -> RoomDay:
    if day.hold is None and day.start is StartRule.TAP:
        late = [s for s in day.sessions if s.state is SessionState.OVERRUN]
        for session in late:
            return with_sessions(day, clockwork.ended(session, now_ms, now_ms))
    return day


@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (airing, "is_hidden", _never_hidden),
        (airing, "public_shows", _public),
        (airing, "reserved_until_ms", lambda day, now_ms: None),
        (airing, "_kept_by", lambda day, now_ms: ()),
        (airing, "_stretch", lambda day, now_ms: ""),
        (clockwork, "_take_over", _cuts),
        (clockwork, "exposes", lambda running, next_up: False),
        (clockwork, "idle", lambda day, at_ms: True),
        (clockwork, "clock_may_begin", lambda day, due: True),
        (clockwork, "goes_on_air_by_itself", lambda day, now_ms: True),
        (taps, "_not_reserved", lambda day, session, now_ms: None),
        (taps, "last_end_ms", lambda day, besides="": None),
    ],
)
def test_a_rule_that_is_wrong_is_found(
    monkeypatch: pytest.MonkeyPatch, module: object, name: str, wrong: object
) -> None:
    monkeypatch.setattr(module, name, wrong)
    with pytest.raises(Illegal):
        _run(1000)


def _run(days: int) -> None:
    for number in range(days):
        run_day(number)


def test_every_room_setting_is_among_the_days() -> None:
    days = [RandomDay(random.Random(seed)).day for seed in range(60)]
    assert {(day.start, day.between) for day in days} == {
        (start, between) for start in StartRule for between in Between
    }
    assert any(len(day.sessions) > 4 and day.sessions[0].start_ms >= MIDNIGHT + 8 * H for day in days)
