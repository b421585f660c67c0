"""The people of a simulated day: they tap late, early, wrongly, twice or not at all, and pull cables."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from streamer.conference import taps
from tests.fakes.simulated_hall import GUARDED, Hall, M, S, Slot, guarded_after


@dataclass(frozen=True)
class Tap:
    """Yielded by people: the director gets the command, and its effect is applied to the hall if it is accepted.
    ``None`` comes back if the database failed."""

    command: taps.Command | str
    """A command, or the action to take back."""
    means: Callable[[int], None]


Step = int | Tap
"""The time until which a person waits, or their action."""
People = Generator[Step, "str | None", None]


class Technician:
    """Taps one hall's sessions as it goes: late, early, wrong, twice, or not at all."""

    def __init__(self, hall: Hall, rng: random.Random, now: Callable[[], int]) -> None:
        self.hall = hall
        self.rng = rng
        self.now = now

    def day(self) -> People:
        hall = self.hall
        for index, slot in enumerate(hall.slots[: hall.today]):
            if slot.kind == "break" or slot.cancelled:
                continue
            if not hall.auto and slot.kind == "open":
                yield from self._around(index)
            if slot.kind in GUARDED or hall.auto:
                yield from self._by_itself(index)
            elif slot.waiting:
                yield from self._open(index)

    def _around(self, index: int) -> People:
        """Before a session: the next one is delayed, another is cancelled, an unplanned one is inserted."""
        hall, rng = self.hall, self.rng
        slot = hall.slots[index]
        if hall.on_air is None and slot.start > self.now() + 4 * M and rng.random() < 0.04:
            yield from self._tap(taps.Delay(slot.id, 5, following=True), lambda _: hall.later(index, 5))
        later = [s for s in hall.slots[index + 1 : index + 4] if s.waiting and s.kind == "open"]
        if later and rng.random() < 0.05:
            gone = rng.choice(later)
            if gone.start > self.now() + 5 * M:
                yield from self._tap(taps.Cancel(gone.id), lambda _: setattr(gone, "cancelled", True))

    def _open(self, index: int) -> People:
        """A public session of a room where the technician taps."""
        hall, rng = self.hall, self.rng
        slot = hall.slots[index]
        late = rng.choice((-60, 0, 5, 20, 60, 90, 200, 480)) * S
        real = max(slot.start + late, hall.last_end + 20 * S, (hall.on_air.began or 0) + 60 * S if hall.on_air else 0)
        if hall.on_air is not None:
            real = max(real, self.now() + 5 * S)
        real = max(real, self.now())
        if any(s.start < real + 7 * M for s in guarded_after(hall, index)):
            # No time is left before a session that the room keeps for others.
            yield from self._tap(taps.Cancel(slot.id), lambda _: setattr(slot, "cancelled", True))
            return
        if real - 60 * S > self.now() and rng.random() < 0.15 and (hall.on_air is None or hall.on_air.kind == "open"):
            yield real - 60 * S
            yield from self._wrong_start(index)
        yield max(real, self.now())
        yield from self._start(slot, max(real, self.now() - 20 * M))
        if hall.on_air is not slot:
            return
        begun = slot.began or self.now()
        end = begun + max(3 * M, slot.end - slot.start + rng.choice((-180, -30, 0, 10, 60, 150, 420)) * S)
        if rng.random() < 0.12:
            yield max(self.now(), begun + (end - begun) // 2)
            yield from self._wrong_end(index)
        if rng.random() < 0.15:
            yield max(self.now(), slot.end - 60 * S)
            if hall.on_air is slot:
                minutes = rng.choice((5, 10))
                until = max(slot.planned_end, self.now()) + minutes * M

                def longer(now: int) -> None:
                    slot.extended, slot.touched = max(slot.planned_end, now) + minutes * M, now

                yield from self._tap(taps.Extend(slot.id, minutes), longer)
                end = max(end, until - 2 * M)
        following = hall.slots[index + 1] if index + 1 < hall.today else None
        if following is not None and following.kind == "open" and not following.cancelled and rng.random() < 0.25:
            # The next tap ends it.
            yield max(self.now(), end)
            return
        yield from self._end(slot, end)

    def _start(self, slot: Slot, real: int) -> People:
        hall, rng = self.hall, self.rng
        how = rng.choice(("now", "now", "late", "corrected"))
        if how == "now":
            yield self.now() + rng.randrange(4) * S
            yield from self._tap(taps.StartTap(slot.id), lambda now: self._begun(slot, now, now))
            return
        yield real + rng.randrange(40, 250) * S
        if how == "late":
            yield from self._tap(taps.StartTap(slot.id, real), lambda now: self._begun(slot, real, now))
            return
        yield from self._tap(taps.StartTap(slot.id), lambda now: self._begun(slot, now, now))
        yield self.now() + 20 * S
        if hall.on_air is slot and self.now() - real < 25 * M:
            before = next((s for s in hall.slots if s.ended == slot.began and s is not slot), None)

            def moved(_: int) -> None:
                if before is not None and before.kind in GUARDED:
                    return
                if before is not None:
                    before.ended = real
                slot.began = real

            yield from self._tap(taps.StartTap(slot.id, real), moved)

    def _begun(self, slot: Slot, at: int, now: int) -> None:
        if self.hall.on_air is not None and self.hall.on_air.kind in GUARDED:
            # Minutes of a closed or unrecorded session do not become another's.
            at = now
        self.hall.begin(slot, at)
        slot.touched = now

    def _end(self, slot: Slot, real: int) -> People:
        """``real``: when it was over."""
        hall, rng = self.hall, self.rng
        yield max(self.now(), real)
        if hall.auto or rng.random() < 0.5:
            if hall.on_air is slot:
                yield from self._tap(
                    taps.End(slot.id), lambda now: hall.tapped_end(now, now) if hall.on_air is slot else None
                )
            return
        real = max(self.now(), real)
        yield real + rng.randrange(30, 200) * S
        if hall.on_air is slot:
            yield from self._tap(
                taps.End(slot.id, real), lambda now: hall.tapped_end(real, now) if hall.on_air is slot else None
            )

    def _wrong_start(self, index: int) -> People:
        """Another session is put on air by mistake, and undone half a minute later."""
        hall = self.hall
        others = [s for s in hall.slots[index + 1 : index + 5] if s.waiting and s.kind == "open"]
        if not others or any(s.start < self.now() + 5 * M for s in guarded_after(hall, index)):
            return
        other = self.rng.choice(others)
        saved = hall.save()
        action = yield from self._tap(taps.StartTap(other.id), lambda now: self._begun(other, now, now))
        yield self.now() + self.rng.randrange(10, 40) * S
        if hall.on_air is other:
            yield from self._tap(action, lambda now: hall.back_to(saved, now))

    def _wrong_end(self, index: int) -> People:
        hall, slot = self.hall, self.hall.slots[index]
        if hall.on_air is not slot or any(s.start < self.now() + 4 * M for s in guarded_after(hall, index)):
            return
        saved = hall.save()
        action = yield from self._tap(taps.End(slot.id), lambda now: hall.tapped_end(now, now))
        yield self.now() + self.rng.randrange(10, 60) * S
        if self.rng.random() < 0.5:
            yield from self._tap(action, lambda now: hall.back_to(saved, now))
        else:
            yield from self._tap(taps.Reopen(slot.id), lambda now: hall.back_to(saved, now))

    def _by_itself(self, index: int) -> People:
        """A session that the clock begins; people end it, or forget to in a room where the next takes over. In a
        ``tap`` room they start it themselves if nothing on air could go over to it."""
        hall, rng, slot = self.hall, self.rng, self.hall.slots[index]
        patience = rng.randrange(20, 200) * S
        while hall.on_air is not slot:
            if not slot.waiting or self.now() >= slot.end:
                return
            if not hall.auto and hall.on_air is None and self.now() >= slot.start + patience:
                yield from self._tap(taps.StartTap(slot.id), lambda now: self._begun(slot, now, now))
                break
            yield max(self.now() + 5 * S, slot.start)
        if hall.auto and slot.kind == "open" and rng.random() < 0.3:
            while hall.on_air is slot and self.now() < slot.end + 30 * M:
                yield self.now() + 10 * S
        if hall.on_air is not slot:
            return
        end = slot.planned_end + rng.choice((-120, -20, 0, 30, 100, 180)) * S
        end = min([end, *(s.start - 250 * S for s in guarded_after(hall, index))])
        yield from self._end(slot, max(end, self.now()))

    def _tap(self, command: Any, means: Callable[[int], None]) -> Generator[Step, str | None, Any]:
        """Until it is accepted; nobody taps while the room is held."""
        while True:
            while self.hall.hold is not None:
                yield self.now() + 5 * S
            done = yield Tap(command, means)
            if done is not None:
                return done
            yield self.now() + 10 * S


def cables(hall: Hall, rng: random.Random, first: int, last: int) -> Iterator[tuple[int, bool]]:
    """When the camera comes and goes."""
    yield first, True
    at = first
    while (at := at + rng.randrange(40, 150) * M + rng.randrange(60) * S) < last:
        away = rng.choice((5, 20, 45, 130, 13 * 60)) * S
        yield at, False
        yield at + away, True
        at += away
