"""The event log as a value."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.realtime.log import Log, LogEntry, Sequence


class Clock:
    def __init__(self, now_ms: int = 1_000_000) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms


def a_log(clock: Clock, **limits: int) -> Log:
    bounds = {"max_events": 100, "max_bytes": 10_000, "max_age_ms": 60_000, **limits}
    return Log(Sequence(clock), **bounds)


def add(log: Log, clock: Clock, size: int = 10, **values: str) -> LogEntry:
    entry = LogEntry(log.next_seq(), clock(), b"x" * size, **values)
    log.append(entry)
    return entry


def test_numbers_go_on_growing_over_a_restart_and_through_a_clock_that_steps_back() -> None:
    clock = Clock()
    sequence = Sequence(clock)
    first = [sequence.next() for _ in range(5)]
    clock.now_ms -= 5000
    assert sequence.next() > first[-1]
    clock.now_ms += 6000
    assert Sequence(clock).next() > sequence.last
    assert Sequence(Clock(4_000_000_000_000)).next() < 2**53


def test_who_comes_back_gets_what_came_after_and_who_comes_late_begins_anew() -> None:
    clock = Clock()
    log = a_log(clock, max_events=10)
    start = log.last
    entries = [add(log, clock) for _ in range(5)]
    assert log.resumes(start)
    assert log.after(entries[2].seq) == entries[3:]
    assert log.behind(entries[2].seq) == (2, 20)
    assert not log.resumes(start - 1)
    assert not log.resumes(entries[-1].seq + 1), "nobody has given that number yet"
    for _ in range(20):
        add(log, clock)
    assert len(log) <= 10
    assert not log.resumes(entries[2].seq)


def test_old_events_go_by_age_and_their_readers_begin_anew() -> None:
    clock = Clock()
    log = a_log(clock)
    old = add(log, clock)
    clock.now_ms += 61_000
    log.trim(clock())
    assert len(log) == 0
    assert log.resumes(old.seq)
    assert not log.resumes(old.seq - 1)


def test_a_newer_reading_takes_the_place_of_the_one_before() -> None:
    clock = Clock()
    log = a_log(clock)
    for _ in range(50):
        add(log, clock, replaces="meters:a")
        add(log, clock, replaces="meters:b")
    said = add(log, clock)
    assert len(log) == 3
    assert log.bytes == 30
    assert log.after(0)[-1] is said


def test_what_is_to_be_forgotten_is_nowhere() -> None:
    clock = Clock()
    log = a_log(clock)
    add(log, clock, about="session:1")
    other = add(log, clock, about="session:2")
    add(log, clock, about="session:1")
    log.forget("session:1")
    assert log.after(0) == [other]


@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "add", "add", "replace", "forget", "wait"]), st.integers(1, 3000)),
        max_size=120,
    )
)
def test_whoever_may_resume_misses_nothing_that_still_counts(steps: list[tuple[str, int]]) -> None:
    clock = Clock()
    log = a_log(clock, max_events=20, max_bytes=8000, max_age_ms=5000)
    start = log.last
    alive: dict[int, LogEntry] = {}
    for what, number in steps:
        if what == "wait":
            clock.now_ms += number
            log.trim(clock())
        elif what == "forget":
            about = f"thing:{number % 3}"
            log.forget(about)
            alive = {seq: entry for seq, entry in alive.items() if entry.about != about}
        else:
            replaces = f"reading:{number % 2}" if what == "replace" else ""
            if replaces:
                alive = {seq: entry for seq, entry in alive.items() if entry.replaces != replaces}
            entry = add(log, clock, number % 900 + 1, about=f"thing:{number % 3}", replaces=replaces)
            alive[entry.seq] = entry
        for since in [start, *alive]:
            if log.resumes(since):
                assert log.after(since) == [entry for seq, entry in alive.items() if seq > since]
                events, size = log.behind(since)
                assert events == len(log.after(since))
                assert size >= sum(len(entry.json) for entry in log.after(since))
        assert len(log) <= 20
        assert log.bytes == sum(len(entry.json) for entry in log.after(0))
        assert log.bytes <= 8000


def test_what_it_knows_by_name_goes_with_the_events() -> None:
    log = Log(Sequence(Clock()), max_events=100, max_bytes=10**6, max_age_ms=1000)
    for number in range(5000):
        seq = log.next_seq()
        log.append(LogEntry(seq, number, b"{}", about=f"chat {number}", replaces=f"votes {number % 7}"))
    assert len(log) <= 100
    assert len(log._newest) + len(log._about) <= 2 * len(log)
    kept = log.after(0)[0]
    log.forget(kept.about)
    assert kept not in log.after(0)
    log.trim(10**9)
    assert (len(log), len(log._newest), len(log._about), log.bytes) == (0, 0, 0, 0)
