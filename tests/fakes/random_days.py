"""Days at random: plans, taps, cameras, clocks that step, restarts; and what must hold at every moment of them.

``python -m tests.fakes.random_days 100000`` runs that many (``--seed``, ``--jobs``) and says what it found.
The laws are written from the issue's words, not from the rules: they read sessions and orders only.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise

from streamer.conference import airing, taps
from streamer.conference.alarms import AlarmInputs, alarms_of
from streamer.conference.clockwork import advance
from streamer.conference.day import MediaState, RoomDay, find, sorted_day, with_sessions, without_sessions
from streamer.conference.rooms import Between, StartRule
from streamer.conference.sessions import Flag, Kind, Session, SessionState, Visibility
from streamer.conference.spans import output_name
from streamer.conference.undo import Effect, effect, restore

M = 60_000
H = 60 * M
MIDNIGHT = 1_792_368_000_000  # a Monday in October, UTC
AHEAD = 150
"""Milliseconds by which a room may obey a closed session early: its first picture is not to be seen."""
WAITING = frozenset({SessionState.SCHEDULED, SessionState.ARMED})
RUNS = frozenset({SessionState.ON_AIR, SessionState.OVERRUN})

BY_CLOCK = {
    SessionState.SCHEDULED: WAITING | RUNS,
    SessionState.ARMED: WAITING | RUNS,
    SessionState.ON_AIR: RUNS | {SessionState.ENDED},
    SessionState.OVERRUN: RUNS | {SessionState.ENDED},
    SessionState.ENDED: frozenset({SessionState.ENDED}),
    SessionState.CANCELLED: frozenset({SessionState.CANCELLED}),
}
BY_TAP = {
    SessionState.SCHEDULED: BY_CLOCK[SessionState.SCHEDULED] | {SessionState.CANCELLED},
    SessionState.ARMED: BY_CLOCK[SessionState.ARMED] | {SessionState.CANCELLED},
    SessionState.ON_AIR: BY_CLOCK[SessionState.ON_AIR],
    SessionState.OVERRUN: BY_CLOCK[SessionState.OVERRUN],
    SessionState.ENDED: RUNS | {SessionState.ENDED},
    SessionState.CANCELLED: WAITING | {SessionState.CANCELLED},
}
"""What one tap, and the clock right after it, may make of a session. An undo may do the reverse of any."""


class Illegal(AssertionError):
    """A law was broken."""


def law(holds: bool, what: str) -> None:
    if not holds:
        raise Illegal(what)


# --- laws -------------------------------------------------------------------------------------------


def may_not_be_seen(session: Session) -> bool:
    return session.visibility is not Visibility.PUBLIC or not session.streamed


def decided(session: Session) -> bool:
    """Whether the room has to obey it by itself."""
    no_stream = session.do_not_stream is Flag.YES or (
        session.do_not_stream is Flag.ASK and session.stream_answer is False
    )
    return session.visibility is not Visibility.PUBLIC or no_stream or not session.recorded


def running_of(day: RoomDay) -> Session | None:
    found = [s for s in day.sessions if s.state in RUNS]
    law(len(found) <= 1, "two sessions are on air in one room")
    return found[0] if found else None


def in_their_time(day: RoomDay, now_ms: int, running: Session | None) -> list[Session]:
    """The guarded sessions that have not begun although it is time, and that nobody's extension holds off."""
    until_ms = (running.extended_until_ms or 0) if running is not None else 0
    return [
        s
        for s in day.sessions
        if s.state in WAITING
        and s.kind is not Kind.BREAK
        and s.start_ms - AHEAD <= now_ms < s.end_ms
        and decided(s)
        and until_ms - AHEAD <= now_ms
    ]


def check_lives(day: RoomDay, latest_ms: int) -> None:
    """Marks fit states, and no two sessions share minutes."""
    lives = []
    for s in day.sessions:
        began = s.state in RUNS or s.state is SessionState.ENDED
        law((s.started_ms is not None) == began, f"start mark of a session that is {s.state}")
        law((s.ended_ms is not None) == (s.state is SessionState.ENDED), f"end mark of a session that is {s.state}")
        law(s.kind is not Kind.BREAK or not began, "a break was on air")
        law(s.start_ms <= s.end_ms, "a session ends before it begins")
        if s.started_ms is not None:
            law(s.started_ms <= latest_ms, "a start mark in the future")
            if s.ended_ms is not None:
                law(s.started_ms <= s.ended_ms <= latest_ms, "an end mark before the start or in the future")
            lives.append((s.started_ms, s.ended_ms if s.ended_ms is not None else latest_ms + 1))
    lives.sort()
    for (_, end_ms), (start_ms, _) in pairwise(lives):
        law(end_ms <= start_ms, "two sessions share minutes")


