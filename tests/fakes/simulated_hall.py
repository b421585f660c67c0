"""The true events in one room of a simulated day, and the content that the audience should see.

Written from the issue's words; it knows nothing of the rules. Times are UTC milliseconds of the server's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

S = 1_000
M = 60 * S
HIDDEN = frozenset({"private", "unlisted", "unstreamed"})
CLOSED = frozenset({"private", "unlisted"})
GUARDED = HIDDEN | {"unrecorded"}
WAIT_FOR_MEDIA = 10 * M
TAKE_OVER = 10 * M
FAR = 1 << 60


@dataclass(eq=False)
class Slot:
    """A session as people know it. ``kind``: ``open``, a break, or a kind that must not be seen or kept."""

    id: str
    title: str
    start: int
    end: int
    kind: str = "open"
    extended: int = 0
    began: int | None = None
    ended: int | None = None
    cancelled: bool = False
    touched: int = 0
    """When a person last started, extended or reopened it."""

    @property
    def waiting(self) -> bool:
        return self.began is None and not self.cancelled and self.kind != "break"

    @property
    def planned_end(self) -> int:
        return max(self.end, self.extended)


@dataclass(frozen=True)
class Shown:
    """The content that the audience should see, and the facts that it should be told."""

    shows: str
    words: tuple[str, ...]
    title: str | None = None
    reserved: tuple[int, int] | None = None
    """The planned end, and the time by which it may be told later while a hold delays its start."""
    private: str | None = None
    """The output that shows the programme to a closed session's own audience."""
    record: bool | None = None


