"""A day of many rooms in virtual time, through the real director: the audience's view, second by second.

``python -m tests.fakes.simulated_day 10 40`` plays ten rooms with forty sessions each (``--seed``) and prints its
counts. Orders hold until new ones come, so the last orders are checked for every second until then.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from streamer.conference import taps
from streamer.conference.rooms import Room, StartRule
from streamer.conference.sessions import Flag, Kind, Session, Visibility
from streamer.conference.spans import output_name
from streamer.conference.taps import Refused
from streamer.control.messages import RoomConfig
from streamer.director.day_repository import DayChange, DayRepository
from streamer.director.director import Director
from streamer.director.room_alarms import RoomAlarms
from streamer.store.database import Database, StoreUnavailable
from tests.fakes.directing import NINE, TECHNICIAN, Stage
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.fakes.simulated_hall import CLOSED, FAR, Hall, M, S, Shown, Slot
from tests.fakes.simulated_technician import People, Tap, Technician, cables
from tests.fakes.stores import sqlite_store

DAY = 24 * 60 * M
NOON = 6 * 60 * M
"""After the day's first hour."""
LOOK_EVERY = 60 * S
"""Effects of the clock in between are checked when they are due."""
PART = 334


class DayPlane(FakePlane):
    """Remembers the last orders of each room, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.last: dict[str, RoomConfig] = {}

    async def ensure(self, config: RoomConfig) -> FakeRoom:
        self.last[config.id] = config
        return self.rooms.setdefault(config.id, FakeRoom(config))

    async def configure(self, config: RoomConfig) -> None:
        if config.id in self.rooms:
            self.last[config.id] = config


@dataclass
class Count:
    """The number of checks, for the reader of the result."""

    seconds: int = 0
    looks: int = 0
    taps: int = 0
    failed_taps: int = 0
    restarts: int = 0
    steps: int = 0
    holds: int = 0
    drops: int = 0
    cuts: int = 0
    worst_cut_ms: int = 0


class World:
    """Plays halls against a director and compares, second by second."""

    def __init__(self, stage: Stage, halls: list[Hall], rng: random.Random, first: int, last: int) -> None:
        self.stage = stage
        self.halls = {hall.name: hall for hall in halls}
        self.count = Count()
        self._plane: DayPlane = stage.plane  # type: ignore[assignment]
        self._rng = rng
        self._first, self._last = first, last
        self._queue: list[tuple[int, int, str, Any]] = []
        self._serial = 0
        self._failing_until = 0
        self._known: dict[str, tuple[int, Shown]] = {}

    async def play(self) -> Count:
        stage, rng = self.stage, self._rng
        stage.now = self._first
        for hall in self.halls.values():
            self._at(self._first, hall.name, Technician(hall, rng, lambda: stage.now).day())
            for at, up in cables(hall, rng, self._first + 10 * M, self._last):
                self._at(at, hall.name, up)
            for at in (self._first + rng.randrange(60, 800) * M for _ in range(2)):
                self._at(at, hall.name, self._held(hall))
        for at in range(self._first + 30 * M, self._last, 47 * M):
            self._at(at + rng.randrange(60) * S, "", "restart")
        for at in range(self._first + 70 * M, self._last, 130 * M):
            self._at(at + rng.randrange(60) * S, "", "failure")
        for at, by in (
            (NOON + 20 * M, 2 * S),
            (NOON + 24 * M, -17 * S),
            (NOON + 28 * M, 45 * S),
            (NOON + 32 * M, 95 * S),
        ):
            self._at(self._first + at, "", by)
        while stage.now < self._last:
            await self._next()
        await self._failure_over()
        self._check_cuts()
        return self.count

    @property
    def failing(self) -> bool:
        """Whether the database refuses to write."""
        return self._failing_until > 0

    # --- time -----------------------------------------------------------------------------------------

    def _at(self, at: int, hall: str, what: Any) -> None:
        self._serial += 1
        heapq.heappush(self._queue, (at, self._serial, hall, what))

    async def _next(self) -> None:
        now = self.stage.now
        times = [(now // LOOK_EVERY + 1) * LOOK_EVERY, self._queue[0][0] if self._queue else FAR]
        times += [until for until, _ in self._known.values() if until > now]
        if self._failing_until > now:
            times.append(self._failing_until)
        then = max(now, min(times))
        self._between(now, then)
        self.stage.now = then
        for hall in self.halls.values():
            hall.clock(then)
        if self._failing_until and then >= self._failing_until:
            await self._failure_over()
        touched = set() if then % LOOK_EVERY else set(self.halls)
        touched |= {name for name, (until, _) in self._known.items() if until <= then}
        while self._queue and self._queue[0][0] <= self.stage.now:
            _, _, name, what = heapq.heappop(self._queue)
            touched |= {name} if name else set(self.halls)
            await self._happens(name, what)
        for name in touched:
            await self._look(self.halls[name])

    def _between(self, now: int, then: int) -> None:
        """Every second until then shows the last orders."""
        seconds = max(0, (then - 1) // S - now // S)
        for hall in self.halls.values():
            self.count.seconds += seconds
            until, shown = self._known.get(hall.name, (FAR, None))
            assert until >= then, f"{hall.name}: nobody looked at {clock(until)}"
            if shown is not None and seconds:
                self._compare_orders(hall, shown)

    # --- what happens ---------------------------------------------------------------------------------

    async def _happens(self, name: str, what: Any) -> None:
        if isinstance(what, bool):
            await self._camera(self.halls[name], up=what)
        elif isinstance(what, int):
            await self._clock_steps(what)
        elif what == "restart":
            if not self._failing_until:
                self.count.restarts += 1
                self._tell_all("restart")
                await self.stage.restart()
        elif what == "failure":
            self._failing_until = self.stage.now + self._rng.randrange(20, 70) * S
            self._tell_all("the database fails")
        else:
            await self._go_on(self.halls[name], what, None)

    async def _go_on(self, hall: Hall, people: People, answer: str | None) -> None:
        """Until they wait."""
        while True:
            try:
                step = people.send(answer)
            except StopIteration:
                return
            if isinstance(step, int):
                self._at(max(step, self.stage.now), hall.name, people)
                return
            answer = await self._tap(hall, step)

    async def _tap(self, hall: Hall, tap: Tap) -> str | None:
        director, now = self.stage.director, self.stage.now
        self._tell(hall, str(tap.command))
        self.count.taps += 1
        try:
            if isinstance(tap.command, str):
                await director.undo(tap.command, TECHNICIAN)
                action: str | None = "undone"
            else:
                action = (await director.run(hall.name, tap.command, TECHNICIAN)).action or "unchanged"
        except StoreUnavailable:
            self.count.failed_taps += 1
            return None
        except Refused as refused:
            raise AssertionError(self._words(hall, f"refused: {refused.code}")) from refused
        tap.means(now)
        hall.clock(now)
        return action

    def _held(self, hall: Hall) -> People:
        """A fire alarm."""
        now = lambda: self.stage.now  # noqa: E731
        while hall.hold is not None:
            yield now() + 60 * S
        self.count.holds += 1

        def held(at: int) -> None:
            hall.hold = at

        while (yield Tap(taps.HoldOn("Please leave the building"), held)) is None:
            yield now() + 10 * S
        yield now() + self._rng.randrange(60, 400) * S
        shift = self._rng.random() < 0.4
        while (yield Tap(taps.Resume(shift), lambda at: hall.resumed(at, shift))) is None:
            yield now() + 10 * S

    async def _camera(self, hall: Hall, *, up: bool) -> None:
        now = self.stage.now
        self._tell(hall, "camera " + ("comes" if up else "goes"))
        self.count.drops += not up
        if up:
            hall.camera, hall.camera_since = True, now
        else:
            hall.camera, hall.stopped = False, now
        link = await self._plane.ensure(self.stage.director.config(hall.name))
        assert link.status is not None
        link.status.media_up = up
        link.status.media_since_ms, link.status.media_stopped_ms = (now, None) if up else (None, now)
        hall.clock(now)

    async def _clock_steps(self, by: int) -> None:
        self.count.steps += 1
        self._tell_all(f"the clock steps by {by // S} s")
        self.stage.now += by
        for hall in self.halls.values():
            if not 0 <= by <= 60 * S:
                hall.patience = self.stage.now
            hall.clock(self.stage.now)

    async def _failure_over(self) -> None:
        self._failing_until = 0
        await self.stage.look()

    # --- comparing ------------------------------------------------------------------------------------

    async def _look(self, hall: Hall) -> None:
        director, now = self.stage.director, self.stage.now
        self.count.looks += 1
        hall.clock(now)
        await director.look(next(room_state for room_state in director.room_states if room_state.room.id == hall.name))
        shown = hall.expected(now)
        self._known[hall.name] = (hall.next_change(now), shown)
        self._compare_orders(hall, shown)
        at = next((i for i, slot in enumerate(hall.slots) if slot.end > now), 0)
        self._compare_marks(hall, hall.slots[max(0, at - 4) : at + 4])
        public = director.public_status(hall.name)
        told = None if public.current is None else public.current.session
        if public.word not in shown.words or (told and told.title) != shown.title:
            raise AssertionError(self._words(hall, f"told {public.word}, {told and told.title}; {shown}"))
        if shown.reserved is None:
            if public.reserved_until_ms is not None:
                raise AssertionError(self._words(hall, f"reserved until {public.reserved_until_ms}; {shown}"))
        else:
            planned, late = shown.reserved
            least = planned if planned >= now else -(-now // M) * M
            if public.reserved_until_ms is None or not least <= public.reserved_until_ms <= least + late:
                raise AssertionError(self._words(hall, f"reserved until {public.reserved_until_ms}, not {least}"))
        told_of = {one.session.id for one in (public.current, public.next) if one is not None} | set(public.shown or ())
        words = orders_words(self._plane.last.get(hall.name))
        if any(slot.id in told_of or slot.title in words for slot in hall.slots if slot.kind in CLOSED):
            raise AssertionError(self._words(hall, "a closed session is told of"))

    def _compare_marks(self, hall: Hall, slots: Iterable[Slot]) -> None:
        for slot in slots:
            session = self.stage.session(slot.id)
            for is_at, was_at in ((session.started_ms, slot.began), (session.ended_ms, slot.ended)):
                if (is_at is None) != (was_at is None):
                    raise AssertionError(self._words(hall, f"{slot.title}: {clock(is_at)}, not {clock(was_at)}"))
                if is_at is not None and was_at is not None:
                    self.count.worst_cut_ms = max(self.count.worst_cut_ms, abs(is_at - was_at))
                    if abs(is_at - was_at) > PART:
                        raise AssertionError(self._words(hall, f"{slot.title}: cut at {clock(is_at)}, {clock(was_at)}"))

    def _compare_orders(self, hall: Hall, shown: Shown) -> None:
        config = self._plane.last.get(hall.name)
        if config is None:
            return
        orders = config.orders
        private = next((output.name for output in orders.outputs if output.shows == "programme"), None)
        wanted = next((output_name(session_of(hall, slot)) for slot in hall.slots if slot.id == shown.private), None)
        if orders.public != shown.shows or private != wanted:
            raise AssertionError(self._words(hall, f"ordered {orders.public}, {private}; {shown}"))
        if shown.record is not None and orders.record != shown.record:
            raise AssertionError(self._words(hall, f"record is {orders.record}; {shown}"))

    def _check_cuts(self) -> None:
        for hall in self.halls.values():
            self._compare_marks(hall, hall.slots)
            self.count.cuts += sum(slot.ended is not None for slot in hall.slots)

    def _tell(self, hall: Hall, what: str) -> None:
        for slot in hall.slots:
            what = what.replace(slot.id, slot.title)
        hall.story.append(f"{clock(self.stage.now)} {what}")

    def _tell_all(self, what: str) -> None:
        for hall in self.halls.values():
            self._tell(hall, what)

    def _words(self, hall: Hall, what: str) -> str:
        now = self.stage.now
        near = [
            f"  {s.title} {clock(s.start)}-{clock(s.planned_end)}: {clock(s.began)} to {clock(s.ended)}"
            for s in hall.slots
            if s.start < now + 30 * M and s.planned_end > now - 60 * M
        ]
        return "\n".join(
            [f"{clock(now)} {hall.name} ({'auto' if hall.auto else 'tap'}): {what}", *near, *hall.story[-15:]]
        )


def orders_words(config: RoomConfig | None) -> str:
    """The text of the slate."""
    return "" if config is None else f"{config.orders.slate.title} {config.orders.slate.text}"


def clock(ms: int | None) -> str:
    if ms is None:
        return "-"
    return "never" if ms >= FAR else datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M:%S")


# --- a plan -----------------------------------------------------------------------------------------


def plan_of(name: str, number: int, sessions: int, rng: random.Random, first: int) -> Hall:
    """Sessions of eight to twenty-five minutes with an hour's lunch, and one on the next morning."""
    slots: list[Slot] = []
    at, before, lunch = first + 30 * M, "open", False
    for index in range(sessions):
        if at >= first + NOON and not lunch:
            slots.append(Slot(secrets.token_urlsafe(9), f"{name} lunch", at, at + 60 * M, "break"))
            at, lunch, before = at + 60 * M, True, "break"
        kinds = ["open"] * 10 + (["break"] if before == "open" else [])
        if before in ("open", "break") and index:
            kinds += ["private", "unlisted", "unstreamed", "unrecorded"]
        kind = rng.choice(kinds)
        length = rng.randrange(8, 26) * M
        slots.append(Slot(secrets.token_urlsafe(9), f"{name} {kind} {index:02}", at, at + length, kind))
        at += length + rng.choice((0, 0, 1, 3, 5)) * M
        before = kind
    slots.append(Slot(secrets.token_urlsafe(9), f"{name} tomorrow", at + 9 * 60 * M, at + 10 * 60 * M))
    return Hall(name, number % 3 == 2, slots, len(slots) - 1)


