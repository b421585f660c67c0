"""The sequence of a programme's takes: each follows the one before without a hole. On the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import structlog

from streamer.broadcast.programme import MAIN, SLATE, SPARE, TICKS_PER_S
from streamer.media.fitness import Fitness
from streamer.media.grid import SHORTEST_TICKS
from streamer.media.keyframes import KeyframeRequests
from streamer.media.pipeline import BroadcastPipeline
from streamer.media.slate import SLATE_KIND, SOUND_ONLY_KIND
from streamer.media.switch import NS, SOUND_ONLY_NS, SourceSwitch
from streamer.media.takes import PictureTake, SlateTake
from streamer.media.timeline import RoomClock, SourceClock

log = structlog.get_logger(__name__)

RETURN_NS = NS // 2
"""``main`` must be back for this long before it takes over from ``spare``."""
STRETCH_TICKS = 3 * TICKS_PER_S // 10
"""The last picture of a take is held for at most this long until the standby source's IDR, because no part may be
longer."""
JOIN_TICKS = TICKS_PER_S // 10
"""A standby source's key frame may have come this long before the end of the shown pictures: its take begins there."""


@dataclass(slots=True)
class TakeSequence:
    """Times in nanoseconds are monotonic; others are ticks."""

    pipeline: BroadcastPipeline
    clock: RoomClock
    clock_ns: Callable[[], int]
    switch: SourceSwitch
    keyframes: KeyframeRequests
    fitness: Mapping[str, Fitness]
    """For each source that ever came up."""
    on_change: Callable[[], None]
    """Another take runs now."""
    take: PictureTake | SlateTake | None = None
    total: int = 0

    @property
    def source(self) -> str:
        """The source on the programme now, or ``slate``; empty before the first take."""
        return self.take.source if self.take is not None else ""

    def consider(self, name: str, now_ns: int) -> None:
        """A key frame of another source came: decide whether it takes over."""
        if self.switch.wanted(now_ns) != name:
            return
        if isinstance(self.take, PictureTake) and not self._may_relieve(self.take, name, now_ns):
            return
        self._picture_from(name, now_ns)

    def _may_relieve(self, take: PictureTake, name: str, now_ns: int) -> bool:
        """Whether ``name`` may end a take that works: not with its first packets after an outage."""
        if not self.switch.picture_up(take.source, now_ns):
            return True
        return now_ns - self.switch.source(name).seen_ns > RETURN_NS

    def change(self, now_ns: int) -> None:
        """End a take whose source fell silent, or is no longer wanted."""
        take = self.take
        wanted = self.switch.wanted(now_ns)
        if take is None:
            lone = wanted if wanted != SLATE and self._sound_only(wanted, now_ns) else None
            self.slate_from(self.clock.ticks(now_ns) if self.pipeline.grid.number else 0, sound_of=lone)
            return
        if isinstance(take, PictureTake):
            if self.switch.picture_up(take.source, now_ns):
                if wanted != take.source:
                    self._relieve(wanted, now_ns)
                return
            relief_ns = self.relief_ns(take)
            if wanted not in (SLATE, take.source) and self._picture_from(wanted, now_ns, since_ns=relief_ns):
                return
            self.to_slate(now_ns)
        else:
            self._relieve_slate(take, wanted, now_ns)

    def _relieve(self, wanted: str, now_ns: int) -> None:
        """End a take that works: at once for the slate, at the next key frame for a source."""
        if wanted == SLATE:
            self.to_slate(now_ns)
        else:
            self.keyframes.want(wanted, now_ns)

    def _relieve_slate(self, take: SlateTake, wanted: str, now_ns: int) -> None:
        if wanted == SLATE:
            if not take.silent:
                self.slate_from(take.edge)
            return
        if self.switch.picture_up(wanted, now_ns):
            self.keyframes.want(wanted, now_ns)
        elif take.source != wanted and self._sound_only(wanted, now_ns):
            self.slate_from(take.edge, sound_of=wanted)

    def _sound_only(self, name: str, now_ns: int) -> bool:
        """Whether a source that is up has had no picture for so long that its sound is used without one."""
        return not self.switch.picture_up(name, now_ns) and now_ns - self.switch.source(name).seen_ns > SOUND_ONLY_NS

    def relief_ns(self, take: PictureTake) -> int:
        """A key frame that came at this time or later may begin the next take. An earlier one than the shown pictures
        may not, because the whole take would lie in the future. A late take shows its last picture long after its
        arrival."""
        return self.clock.reached_ns(take.edge - JOIN_TICKS)

    def _picture_from(self, name: str, now_ns: int, *, since_ns: int = 0) -> bool:
        """Begin a take of ``name`` at its earliest held key frame that came at ``since_ns`` or later. False if there is
        none."""
        clock = self.clock
        state = self.switch.source(name)
        units = list(state.standby)
        first = next((i for i, u in enumerate(units) if u.idr and u.unit.arrival_ns >= since_ns), None)
        if first is None:
            self.keyframes.want(name, now_ns)
            return False
        not_before = self._end_take(clock.ticks(units[first].unit.arrival_ns))
        fitness = self.fitness[name]
        fitness.restart()
        take = PictureTake(name, self.pipeline, SourceClock(clock, not_before), fitness)
        take.passthrough = units[first].avc is not None and fitness.fits
        self.pipeline.ladder.use_top(encoded=not take.passthrough)
        self.take = take
        self.pipeline.outputs.programme_slate(None)
        state.drop_standby()
        # The picture comes first, so that the sound around it finds its place.
        take.video(units[first])
        for i, incoming in enumerate(units):
            if not incoming.is_video:
                take.sound(incoming.unit)
            elif i > first:
                take.video(incoming)
        self._on(name)
        return True

    def _end_take(self, wanted: int) -> int:
        """End the running take for one that begins at about ``wanted``. Returns the tick where that one may begin."""
        take = self.take
        if take is None:
            return max(0, self.pipeline.grid.start)
        if isinstance(take, SlateTake):
            take.write(wanted - 1)
            # A slate without frames so far stands at the end of the take before it.
            written = take.start if take.last < 0 else take.last + 1
            at = max(wanted, written, self.pipeline.grid.start + SHORTEST_TICKS)
        else:
            # A short hole is bridged with the last picture; in a longer one the slate has been shown already.
            at = wanted if take.edge <= wanted <= take.edge + STRETCH_TICKS else max(take.edge, wanted)
            if at > take.edge + STRETCH_TICKS:
                self.slate_from(take.edge, to=wanted - 1)
                return self._end_take(wanted)
        self.pipeline.end_take(at)
        return at

    def to_slate(self, now_ns: int) -> None:
        take = self.take
        if not isinstance(take, PictureTake):
            return
        state = self.switch.source(take.source)
        keeps_sound = (
            state.connected
            and self.switch.up(take.source, now_ns)
            and self.switch.wanted(now_ns) == take.source
            and self.switch.outlasts_picture(take.source)
        )
        if keeps_sound:
            self.slate_from(max(take.edge, 0), sound_of=take.source, clock=take.clock)
        else:
            self.slate_from(max(take.edge, 0))

    def slate_from(
        self, start: int, sound_of: str | None = None, *, clock: SourceClock | None = None, to: int | None = None
    ) -> None:
        """Write the slate from ``start`` to ``to`` (None: now), at once.

        ``clock``: the clock of the take before, whose sound goes on.
        """
        start = max(start, self.pipeline.grid.start + SHORTEST_TICKS if self.pipeline.grid.number else 0)
        if self.take is not None:
            self.pipeline.end_take(start, sound_goes_on=clock is not None)
        if sound_of and clock is None:
            clock = SourceClock(self.clock, start)
        self.pipeline.ladder.use_top(encoded=False)
        still = SOUND_ONLY_KIND if sound_of else SLATE_KIND
        clips = partial(self.pipeline.slates.clips, still)
        self.take = SlateTake(sound_of or SLATE, self.pipeline, clips, start, clock)
        self.take.write(self.clock.ticks(self.clock_ns()) if to is None else to)
        self.pipeline.outputs.programme_slate(still)
        self._on(sound_of or SLATE)

    def _on(self, source: str) -> None:
        self.total += 1
        log.info(
            "take",
            room=self.pipeline.broadcast.room,
            source=source,
            passthrough=getattr(self.take, "passthrough", None),
        )
        self.on_change()

    def ready_standby(self, take: PictureTake, now_ns: int) -> None:
        """The source on the programme stutters: ask the standby source for a key frame in advance."""
        stutters = take.source != SPARE and self.switch.silent(take.source, now_ns) and self.switch.up(SPARE, now_ns)
        if stutters and not self.switch.source(SPARE).can_begin_after(self.relief_ns(take)):
            self.keyframes.want(SPARE, now_ns)
        if take.source == SPARE and self.switch.preferred == MAIN and self.switch.up(MAIN, now_ns):
            self.keyframes.want(MAIN, now_ns)