def check_shown(day: RoomDay, now_ms: int) -> None:
    """Who sees and keeps what: hold, privacy, slate, session."""
    told = airing.orders(day, now_ms)
    running = running_of(day)
    due = in_their_time(day, now_ms, running)
    hidden = (running is not None and may_not_be_seen(running)) or any(may_not_be_seen(s) for s in due)
    shut = day.hold is not None or day.slate or hidden
    if told.public != "slate":
        law(not shut, "the public sees what it must not")
        if running is None:
            check_between(day, now_ms, told.public)
        else:
            law(told.public == "programme", "a public session without its sound")
    elif running is not None:
        law(shut, "a public session that is on air is not shown")
    unrecorded = (running is not None and not running.recorded) or any(not s.recorded for s in due)
    law(not (unrecorded and told.record), "what must not be recorded is")
    if running is not None and not unrecorded:
        law(told.record, "a session is not recorded")
    if running is not None and (running.closed or not running.recorded):
        law(told.stretch == running.id, "minutes of a closed or unrecorded session lie with others")
    elif running is not None and not due:
        law(told.stretch == "", "minutes of a public session lie apart")
    for output in told.outputs:
        owner = next((s for s in day.sessions if output_name(s) == output.name), None)
        law(owner is not None and owner.closed, "an output of no closed session")
        if output.shows != "slate":
            law(owner is running and owner is not None and owner.streamed, "an output shows another's programme")
            law(day.hold is None, "an output is on air in a hold")
    check_told(day, now_ms, told.slate)


def check_between(day: RoomDay, now_ms: int, shows: str) -> None:
    """What is public with nothing on air: the room's own wish, or a room that nobody has planned anything in."""
    law(
        all(not (may_not_be_seen(s) and s.state is SessionState.ARMED and s.start_ms <= now_ms) for s in day.sessions),
        "the room is shown in the time of a closed session",
    )
    if day.start is StartRule.AUTO and not day.media.up and shows == "programme":
        planned = [
            s for s in day.sessions if s.state in WAITING and s.end_ms > now_ms and s.start_ms <= now_ms + 12 * H
        ]
        if not planned:
            return
    law(day.between is not Between.SLATE, "the room is shown between sessions although it is set to the slate")
    law((day.between is Between.OPEN) == (shows == "programme"), "the room is not shown as it is set")
    last = max((s for s in day.sessions if s.ended_ms is not None), key=lambda s: s.ended_ms or 0, default=None)
    law(last is not None, "the room is shown before its first session")
    law(last is None or not may_not_be_seen(last), "the room is shown right after a closed session")


def check_told(day: RoomDay, now_ms: int, slate: object) -> None:
    """Nothing of a closed session in what anybody may be told."""
    face = airing.public_face(day, now_ms)
    text = f"{face!r} {slate!r}"
    running = running_of(day)
    for s in day.sessions:
        if s.closed:
            words = {s.id, s.title, output_name(s), *s.speakers} - {"", day.name}
            # A whole word: an id may begin like another's.
            told = [word for word in words if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text)]
            law(not told, "a closed session is told")
    law(face.current is None or face.current.session is running, "another session is told as being on air")
    closed = [s for s in (running, *in_their_time(day, now_ms, running)) if s is not None and s.closed]
    law((face.reserved_until_ms is not None) == bool(closed), "reserved is told where it is not, or is not where it is")
    law(face.reserved_until_ms is None or face.reserved_until_ms >= now_ms - M, "reserved until a time that has passed")
    if face.shown is not None:
        for s in day.sessions:
            times = face.shown.get(s.id)
            if times is not None and s.state in WAITING:
                law(times.start_ms >= s.start_ms and times.end_ms >= s.end_ms, "a session is shown early")