def session_of(hall: Hall, slot: Slot) -> Session:
    closed = {"private": Visibility.PRIVATE, "unlisted": Visibility.UNLISTED}
    return Session(
        id=slot.id,
        room=hall.name,
        title=slot.title,
        start_ms=slot.start,
        end_ms=slot.end,
        kind=Kind.BREAK if slot.kind == "break" else Kind.CONFERENCE,
        visibility=closed.get(slot.kind, Visibility.PUBLIC),
        do_not_stream=Flag.YES if slot.kind == "unstreamed" else Flag.NO,
        do_not_record=Flag.YES if slot.kind == "unrecorded" else Flag.NO,
    )


class FailingDayRepository(DayRepository):
    """Its writes fail while ``failing`` says so."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.failing: Callable[[], bool] = lambda: False

    async def write(self, change: DayChange, venue: str | None = None) -> tuple[int, int]:
        if self.failing():
            raise StoreUnavailable("The disk is full.")
        return await super().write(change, venue)


@dataclass
class DayStage(Stage):
    """Without memory of the news, over a database that may fail."""

    failing: Callable[[], bool] = lambda: False

    def _director(self) -> Director:
        room_alarms = RoomAlarms(self.notices, lambda: None)
        day_repository = FailingDayRepository(self.database)
        day_repository.failing = lambda: self.failing()
        return Director(day_repository, self.plane, clock=lambda: self.now, room_alarms=room_alarms, logos=self.folder)


async def simulate(folder: Path, rooms: int, sessions: int, seed: int) -> Count:
    """Raises AssertionError if the audience's view, the facts or the cuts differ from the true events."""
    rng = random.Random(seed)
    database = sqlite_store(folder)
    await database.start()
    try:
        first = (NINE // DAY) * DAY + 6 * 60 * M
        stage = DayStage(database, folder, plane=DayPlane(), now=first)
        halls = [plan_of(f"r{n}", n, sessions, rng, first) for n in range(rooms)]
        await stage.open(
            *(Room(h.name, h.name, "paris", start=StartRule.AUTO if h.auto else StartRule.TAP) for h in halls)
        )
        await stage.director.add([session_of(hall, slot) for hall in halls for slot in hall.slots], TECHNICIAN)
        last = max(hall.slots[hall.today - 1].end for hall in halls) + 60 * M
        world = World(stage, halls, rng, first, last)
        stage.failing = lambda: world.failing
        return await world.play()
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rooms", type=int, nargs="?", default=10)
    parser.add_argument("sessions", type=int, nargs="?", default=40)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        print(asyncio.run(simulate(Path(folder), arguments.rooms, arguments.sessions, arguments.seed)))
    print(f"{time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
