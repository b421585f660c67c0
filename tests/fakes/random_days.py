"""Random days: plans, taps, cameras, clocks that step, restarts; the laws of ``day_laws.py`` hold at all times.

``python -m tests.fakes.random_days 100000`` runs that many (``--seed``, ``--jobs``) and prints its findings.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace

from streamer.conference import airing, taps
from streamer.conference.alarms import AlarmInputs, alarms_of
from streamer.conference.clockwork import advance
from streamer.conference.day import MediaState, RoomDay, find, sorted_day, with_sessions, without_sessions
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Kind, Session, SessionState, Visibility
from streamer.conference.undo import Effect, effect, restore
from tests.fakes.day_laws import (
    RUNS,
    WAITING,
    H,
    Illegal,
    M,
    check_clock,
    check_lives,
    check_shown,
    check_tap,
    essence,
    law,
    running_of,
)

MIDNIGHT = 1_792_368_000_000  # a Monday in October, UTC


@dataclass
class RandomDay:
    """One room's day from seven in the morning, driven by ``rng``. ``wall_ms`` is the clock's time."""

    rng: random.Random
    day: RoomDay = field(init=False)
    wall_ms: int = MIDNIGHT + 7 * H
    latest_ms: int = MIDNIGHT + 7 * H
    """The latest that the clock has ever said: media times do not run back."""
    done: list[Effect] = field(default_factory=list)
    ids: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = self.rng
        self.day = RoomDay(
            "room",
            name="Room",
            start=rng.choice((StartRule.TAP, StartRule.AUTO)),
            between=rng.choice(tuple(Between)),
            zone=rng.choice(("UTC", "Europe/Paris")),
        )
        self.day = sorted_day(self.day, self.plan())

    def plan(self) -> list[Session]:
        rng, sessions = self.rng, []
        at_ms = MIDNIGHT + 8 * H + rng.choice((0, 0, 0, 30 * M, 6 * H, 14 * H))
        for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 6))):
            length = rng.choice((5, 15, 30, 45, 45, 60, 90)) * M
            sessions.append(self.session(at_ms, at_ms + length))
            at_ms += rng.choice((length, length, length, length + 15 * M, length // 2, length + 90 * M))
        return sessions

    def session(self, start_ms: int, end_ms: int) -> Session:
        rng = self.rng
        self.ids += 1
        name = f"s{self.ids}x"
        kind = rng.choice((Kind.CONFERENCE,) * 6 + (Kind.BREAK, Kind.SOCIAL))
        visibility = Visibility.PUBLIC if rng.random() < 0.7 else rng.choice((Visibility.PRIVATE, Visibility.UNLISTED))
        return Session(
            id=f"id-{name}",
            room="room",
            title=f"Title {name}",
            speakers=(f"Speaker {name}",),
            start_ms=start_ms,
            end_ms=end_ms,
            kind=kind,
            visibility=visibility,
            do_not_record=rng.choice((Flag.NO,) * 6 + (Flag.YES, Flag.ASK)),
            do_not_stream=rng.choice((Flag.NO,) * 6 + (Flag.YES, Flag.ASK)),
        )

    # --- one step ---------------------------------------------------------------------------------

    def run(self, steps: int) -> None:
        for _ in range(steps):
            self.step()

    def step(self) -> None:
        roll = self.rng.random()
        if roll < 0.40:
            self.wait()
        elif roll < 0.72:
            self.tap()
        elif roll < 0.84:
            self.media()
        elif roll < 0.91:
            self.undo()
        elif roll < 0.94:
            self.edit()
        elif roll < 0.97:
            self.restart()
        else:
            self.clock_steps()

    def wait(self) -> None:
        """Time passes; the rules look every second, which shows at its ends."""
        length = self.rng.choice((1_000, 20_000, M, 3 * M, 5 * M, 5 * M, 10 * M, 20 * M, 45 * M))
        end_ms = self.wall_ms + length
        self.story.append(f"wait {length // 1000} s")
        while self.wall_ms < end_ms:
            self.wall_ms = min(end_ms, self.wall_ms + self.rng.choice((1_000, 58_000, 59_000, 59_000, 59_000)))
            self.look(closely=self.wall_ms == end_ms or self.rng.random() < 0.1)

    def look(self, closely: bool = True) -> None:
        """The rules look. Not ``closely``: the shown content is checked only if a session changed."""
        self.latest_ms = max(self.latest_ms, self.wall_ms)
        before = self.day
        if not before.spare_id:
            self.ids += 1
            before = replace(before, spare_id=f"spare-{self.ids}.")
        after = advance(before, self.wall_ms)
        if after.sessions is not before.sessions:
            check_clock(before, after, self.wall_ms)
            again = advance(after, self.wall_ms)
            law(again == after, "the clock does more when it is asked twice")
        self.day = after
        if closely or after.sessions is not before.sessions:
            self.check()

    def check(self) -> None:
        check_lives(self.day, self.latest_ms)
        check_shown(self.day, self.wall_ms)
        running = running_of(self.day)
        self.seen["looks"] += 1
        if running is not None:
            self.seen["on air"] += 1
        if self.rng.random() < 0.1:
            ids = [alarm.id for alarm in alarms_of(self.day, self.wall_ms, AlarmInputs(disk_left_s=9))]
            law(len(set(ids)) == len(ids), "two alarms of one id")

    def tap(self, command: taps.Command | None = None) -> None:
        """Any command, or this one, and its undo; its effect is kept for a later undo."""
        command = command or self.command()
        before = advance(self.day, self.wall_ms)
        self.day = before
        try:
            after = taps.apply(before, command, self.wall_ms)
        except taps.Refused as refused:
            self.story.append(f"{command} refused: {refused.code}")
            self.seen[f"refused {refused.code}"] += 1
            return
        self.story.append(str(command))
        self.seen[type(command).__name__] += 1
        check_tap(before, after, self.wall_ms)
        law(after is before or after != before, "a tap that changes nothing makes a new day")
        again = replace(after)
        if not isinstance(command, taps.Extend | taps.Delay):
            law(taps.apply(again, command, self.wall_ms) is again, f"{command} twice is not {command} once")
        done = effect(before, after)
        if not done.empty:
            undone = restore(after, done, self.wall_ms)
            law(essence(undone) == essence(before), f"the undo of {command} does not bring back what was")
            settled = advance(after, self.wall_ms)
            self.done.append(effect(before, settled))
        self.day = after
        self.look()

    def command(self) -> taps.Command:
        rng = self.rng
        now = self.wall_ms
        near = [s for s in self.day.sessions if s.running or abs(s.start_ms - now) < H or abs(s.end_ms - now) < H]
        session = rng.choice(near or self.day.sessions or (None,))
        at = rng.choice((None, None, now, now - rng.randrange(0, 40 * M), now - rng.randrange(0, 5 * M), now + 1_000))
        if session is None:
            self.ids += 1
            return rng.choice((taps.AdHoc(f"tap-{self.ids}."), taps.ShowSlate(rng.random() < 0.5), taps.Gain(3.0)))
        roll = rng.random()
        name = session.id
        if roll < 0.38:
            running = [s for s in near if s.running]
            return taps.StartTap(name, at) if rng.random() < 0.9 or not running else taps.StartTap(running[0].id, at)
        if roll < 0.54:
            running = [s for s in near if s.running]
            return taps.End(running[0].id if running and rng.random() < 0.7 else name, at)
        if roll < 0.60:
            return taps.Extend(name, rng.choice((5, 10, 30, 0)))
        if roll < 0.68:
            return taps.Delay(name, rng.choice((-10, 0, 5, 10, 30)), rng.random() < 0.6)
        if roll < 0.71:
            return taps.Cancel(name)
        if roll < 0.79:
            over = [s for s in self.day.sessions if s.state in (SessionState.ENDED, SessionState.CANCELLED)]
            return taps.Reopen(rng.choice(over or [session]).id)
        if roll < 0.82:
            self.ids += 1
            return taps.AdHoc(f"tap-{self.ids}.", rng.choice(("", f"Panel {self.ids}.")))
        if roll < 0.88:
            return taps.ConsentAnswer(name, rng.choice((None, True, False)), rng.choice((None, True, False)))
        if roll < 0.91:
            return taps.HoldOn("Alarm", None)
        if roll < 0.95:
            return taps.Resume(rng.random() < 0.5)
        return rng.choice(
            (
                taps.ShowSlate(True),
                taps.ShowSlate(False),
                taps.ShowSlate(False),
                taps.TakeSource("desk"),
                taps.Gain(-3.0),
            )
        )

    def media(self) -> None:
        at_ms = max(self.wall_ms, self.latest_ms - 2_000)
        self.latest_ms = max(self.latest_ms, at_ms)
        up = not self.day.media.up
        known = MediaState(up, at_ms if up else None, None if up else at_ms, True)
        self.story.append("camera comes" if up else "camera goes")
        self.day = replace(self.day, media=known)
        self.look()

    def undo(self) -> None:
        if not self.done:
            return
        done = self.done.pop() if self.rng.random() < 0.7 else self.done.pop(self.rng.randrange(len(self.done)))
        try:
            self.day = restore(advance(self.day, self.wall_ms), done, self.wall_ms)
        except taps.Refused as refused:
            law(refused.code == "superseded", "an undo refused for another reason")
            self.seen["refused undo"] += 1
            return
        self.story.append(
            f"undo {[(i.id, i.before and i.before.state, i.after and i.after.state) for i in done.sessions]}"
        )
        self.seen["undo"] += 1
        self.look()

    def edit(self) -> None:
        """The organiser plans: something new, something gone, something private now."""
        rng = self.rng
        waiting = [s for s in self.day.sessions if s.state in WAITING]
        roll = rng.random()
        if roll < 0.4 or not waiting:
            start_ms = self.wall_ms + rng.randrange(-H, 3 * H)
            self.day = with_sessions(self.day, self.session(start_ms, start_ms + 45 * M))
        elif roll < 0.6:
            self.day = without_sessions(self.day, [rng.choice(waiting).id])
        else:
            session = rng.choice(self.day.sessions)
            edited = rng.choice(
                (
                    replace(session, visibility=Visibility.PRIVATE),
                    replace(session, do_not_record=Flag.YES),
                    replace(session, title=f"{session.title} again"),
                )
            )
            self.day = with_sessions(self.day, edited)
        self.story.append("an edit")
        self.done.clear()
        self.look()

    def restart(self) -> None:
        """Another web process: it has the stored data only, and the media come a little later."""
        day, media = self.day, self.day.media
        self.day = RoomDay(
            day.room,
            day.name,
            day.start,
            day.between,
            day.sessions,
            MediaState(),
            day.hold,
            day.slate,
            day.source,
            day.sources,
            day.zone,
        )
        self.story.append("restart")
        self.wall_ms += self.rng.choice((1_000, 20_000, 3 * M, 20 * M))
        self.look()
        law(essence(self.day)[1:] == essence(day)[1:], "a restart forgot something")  # type: ignore[index]
        self.wall_ms += 1_000
        self.day = replace(self.day, media=media)
        self.look()

    def clock_steps(self) -> None:
        by_ms = self.rng.choice((-3 * H, -H, -10 * M, -5_000, 5_000, 10 * M, H, 3 * H))
        self.story.append(f"the clock steps {by_ms // 1000} s")
        running = running_of(self.day)
        self.wall_ms += by_ms
        self.look()
        if running is not None and abs(by_ms) > M:
            # A step of some seconds is time like any other: what was due then happens.
            now = find(self.day, running.id)
            law(now is not None and now.state in RUNS, "a step of the clock cut a session")

    def tale(self) -> str:
        lines = [
            f"{s.id} {s.kind.value} {s.visibility.value} rec={s.do_not_record.value} stream={s.do_not_stream.value} "
            f"{(s.start_ms - MIDNIGHT) / M:.0f}-{(s.end_ms - MIDNIGHT) / M:.0f} {s.state.value} "
            f"{s.started_ms and (s.started_ms - MIDNIGHT) / M} {s.ended_ms and (s.ended_ms - MIDNIGHT) / M}"
            for s in self.day.sessions
        ]
        minute = (self.wall_ms - MIDNIGHT) / M
        return "\n".join([f"{self.day.start} {self.day.between} at {minute:.2f} {self.day.media}", *lines, *self.story])


def run_day(seed: int, steps: int = 40) -> RandomDay:
    """Raises :class:`Illegal` with the day's tale."""
    one = RandomDay(random.Random(seed))
    try:
        one.run(steps)
    except Exception as error:
        raise Illegal(f"day {seed}: {error!r}\n{one.tale()}") from error
    return one


