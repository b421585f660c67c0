"""The programme of a room: one continuous timeline from opening to closing, whatever comes in.

Runs on the room process's loop. Sources push encoded frames in; a tick drives what depends on time.
The way of a packet from here: :class:`SourceSwitch` says who is on, the take (``takes.py``) lays the frame
on the timeline, the :class:`Line` (``line.py``) passes it through, decodes, scales, encodes and packages it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog

from streamer.broadcast.media_events import MediaEvent
from streamer.broadcast.orders import RoomOrders, Shows
from streamer.broadcast.programme import SLATE, TICKS_PER_MS, TICKS_PER_S, Broadcast
from streamer.media.feeds import BroadcastStore
from streamer.media.fitness import Fitness
from streamer.media.grid import SHORTEST_TICKS
from streamer.media.incoming import Incoming, frame_size
from streamer.media.pipeline import Line
from streamer.media.presence import Presence
from streamer.media.recovery import Recovered
from streamer.media.renditions import Plan, plan_renditions, plan_resumed
from streamer.media.slate import SLATE_KIND, SOUND_ONLY_KIND, SlateText
from streamer.media.switch import MAIN, NS, SPARE, SourceState, SourceSwitch
from streamer.media.takes import PictureTake, SlateTake, SoundDelay
from streamer.media.timeline import RoomClock, SourceClock
from streamer.settings import Settings

log = structlog.get_logger(__name__)

ASK_NS = 3 * NS // 10
RETURN_NS = NS // 2
"""``main`` has to be back for this long before it takes over from ``spare``."""
STRETCH_TICKS = 3 * TICKS_PER_S // 10
"""The last picture of a take is held for at most this long until the standby source's IDR: no part may last longer."""
JOIN_TICKS = TICKS_PER_S // 10
"""A standby source's key frame may have come this long before the end of what was shown: its take begins there."""
FILL_NS = 3 * NS // 10
"""A source that is silent for longer than this is not filled up any more."""
CLOCK_MOVED_MS = 3000
"""Media time lies this far beside the machine's clock: somebody has set that one."""
SOUND_ONLY_NS = 3 * NS // 2
STALL_NS = NS // 4
"""Ticks further apart than this: the loop was held up."""
DEFAULT_SIZE = (1280, 720)


class ProgrammeListener(Protocol):
    """What a programme needs of its room process. Called on the loop."""

    def request_keyframe(self, source: str) -> None: ...

    def opened(self, broadcast: Broadcast, recovered: Recovered | None) -> BroadcastStore:
        """The renditions are fixed; events follow. ``recovered``: it goes on after a crash. Where parts go."""

    def event(self, event: MediaEvent) -> None: ...

    def relay_video(self, annexb: bytes, start: int, *, idr: bool) -> None: ...

    def relay_audio(self, opus: bytes, start: int) -> None: ...

    def changed(self) -> None:
        """The room's status (who is on, what is shed) is another."""