@dataclass(eq=False)
class Hall:
    name: str
    auto: bool
    slots: list[Slot]
    today: int
    """The number of slots that are today's."""
    on_air: Slot | None = None
    hold: int | None = None
    camera: bool = False
    camera_since: int = 0
    stopped: int | None = None
    patience: int = 0
    """Ten minutes of waiting count anew from here: a hold ended, or the clock stepped."""
    freed: int = 0
    """The time when a person ended the last session on air, whatever mark was meant: a session that the clock then
    begins starts there."""
    story: list[str] = field(default_factory=list)

    # --- what the clock does, by the words ----------------------------------------------------

    def clock(self, now: int) -> None:
        if self.hold is not None:
            return
        self._end_without_media(now)
        self._obey(now)
        if self.auto:
            self._by_itself(now)

    def _end_without_media(self, now: int) -> None:
        """*Ten minutes after the media stopped (the mark is where it stopped).*"""
        running = self.on_air
        if running is None or self.camera or self.stopped is None or self.stopped < (running.began or 0):
            return
        if now - max(self.stopped, self.patience, running.touched) >= WAIT_FOR_MEDIA:
            self.end(self.stopped)

    def _obey(self, now: int) -> None:
        """*At the planned start of a session that is private, do_not_stream or do_not_record the room obeys that by
        itself, unless a person has extended the one before*; but *tap means that nothing is on air without a tap*: a
        camera that nobody has put on air, or that comes later, waits for one."""
        due = self.due(now)
        if due is None:
            return
        when = max(due.start, self.on_air.extended if self.on_air else 0, self.patience if self.patience <= now else 0)
        tapped = self.on_air is not None or self.was_on_air(due)
        if self.on_air is not None:
            self.end(when)
        if self.camera and (self.auto or tapped):
            # A person who ended the one before, maybe minutes back, gave those minutes to this one.
            self.begin(due, max(when, self.camera_since, self.last_end))

    def was_on_air(self, due: Slot) -> bool:
        """Whether the camera's pictures were on air when the time of ``due`` came."""
        return max(self.last_end, self.freed) >= max(due.start, self.camera_since)

    def _by_itself(self, now: int) -> None:
        slot = next((s for s in self.slots if s.waiting and s.start <= now < s.end), None)
        if slot is None or slot.kind in GUARDED or not self.camera:
            return
        if self.on_air is None:
            self.begin(slot, max(slot.start, self.camera_since, self.last_end, self.patience, self.freed))
        elif self.on_air.kind not in GUARDED and now >= (when := self._takeover(slot)):
            self.begin(slot, max(when, self.camera_since))

    def _takeover(self, slot: Slot) -> int:
        """*A session that follows and is auto takes over ten minutes late at the latest*, and a short one sooner."""
        late = min(TAKE_OVER, (slot.end - slot.start) // 2)
        extended = self.on_air.extended if self.on_air is not None else 0
        return max(slot.start + late, extended, self.patience + late)

    def due(self, now: int) -> Slot | None:
        extended = self.on_air.extended if self.on_air is not None else 0
        for slot in self.slots:
            if slot.waiting and slot.kind in GUARDED and slot.start <= now < slot.end and extended <= now:
                return slot
        return None

    # --- what people do -------------------------------------------------------------------------------

    @property
    def last_end(self) -> int:
        return max((s.ended for s in self.slots if s.ended is not None), default=0)

    def begin(self, slot: Slot, at: int) -> None:
        if self.on_air is not None and self.on_air is not slot:
            self.end(at)
        slot.began, slot.ended, self.on_air = at, None, slot

    def end(self, at: int) -> None:
        assert self.on_air is not None
        self.on_air.ended = at
        self.on_air = None

    def tapped_end(self, at: int, now: int) -> None:
        self.end(at)
        self.freed = now

    def save(self) -> Any:
        return self.on_air, [(s, s.began, s.ended) for s in self.slots]

    def back_to(self, saved: Any, now: int) -> None:
        self.on_air, marks = saved
        for slot, began, ended in marks:
            if (slot.began, slot.ended) != (began, ended):
                slot.touched = now
            slot.began, slot.ended = began, ended

    def later(self, first: int, minutes: int) -> None:
        """The rest of the day from a place in the plan on; breaks absorb the delay."""
        left = minutes * M
        for slot in self.slots[first : self.today]:
            if not left or slot.began is not None or slot.cancelled:
                continue
            if slot.kind == "break":
                taken = min(left, slot.end - slot.start)
                slot.start += left
                left -= taken
                slot.end += left
            else:
                slot.start += left
                slot.end += left

    def resumed(self, now: int, shift: bool) -> None:
        assert self.hold is not None
        since, self.hold, self.patience = self.hold, None, now
        minutes = -(-(now - since) // M)
        if not shift:
            return
        if self.on_air is not None:
            self.later(self.slots.index(self.on_air) + 1, minutes)
            self.on_air.extended = self.on_air.planned_end + minutes * M
            self.on_air.touched = now
        else:
            first = (i for i, s in enumerate(self.slots) if s.began is None and not s.cancelled and s.end > since)
            self.later(next(first, len(self.slots)), minutes)

    # --- what the audience is to be shown ---------------------------------------------------------------

    def expected(self, now: int) -> Shown:
        running, due = self.on_air, self.due(now)
        hidden = any(s is not None and s.kind in HIDDEN for s in (running, due))
        seen = running is not None and not hidden and self.hold is None
        closed = next((s for s in (due, running) if s is not None and s.kind in CLOSED), None)
        shown = Shown(
            "programme" if seen else "slate",
            ("between", "before", "free"),
            record=None if running is None and due is None else not any(
                s is not None and s.kind == "unrecorded" for s in (running, due)
            ),
        )  # fmt: skip
        if running is not None and running.kind in CLOSED and self.hold is None:
            shown = replace(shown, private=running.id)
        if closed is not None:
            late = -(-(now - closed.start) // M) * M if closed is due and running is not None else 0
            shown = replace(shown, words=("reserved",), reserved=(closed.planned_end, late))
        elif running is not None:
            late = now >= running.planned_end
            words = ("not_streamed",) if hidden else ("overrun",) if late else ("on_air",)
            shown = replace(shown, words=words, title=running.title)
        elif due is not None and due.kind == "unstreamed":
            shown = replace(shown, words=("not_streamed",))
        return shown if self.hold is None else replace(shown, words=("hold",))

    def next_change(self, now: int) -> int:
        """When the clock may change something next."""
        times = [t for s in self.slots if s.waiting or s is self.on_air for t in (s.start, s.end, s.extended)]
        if self.on_air is not None:
            if self.stopped is not None and not self.camera:
                times.append(max(self.stopped, self.patience, self.on_air.touched) + WAIT_FOR_MEDIA)
            times += [self._takeover(s) for s in self.slots if self.auto and s.waiting]
        return min((t for t in times if t > now), default=FAR)


def guarded_after(hall: Hall, index: int) -> Iterator[Slot]:
    return (s for s in hall.slots[index + 1 :] if s.waiting and s.kind in GUARDED)