def check_clock(before: RoomDay, after: RoomDay, now_ms: int) -> None:
    """What happened between two values by itself."""
    old = {s.id: s for s in before.sessions}
    for s in after.sessions:
        was = old.pop(s.id, None)
        if was is None:
            law(s.ad_hoc and s.state in RUNS and after.media.up, "a session came from nowhere")
            planned = [p for p in before.sessions if p.state in WAITING and p.end_ms > now_ms]
            law(
                all(p.start_ms > now_ms + 12 * H for p in planned),
                "a room went on air by itself with something planned",
            )
            law(not after.slate, "a room went on air by itself behind the slate")
            law(after.start is StartRule.AUTO, "a camera put a tap room on air")
            continue
        law(s.state in BY_CLOCK[was.state], f"the clock made {s.state} of {was.state}")
        law((s.start_ms, s.end_ms, s.delay_ms) == (was.start_ms, was.end_ms, was.delay_ms), "the clock moved a session")
        if was.started_ms is not None:
            law(s.started_ms == was.started_ms, "the clock moved a start mark")
        elif s.started_ms is not None:
            law(after.media.up, "the clock began a session with nothing coming in")
            early = AHEAD if decided(s) else 0
            law(s.start_ms - early <= now_ms < s.end_ms, "the clock began a session out of its time")
            law(
                after.start is StartRule.AUTO or (decided(s) and was_on_air(before, s)),
                "the clock began a session that wants a tap",
            )
        if was.state in RUNS and s.state is SessionState.ENDED:
            check_ended_by_clock(before, after, was, s, now_ms)
        if before.hold is not None:
            law(s == was, "the clock changed a session in a hold")
    law(not old, "a session went nowhere")


def was_on_air(day: RoomDay, due: Session) -> bool:
    """Whether what the camera shows had been on air, as somebody had tapped, when the time of ``due`` came."""
    if running_of(day) is not None:
        return True
    ends = [max(s.ended_ms, s.changed_ms or 0) for s in day.sessions if s.ended_ms is not None]
    since_ms = max(due.start_ms - AHEAD, day.media.up_since_ms or 0)
    return max(ends, default=0) >= since_ms


def check_ended_by_clock(before: RoomDay, after: RoomDay, was: Session, s: Session, now_ms: int) -> None:
    media = before.media
    if not media.up and media.stopped_ms is not None and now_ms - media.stopped_ms >= 10 * M:
        law(s.ended_ms is not None and s.ended_ms >= media.stopped_ms, "an end mark before the media stopped")
        return
    law((was.extended_until_ms or 0) - AHEAD <= now_ms, "the clock cut what a person had extended")
    if in_their_time(before, now_ms, was):
        return
    begun = running_of(after)
    law(after.start is StartRule.AUTO and begun is not None, "the clock alone cut a session that was on air")
    if begun is not None:
        law(begun.start_ms <= now_ms - min(10 * M, (begun.end_ms - begun.start_ms) // 2), "taken over too soon")
        law(not (may_not_be_seen(was) and not may_not_be_seen(begun)), "the clock showed the rest of a closed session")
        law(was.recorded or not begun.recorded, "the clock recorded the rest of an unrecorded session")


def check_tap(before: RoomDay, after: RoomDay, now_ms: int) -> None:
    old = {s.id: s for s in before.sessions}
    begun = running_of(after)
    if begun is not None and (begun.id not in old or old[begun.id].state not in RUNS):
        reserved = in_their_time(before, now_ms, running_of(before))
        law(not reserved or begun.id in {s.id for s in reserved}, "a session begins in the time of a closed one")
    for s in after.sessions:
        was = old.get(s.id)
        if was is not None:
            law(s.state in BY_TAP[was.state], f"a tap made {s.state} of {was.state}")


def essence(day: RoomDay) -> object:
    """What an undo has to bring back: all but when it was last changed, and what follows from the time."""
    stage = {SessionState.ARMED: SessionState.SCHEDULED, SessionState.OVERRUN: SessionState.ON_AIR}
    sessions = {replace(s, changed_ms=None, state=stage.get(s.state, s.state)) for s in day.sessions}
    return sessions, day.hold, day.slate, day.source, day.gain_db


# --- days -------------------------------------------------------------------------------------------


@dataclass
class RandomDay:
    """One room's day from seven in the morning, driven by ``rng``. ``wall_ms`` is what the clock says."""

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
        """The rules look. Not ``closely``: what is shown is checked only where a session changed."""
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
        """Any command, or this one, and its undo; what it did is kept for an undo later."""
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
            return rng.choice((taps.AdHoc(f"tap-{self.ids}."), taps.Slate(rng.random() < 0.5), taps.Gain(3.0)))
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
        return rng.choice((taps.Slate(True), taps.Slate(False), taps.Slate(False), taps.Take("desk"), taps.Gain(-3.0)))

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
        """The web process is another: what is stored is all that there is, and the media come a little later."""
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
            day.gain_db,
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
                    rng.choice((taps.Slate(True), taps.Slate(False), taps.HoldOn(), taps.Resume(), taps.Resume(True)))
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