@dataclass(slots=True)
class Programme:
    """``text`` is what the slate says."""

    room: str
    settings: Settings
    listener: ProgrammeListener
    text: SlateText
    max_height: int = 0
    """Of the top rendition where no source told a size in time; 0: 720."""
    clock_ns: Callable[[], int] = time.monotonic_ns
    switch: SourceSwitch = field(init=False)
    clock: RoomClock | None = None
    line: Line | None = None
    take: PictureTake | SlateTake | None = None
    delay: SoundDelay = field(default_factory=SoundDelay)
    orders: RoomOrders = field(default_factory=RoomOrders)
    caption_languages: tuple[str, ...] = ()
    """What a broadcast that is opened from now on declares."""
    finished: bool = False
    presence: Presence = field(default_factory=Presence)
    _fitness: dict[str, Fitness] = field(default_factory=dict)
    _asked_ns: dict[str, int] = field(default_factory=dict)
    _first_unit_ns: int = 0
    _ticked_ns: int = 0
    _takes: int = 0

    def __post_init__(self) -> None:
        self.switch = SourceSwitch(int(self.settings.media.silence_before_slate_s * NS))
        self.switch.preferred = self.orders.source or MAIN

    # --- sources -----------------------------------------------------------------------------------

    def source_up(self, name: str) -> None:
        """A publication feeds ``name`` from now on. The same source may come back any number of times."""
        state = self.switch.source(name)
        state.gone()
        state.connected = True
        self._fitness[name] = Fitness(self.settings.media.max_height, allowed=self.settings.media.passthrough)
        if isinstance(self.take, PictureTake) and self.take.source == name:
            # Another sender's clock and parameter sets: the old take ends where it is, at the next tick.
            self._to_slate(self.clock_ns())
        self._ask(name, self.clock_ns())

    def source_down(self, name: str) -> None:
        """The publication ended: no need to wait for the silence."""
        self.switch.source(name).gone()
        if self.take is not None and self.take.source == name:
            self._change(self.clock_ns())

    def take_in(self, name: str, incoming: Incoming) -> None:
        """One encoded frame of a source, on the programme or not."""
        state, unit = self.switch.source(name), incoming.unit
        if not state.connected or self.finished:
            return
        state.heard(unit, silence_ns=self.switch.silence_ns)
        if self.line is None:
            self._consider_opening(state, incoming)
        take = self.take
        if take is not None and take.source == name:
            if not incoming.is_video:
                start = take.sound(unit)
                if self.clock is not None and start is not None:
                    self.delay.heard(start, self.clock.ticks(unit.arrival_ns))
                return
            if isinstance(take, PictureTake):
                if not take.video(incoming):
                    # The sender slept, or restarted under the same SSRC: a new take begins at its next key frame.
                    self._to_slate(unit.arrival_ns)
                    self._want_idr(name, unit.arrival_ns)
                elif take.bridged:
                    self._want_idr(name, unit.arrival_ns)
                return
        since_ns = None
        if isinstance(take, PictureTake) and self.switch.silent(take.source, unit.arrival_ns):
            since_ns = self._relief_ns(take)
        state.keep(incoming, since_ns=since_ns)
        if incoming.idr:
            self._consider(name, unit.arrival_ns)
        elif incoming.is_video and self.switch.wanted(unit.arrival_ns) == name:
            self._want_idr(name, unit.arrival_ns)

    # --- people ------------------------------------------------------------------------------------

    def prefer(self, source: str) -> None:
        """Take ``source`` (or ``slate``) from its next key frame on."""
        self.switch.preferred = source
        self._asked_ns.clear()
        self._change(self.clock_ns())
        self.listener.changed()

    def obey(self, orders: RoomOrders) -> None:
        """Do what the director wants from now on. The same again changes nothing."""
        before, self.orders = self.orders, orders
        if orders == before:
            return
        now_ns = self.clock_ns()
        if self.line is not None and self.clock is not None:
            now = self.clock.ticks(now_ns)
            self.line.obey(orders, now)
            take = self.take
            if isinstance(take, PictureTake) and take.wants_keyframes and self.line.grid.wants_keyframe(now):
                self._ask(take.source, now_ns)
        if orders.source != before.source:
            self.prefer(orders.source or MAIN)
        self.listener.changed()

    def air(self, on: bool) -> None:
        """Show the programme in the public output, or the slate."""
        self.obey(msgspec.structs.replace(self.orders, public="programme" if on else "slate"))

    def forget(self, from_ms: int, to_ms: int) -> tuple[int, int] | None:
        """List nowhere any more what lies between two media times, the second of which is now at the latest. The same
        in ticks; None where there is nothing yet, or nothing between them."""
        if self.line is None or self.clock is None:
            return None
        epoch_ms = self.line.broadcast.epoch_ms
        start = max(0, (from_ms - epoch_ms) * TICKS_PER_MS)
        end = min((to_ms - epoch_ms) * TICKS_PER_MS, self.clock.ticks(self.clock_ns()))
        if end <= start:
            return None
        self.line.forget(start, end)
        return start, end

    def configure(self, text: SlateText) -> None:
        self.text = text
        if self.line is not None:
            self.line.set_text(text)

    # --- time --------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Call every 10 to 50 ms."""
        now_ns = self.clock_ns()
        if self.finished:
            return
        self.presence.note(self._media_time_ms(self.switch.heard_ns(now_ns)))
        if self.line is None or self.clock is None:
            if self._first_unit_ns and now_ns - self._first_unit_ns > self.settings.room.open_timeout_s * NS:
                self._open_default(now_ns)
            return
        now = self.clock.ticks(now_ns)
        stalled, self._ticked_ns = now_ns - self._ticked_ns > STALL_NS, now_ns
        if not stalled:
            # After a stall of the loop the packets that came meanwhile are still to be read.
            self._change(now_ns)
        take = self.take
        if isinstance(take, PictureTake):
            if take.wants_keyframes and self.line.grid.wants_keyframe(now):
                self._ask(take.source, now_ns)
                take.fitness.asked(now)
            # A source that is quite silent is not filled up: the one that stands in for it may begin there.
            take.fill(min(now, self.clock.ticks(self.switch.source(take.source).last_ns + FILL_NS)))
            self._ready_standby(take, now_ns)
        elif take is not None:
            take.write(now)
        if take is not None:
            self.line.advance(min(now - self.delay.ticks, take.edge))
            if take.source == SLATE:
                self.line.silence(now)
            self.line.tick(now)

    # --- opening -----------------------------------------------------------------------------------

    def resume(self, recovered: Recovered, *, now_ms: int) -> None:
        """Go on in the broadcast that the files tell of."""
        broadcast = recovered.broadcast
        now_ns = self.clock_ns()
        self.clock = RoomClock.resumed(
            epoch_ms=broadcast.epoch_ms, end_ticks=recovered.end, now_ms=now_ms, now_ns=now_ns
        )
        self.presence.stopped_ms = broadcast.media_time_ms(recovered.end)
        plan = plan_resumed(broadcast.renditions, self.settings.media)
        self._start_line(broadcast, plan, self.clock.ticks(now_ns), recovered)

    def _consider_opening(self, state: SourceState, incoming: Incoming) -> None:
        arrival_ns = incoming.unit.arrival_ns
        if not self._first_unit_ns:
            self._first_unit_ns = arrival_ns
        if incoming.is_video:
            size = frame_size(incoming) if incoming.idr else None
            if size is None:
                self._want_idr(state.name, arrival_ns)
                return
            width, height, codecs = size
            self._open(plan_renditions(width, height, 0, codecs, self.settings.media), arrival_ns)
        elif not state.video_ns and arrival_ns - state.seen_ns > SOUND_ONLY_NS:
            self._open_default(arrival_ns)

    def _open_default(self, now_ns: int) -> None:
        width, height = DEFAULT_SIZE
        if self.max_height:
            width, height = self.max_height * 16 // 9, self.max_height
        self._open(plan_renditions(width, height, 0, "", self.settings.media), now_ns)

    def _open(self, plan: Plan, now_ns: int) -> None:
        hls = self.settings.hls
        self.clock = RoomClock.opened(now_ms=int(time.time() * 1000), now_ns=now_ns)
        broadcast = Broadcast(
            id=secrets.token_urlsafe(12),
            room=self.room,
            epoch_ms=self.clock.epoch_ms,
            renditions=plan.renditions,
            target_duration_s=hls.target_duration_s,
            part_target_ticks=hls.part_target_ms * TICKS_PER_S // 1000,
            dvr_s=hls.dvr_s,
            caption_languages=self.caption_languages,
        )
        self._start_line(broadcast, plan, 0, None)

    def _start_line(self, broadcast: Broadcast, plan: Plan, start: int, recovered: Recovered | None) -> None:
        store = self.listener.opened(broadcast, recovered)
        self.line = Line(
            broadcast,
            plan,
            self.settings,
            self,
            store,
            self.text,
            start=start,
            recovered=recovered,
            orders=self.orders,
        )
        log.info("room_opened", room=self.room, broadcast=broadcast.id, renditions=[r.name for r in plan.renditions])
        if recovered is not None:
            self._slate_from(start)

    # --- takes -------------------------------------------------------------------------------------

    def _consider(self, name: str, now_ns: int) -> None:
        """A key frame of a source that is not on came: is it to take over?"""
        if self.line is None or self.switch.wanted(now_ns) != name:
            return
        if isinstance(self.take, PictureTake) and not self._may_relieve(self.take, name, now_ns):
            return
        self._picture_from(name, now_ns)

    def _may_relieve(self, take: PictureTake, name: str, now_ns: int) -> bool:
        """Whether ``name`` may end a take that is running well: not on the first packets after an outage."""
        if not self.switch.picture_up(take.source, now_ns):
            return True
        return now_ns - self.switch.source(name).seen_ns > RETURN_NS

    def _change(self, now_ns: int) -> None:
        """End a take whose source fell silent, or is not wanted any more."""
        take = self.take
        wanted = self.switch.wanted(now_ns)
        if self.line is None or self.clock is None or self.finished:
            return
        if take is None:
            lone = wanted if wanted != SLATE and self._sound_only(wanted, now_ns) else None
            self._slate_from(self.clock.ticks(now_ns) if self.line.grid.number else 0, sound_of=lone)
            return
        if isinstance(take, PictureTake):
            if self.switch.picture_up(take.source, now_ns):
                if wanted != take.source:
                    self._relieve(take, wanted, now_ns)
                return
            relief_ns = self._relief_ns(take)
            if wanted not in (SLATE, take.source) and self._picture_from(wanted, now_ns, since_ns=relief_ns):
                return
            self._to_slate(now_ns)
        else:
            self._relieve_slate(take, wanted, now_ns)

    def _relieve(self, take: PictureTake, wanted: str, now_ns: int) -> None:
        """A take that runs well gives way: at once to the slate, to a source at its next key frame."""
        if wanted == SLATE:
            self._to_slate(now_ns)
        else:
            self._want_idr(wanted, now_ns)

    def _relieve_slate(self, take: SlateTake, wanted: str, now_ns: int) -> None:
        if wanted == SLATE:
            if not take.silent:
                self._slate_from(take.edge)
            return
        if self.switch.picture_up(wanted, now_ns):
            self._want_idr(wanted, now_ns)
        elif take.source != wanted and self._sound_only(wanted, now_ns):
            self._slate_from(take.edge, sound_of=wanted)

    def _sound_only(self, name: str, now_ns: int) -> bool:
        """Whether a source that is up has had no picture for so long that its sound is heard without one."""
        return not self.switch.picture_up(name, now_ns) and now_ns - self.switch.source(name).seen_ns > SOUND_ONLY_NS

    def _relief_ns(self, take: PictureTake) -> int:
        """A key frame that came then or later may begin the take after this one. Not one of before what was shown: the
        whole take would lie in the future. A take that is late shows its last picture well after that arrived."""
        assert self.clock is not None
        return self.clock.reached_ns(take.edge - JOIN_TICKS)

    def _picture_from(self, name: str, now_ns: int, *, since_ns: int = 0) -> bool:
        """Begin a take of ``name`` at the earliest key frame at hand that came at ``since_ns`` or later. False where
        there is none."""
        assert self.line is not None
        clock = self.clock
        assert clock is not None
        state = self.switch.source(name)
        units = list(state.standby)
        first = next((i for i, u in enumerate(units) if u.idr and u.unit.arrival_ns >= since_ns), None)
        if first is None:
            self._want_idr(name, now_ns)
            return False
        not_before = self._end_take(clock.ticks(units[first].unit.arrival_ns))
        fitness = self._fitness.setdefault(
            name, Fitness(self.settings.media.max_height, allowed=self.settings.media.passthrough)
        )
        fitness.restart()
        take = PictureTake(name, self.line, SourceClock(clock, not_before), fitness)
        take.passthrough = units[first].avc is not None and fitness.fits
        self.line.use_top(encoded=not take.passthrough)
        self.take = take
        self.line.slate_still(None)
        state.drop_standby()
        # The picture first, so that the sound around it finds where it belongs.
        take.video(units[first])
        for i, incoming in enumerate(units):
            if not incoming.is_video:
                take.sound(incoming.unit)
            elif i > first:
                take.video(incoming)
        self._on(name)
        return True

    def _end_take(self, wanted: int) -> int:
        """End the running take for one that begins about ``wanted``; the tick where that one may begin."""
        assert self.line is not None
        take = self.take
        if take is None:
            return max(0, self.line.grid.start)
        if isinstance(take, SlateTake):
            take.write(wanted - 1)
            # A slate that has nothing yet stands where the take before it was ended.
            written = take.start if take.last < 0 else take.last + 1
            at = max(wanted, written, self.line.grid.start + SHORTEST_TICKS)
        else:
            # A short hole is bridged by holding the last picture; a longer one has been slate already.
            at = wanted if take.edge <= wanted <= take.edge + STRETCH_TICKS else max(take.edge, wanted)
            if at > take.edge + STRETCH_TICKS:
                self._slate_from(take.edge, to=wanted - 1)
                return self._end_take(wanted)
        self.line.end_take(at)
        return at

    def _to_slate(self, now_ns: int) -> None:
        take = self.take
        assert self.clock is not None
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
            self._slate_from(max(take.edge, 0), sound_of=take.source, clock=take.clock)
        else:
            self._slate_from(max(take.edge, 0))

    def _slate_from(
        self, start: int, sound_of: str | None = None, *, clock: SourceClock | None = None, to: int | None = None
    ) -> None:
        """Write the slate from ``start`` to ``to`` (now, where it is None), at once.

        ``clock``: of the take before, whose sound goes on.
        """
        assert self.line is not None
        assert self.clock is not None
        start = max(start, self.line.grid.start + SHORTEST_TICKS if self.line.grid.number else 0)
        if self.take is not None:
            self.line.end_take(start, sound_goes_on=clock is not None)
        if sound_of and clock is None:
            clock = SourceClock(self.clock, start)
        self.line.use_top(encoded=False)
        still = SOUND_ONLY_KIND if sound_of else SLATE_KIND
        line = self.line
        self.take = SlateTake(sound_of or SLATE, line, lambda: line.clips(still), start, clock)
        self.take.write(self.clock.ticks(self.clock_ns()) if to is None else to)
        line.slate_still(still)
        self._on(sound_of or SLATE)

    def _on(self, source: str) -> None:
        self._takes += 1
        log.info("take", room=self.room, source=source, passthrough=getattr(self.take, "passthrough", None))
        self.listener.changed()

    # --- key frames --------------------------------------------------------------------------------

    def _ready_standby(self, take: PictureTake, now_ns: int) -> None:
        """The source on the programme stutters: have the standby source's key frame at hand when it is out."""
        stutters = take.source != SPARE and self.switch.silent(take.source, now_ns) and self.switch.up(SPARE, now_ns)
        if stutters and not self.switch.source(SPARE).can_begin_after(self._relief_ns(take)):
            self._want_idr(SPARE, now_ns)
        if take.source == SPARE and self.switch.preferred == MAIN and self.switch.up(MAIN, now_ns):
            self._want_idr(MAIN, now_ns)

    def _want_idr(self, name: str, now_ns: int) -> None:
        if now_ns - self._asked_ns.get(name, 0) >= ASK_NS:
            self._ask(name, now_ns)

    def _ask(self, name: str, now_ns: int) -> None:
        self._asked_ns[name] = now_ns
        self.listener.request_keyframe(name)

    # --- from the line -----------------------------------------------------------------------------

    def event(self, event: MediaEvent) -> None:
        self.listener.event(event)

    def relay_video(self, annexb: bytes, start: int, *, idr: bool) -> None:
        self.listener.relay_video(annexb, start, idr=idr)

    def relay_audio(self, opus: bytes, start: int) -> None:
        self.listener.relay_audio(opus, start)

    def decode_failed(self) -> None:
        if isinstance(self.take, PictureTake):
            self._want_idr(self.take.source, self.clock_ns())

    def changed(self) -> None:
        self.listener.changed()

    # --- what is told ------------------------------------------------------------------------------

    def passes(self, source: str) -> bool:
        """Whether the source's own bits are the top rendition now."""
        return isinstance(self.take, PictureTake) and self.take.source == source and self.take.passthrough

    def notes(self, source: str) -> list[str]:
        """Codes of what the technician should know of a source."""
        fitness, state = self._fitness.get(source), self.switch.sources.get(source)
        notes = [fitness.note] if fitness is not None and fitness.note else []
        now_ns = self.clock_ns()
        if state is not None and self.switch.up(source, now_ns):
            if now_ns - state.video_ns > SOUND_ONLY_NS:
                notes.append("no_video")
            if now_ns - state.audio_ns > SOUND_ONLY_NS:
                notes.append("no_audio")
        return notes

    @property
    def aired(self) -> bool:
        """Whether the public output shows the programme, or will from its next cut on."""
        return self.orders.public != "slate"

    @property
    def on_slate(self) -> bool:
        """Whether the programme itself is the slate, for want of a source."""
        return self.take is not None and self.take.source == SLATE

    @property
    def shows(self) -> dict[str, Shows]:
        """What each output shows now."""
        return self.line.shows if self.line is not None else {}

    @property
    def first_words_ms(self) -> int | None:
        """Media time at which somebody began to speak after a silence; None: nobody did yet."""
        if self.line is None or self.line.words_since is None:
            return None
        return self.line.broadcast.media_time_ms(self.line.words_since)

    def _media_time_ms(self, at_ns: int | None) -> int | None:
        """Before the room is open, the time of day."""
        if at_ns is None:
            return None
        if self.clock is not None:
            return self.clock.epoch_ms + self.clock.ticks(at_ns) // TICKS_PER_MS
        return int(time.time() * 1000) - (self.clock_ns() - at_ns) // 1_000_000

    @property
    def shedding(self) -> list[str]:
        return list(self.line.ladder.shedding) if self.line is not None else []

    @property
    def clock_offset_ms(self) -> int:
        """Media time minus the machine's clock, which may have been set while the room is open."""
        now_ms = self._media_time_ms(self.clock_ns())
        return 0 if self.clock is None or now_ms is None else now_ms - int(time.time() * 1000)

    @property
    def alarms(self) -> list[str]:
        found = ["encoder_overload"] if self.shedding else []
        return [*found, "clock_moved"] if abs(self.clock_offset_ms) > CLOCK_MOVED_MS else found

    @property
    def counters(self) -> dict[str, float]:
        """Monotonic, for metrics."""
        own = {"takes_total": float(self._takes)}
        return own | (self.line.counters if self.line is not None else {})

    async def finish(self) -> None:
        """The broadcast is over, whatever still comes in: close the segments where they are, whole ones where the
        workers are quick enough."""
        take, self.take, self.finished = self.take, None, True
        if self.line is not None and take is not None:
            await self.line.finish(take.edge)

    def close(self) -> None:
        """Stop the workers; what was finished stays."""
        if self.line is not None:
            self.line.close()