def untouched_day(seed: int, steps: int = 40) -> RandomDay:
    """A tap room that nobody taps in: time passes, cameras come and go, plans change, the clock steps, the server
    restarts, the technician's slate and holds go on and off. Raises :class:`Illegal` where anything is on air."""
    one = RandomDay(random.Random(seed))
    one.day = replace(one.day, start=StartRule.TAP)
    rng = one.rng
    try:
        for _ in range(steps):
            rng.choice((one.wait, one.media, one.media, one.edit, one.restart, one.clock_steps))()
            if rng.random() < 0.2:
                one.tap(
                    rng.choice(
                        (taps.ShowSlate(True), taps.ShowSlate(False), taps.HoldOn(), taps.Resume(), taps.Resume(True))
                    )
                )
            told = airing.orders(one.day, one.wall_ms)
            law(running_of(one.day) is None, "a session is on air without a tap")
            law(told.public == "slate", "the public sees a room that nobody has put on air")
            law(all(output.shows == "slate" for output in told.outputs), "an output shows what nobody put on air")
            one.seen["camera"] += one.day.media.up
    except Exception as error:
        raise Illegal(f"untouched day {seed}: {error!r}\n{one.tale()}") from error
    return one


def run_days(first: int, count: int) -> tuple[Counter[str], list[str]]:
    seen: Counter[str] = Counter()
    wrong = []
    for seed in range(first, first + count):
        try:
            seen.update(run_day(seed).seen)
        except Illegal as error:
            wrong.append(str(error))
            if len(wrong) >= 5:
                break
    return seen, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("days", type=int, nargs="?", default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    args = parser.parse_args()
    began = time.perf_counter()
    piece = max(1, min(1000, args.days // args.jobs))
    starts = range(args.seed, args.seed + args.days, piece)
    counts = [min(piece, args.seed + args.days - start) for start in starts]
    seen: Counter[str] = Counter()
    wrong: list[str] = []
    with ProcessPoolExecutor(args.jobs) as pool:
        for some, bad in pool.map(run_days, starts, counts):
            seen.update(some)
            wrong += bad
    took_s = time.perf_counter() - began
    for name, count in sorted(seen.items()):
        print(f"{name:28} {count:>10}")
    print(f"{args.days} days in {took_s:.1f} s; {len(wrong)} broke a law")
    for tale in wrong:
        print(tale.splitlines()[0])
    for tale in wrong[:3]:
        print(tale)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
