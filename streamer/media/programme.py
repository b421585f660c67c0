"""The programme of a room: one continuous timeline from opening to closing, whatever the sources do.

Runs on the room process's loop. Sources push encoded frames in; a tick drives everything that depends on time. A
packet's path: :class:`SourceSwitch` chooses the source, the take (``takes.py``) places the frame on the timeline, the
:class:`BroadcastPipeline` passes it through, decodes, scales, encodes and packages it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
import structlog
from av.video.frame import VideoFrame

from streamer.broadcast.orders import RoomOrders
from streamer.broadcast.programme import MAIN, SLATE, TICKS_PER_MS, TICKS_PER_S, Broadcast
from streamer.media.feeds import BroadcastStore
from streamer.media.fitness import Fitness
from streamer.media.grid import SHORTEST_TICKS
from streamer.media.incoming import IncomingUnit, frame_size
from streamer.media.keyframes import KeyframeRequests, Publishers
from streamer.media.pipeline import BroadcastPipeline, PipelineListener
from streamer.media.presence import SourcePresence
from streamer.media.recovery import Recovered
from streamer.media.relay_timeline import FrameRelay
from streamer.media.renditions import RenditionPlan, plan_renditions, plan_resumed
from streamer.media.slate import SlateText
from streamer.media.switch import NS, SOUND_ONLY_NS, SourceState, SourceSwitch
from streamer.media.take_sequence import TakeSequence
from streamer.media.takes import PictureTake, SlateTake, SoundDelay
from streamer.media.timeline import RoomClock
from streamer.settings import Settings

log = structlog.get_logger(__name__)

FILL_NS = 3 * NS // 10
"""The picture of a source that is silent for longer than this is not repeated any more."""
CLOCK_MOVED_MS = 3000
"""If media time is this far from the machine's clock, somebody has set the clock."""
STALL_NS = NS // 4
"""If two ticks are further apart than this, the loop was blocked."""
DEFAULT_SIZE = (1280, 720)


class ProgrammeListener(PipelineListener, Protocol):
    """A room process as its programme sees it. Called on the loop."""

    def opened(self, broadcast: Broadcast, recovered: Recovered | None) -> BroadcastStore:
        """The renditions are fixed; events follow. ``recovered``: the broadcast goes on after a crash. Returns the
        store for parts."""


@dataclass(slots=True)
class Programme:
    """``text`` is the slate's text."""

    room: str
    settings: Settings
    listener: ProgrammeListener
    publishers: Publishers
    relay: FrameRelay
    text: SlateText
    max_height: int = 0
    """The top rendition's height if no source told its size in time; 0: 720."""
    clock_ns: Callable[[], int] = time.monotonic_ns
    time_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    """The machine's clock, UTC milliseconds. It may be set while the room is open; ``clock_ns`` may not."""
    switch: SourceSwitch = field(init=False)
    keyframes: KeyframeRequests = field(init=False)
    clock: RoomClock | None = None
    pipeline: BroadcastPipeline | None = None
    takes: TakeSequence | None = None
    delay: SoundDelay = field(default_factory=SoundDelay)
    orders: RoomOrders = field(default_factory=RoomOrders)
    caption_languages: tuple[str, ...] = ()
    """The caption languages of the next broadcast."""
    watch: Callable[[VideoFrame], None] = lambda frame: None
    """Called with pictures of the source on the programme, on the thread that decodes them."""
    finished: bool = False
    presence: SourcePresence = field(default_factory=SourcePresence)
    _fitness: dict[str, Fitness] = field(default_factory=dict)
    _first_unit_ns: int = 0
    _ticked_ns: int = 0

    def __post_init__(self) -> None:
        self.orders = self._due(self.orders)
        self.switch = SourceSwitch(int(self.settings.media.silence_before_slate_s * NS))
        self.switch.preferred = self.orders.source or MAIN
        self.keyframes = KeyframeRequests(self.publishers)

    @property
    def take(self) -> PictureTake | SlateTake | None:
        """The running take; None before the room is open, and after its end."""
        return self.takes.take if self.takes is not None else None

    # --- sources -----------------------------------------------------------------------------------

    def source_up(self, name: str) -> None:
        """A publication feeds ``name`` from now on. The same source may come back any number of times."""
        state = self.switch.source(name)
        state.gone()
        state.connected = True
        self._fitness[name] = Fitness(self.settings.media.max_height, allowed=self.settings.media.passthrough)
        if self.takes is not None and self.takes.source == name:
            # Another sender has another clock and other parameter sets, so the old take ends at the next tick.
            self.takes.to_slate(self.clock_ns())
        self.keyframes.ask(name, self.clock_ns())

    def source_down(self, name: str) -> None:
        """The publication ended: no need to wait for the silence."""
        self.switch.source(name).gone()
        if self.takes is not None and self.takes.source == name:
            self.takes.change(self.clock_ns())

    def take_in(self, name: str, incoming: IncomingUnit) -> None:
        """One encoded frame of a source, on the programme or not."""
        state, unit = self.switch.source(name), incoming.unit
        if not state.connected or self.finished:
            return
        state.heard(unit, silence_ns=self.switch.silence_ns)
        if self.takes is None:
            self._consider_opening(state, incoming)
        takes, take = self.takes, self.take
        if take is not None and take.source == name and takes is not None:
            if not incoming.is_video:
                start = take.sound(unit)
                if self.clock is not None and start is not None:
                    self.delay.heard(start, self.clock.ticks(unit.arrival_ns))
                return
            if isinstance(take, PictureTake):
                if not take.video(incoming):
                    # The sender slept, or restarted with the same SSRC: a new take begins at its next key frame.
                    takes.to_slate(unit.arrival_ns)
                    self.keyframes.want(name, unit.arrival_ns)
                elif take.bridged:
                    self.keyframes.want(name, unit.arrival_ns)
                return
        since_ns = None
        if isinstance(take, PictureTake) and takes is not None and self.switch.silent(take.source, unit.arrival_ns):
            since_ns = takes.relief_ns(take)
        state.keep(incoming, since_ns=since_ns)
        if incoming.idr:
            if takes is not None:
                takes.consider(name, unit.arrival_ns)
        elif incoming.is_video and self.switch.wanted(unit.arrival_ns) == name:
            self.keyframes.want(name, unit.arrival_ns)

    # --- people ------------------------------------------------------------------------------------

    def prefer(self, source: str) -> None:
        """Take ``source`` (or ``slate``) from its next key frame on."""
        self.switch.preferred = source
        self.keyframes.clear()
        if self.takes is not None and not self.finished:
            self.takes.change(self.clock_ns())
        self.listener.changed()

    def obey(self, orders: RoomOrders) -> None:
        """Follow the director's orders from now on. The same orders again change nothing."""
        orders = self._due(orders)
        before, self.orders = self.orders, orders
        if orders == before:
            return
        now_ns = self.clock_ns()
        if self.pipeline is not None and self.clock is not None:
            now = self.clock.ticks(now_ns)
            self.pipeline.obey(orders, now)
            take = self.take
            if isinstance(take, PictureTake) and take.wants_keyframes and self.pipeline.grid.wants_keyframe(now):
                self.keyframes.ask(take.source, now_ns)
        if orders.source != before.source:
            self.prefer(orders.source or MAIN)
        self.listener.changed()

    def _due(self, orders: RoomOrders) -> RoomOrders:
        """The orders as they hold now."""
        if orders.slate_from_ms is None or self.time_ms() < orders.slate_from_ms:
            return orders
        return msgspec.structs.replace(orders, public="slate", slate_from_ms=None)

    def _look_at_the_clock(self) -> None:
        if self.orders.slate_from_ms is not None:
            self.obey(self.orders)

    def forget(self, from_ms: int, to_ms: int) -> tuple[int, int] | None:
        """Remove the media between two media times from every list; ``to_ms`` is now at the latest. Returns the stretch
        in ticks; None if there are no media in it."""
        if self.pipeline is None or self.clock is None:
            return None
        epoch_ms = self.pipeline.broadcast.epoch_ms
        start = max(0, (from_ms - epoch_ms) * TICKS_PER_MS)
        end = min((to_ms - epoch_ms) * TICKS_PER_MS, self.clock.ticks(self.clock_ns()))
        if end <= start:
            return None
        self.pipeline.outputs.forget(start, end)
        return start, end

    def configure(self, text: SlateText) -> None:
        self.text = text
        if self.pipeline is not None:
            self.pipeline.slates.set_text(text)

    # --- time --------------------------------------------------------------------------------------

    def tick(self) -> None:
        """Call every 10 to 50 ms."""
        now_ns = self.clock_ns()
        if self.finished:
            return
        self._look_at_the_clock()
        self.presence.note(self._media_time_ms(self.switch.heard_ns(now_ns)))
        if self.pipeline is None or self.clock is None or self.takes is None:
            if self._first_unit_ns and now_ns - self._first_unit_ns > self.settings.room.open_timeout_s * NS:
                self._open_default(now_ns)
            return
        now = self.clock.ticks(now_ns)
        stalled, self._ticked_ns = now_ns - self._ticked_ns > STALL_NS, now_ns
        if not stalled:
            # After a stall of the loop the packets that came meanwhile must be read first.
            self.takes.change(now_ns)
        take = self.take
        if isinstance(take, PictureTake):
            if take.wants_keyframes and self.pipeline.grid.wants_keyframe(now):
                self.keyframes.ask(take.source, now_ns)
                take.fitness.asked(now)
            # The picture of a silent source is not repeated: the source that follows it may begin there.
            take.fill(min(now, self.clock.ticks(self.switch.source(take.source).last_ns + FILL_NS)))
            self.takes.ready_standby(take, now_ns)
        elif take is not None:
            take.write(now)
        if take is not None:
            self.pipeline.sound_track.advance(min(now - self.delay.ticks, take.edge))
            if take.source == SLATE:
                self.pipeline.relay.silence(now)
            self.pipeline.outputs.tick(now)

    # --- opening -----------------------------------------------------------------------------------

    def resume(self, recovered: Recovered, *, now_ms: int) -> None:
        """Continue the broadcast that the files describe."""
        broadcast = recovered.broadcast
        now_ns = self.clock_ns()
        clock = RoomClock.resumed(epoch_ms=broadcast.epoch_ms, end_ticks=recovered.end, now_ms=now_ms, now_ns=now_ns)
        self.presence.stopped_ms = broadcast.media_time_ms(recovered.end)
        plan = plan_resumed(broadcast.renditions)
        self._start(broadcast, plan, clock, clock.ticks(now_ns), recovered)

    def _consider_opening(self, state: SourceState, incoming: IncomingUnit) -> None:
        arrival_ns = incoming.unit.arrival_ns
        if not self._first_unit_ns:
            self._first_unit_ns = arrival_ns
        if incoming.is_video:
            size = frame_size(incoming) if incoming.idr else None
            if size is None:
                self.keyframes.want(state.name, arrival_ns)
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

    def _open(self, plan: RenditionPlan, now_ns: int) -> None:
        hls = self.settings.hls
        clock = RoomClock.opened(now_ms=self.time_ms(), now_ns=now_ns)
        broadcast = Broadcast(
            id=secrets.token_urlsafe(12),
            room=self.room,
            epoch_ms=clock.epoch_ms,
            renditions=plan.renditions,
            target_duration_s=hls.target_duration_s,
            part_target_ticks=hls.part_target_ms * TICKS_PER_S // 1000,
            dvr_s=hls.dvr_s,
            caption_languages=self.caption_languages,
        )
        self._start(broadcast, plan, clock, 0, None)

    def _start(
        self, broadcast: Broadcast, plan: RenditionPlan, clock: RoomClock, start: int, recovered: Recovered | None
    ) -> None:
        self.clock = clock
        store = self.listener.opened(broadcast, recovered)
        self.pipeline = BroadcastPipeline(
            broadcast,
            plan,
            self.settings,
            self.listener,
            self.relay,
            store,
            self.text,
            start=start,
            recovered=recovered,
            orders=self.orders,
            on_decode_error=self._decode_failed,
            watch=self.watch,
            before_sample=self._look_at_the_clock,
        )
        self.takes = TakeSequence(
            self.pipeline, clock, self.clock_ns, self.switch, self.keyframes, self._fitness, self.listener.changed
        )
        log.info("room_opened", room=self.room, broadcast=broadcast.id, renditions=[r.name for r in plan.renditions])
        if recovered is not None:
            self.takes.slate_from(start)

    def _decode_failed(self) -> None:
        if isinstance(self.take, PictureTake):
            self.keyframes.want(self.take.source, self.clock_ns())

    # --- status ------------------------------------------------------------------------------------

    def passes(self, source: str) -> bool:
        """Whether the source's own bits are the top rendition now."""
        return isinstance(self.take, PictureTake) and self.take.source == source and self.take.passthrough

    def notes(self, source: str) -> list[str]:
        """Codes of the notes about a source for the technician."""
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
        """Whether the programme itself is the slate, because there is no source."""
        return self.take is not None and self.take.source == SLATE

    @property
    def first_words_ms(self) -> int | None:
        """The media time of the first speech after a silence; None: there was none yet."""
        words_since = self.pipeline.loudness.reading.words_since if self.pipeline is not None else None
        if self.pipeline is None or words_since is None:
            return None
        return self.pipeline.broadcast.media_time_ms(words_since)

    def _media_time_ms(self, at_ns: int | None) -> int | None:
        """Before the room is open, the time of day."""
        if at_ns is None:
            return None
        if self.clock is not None:
            return self.clock.epoch_ms + self.clock.ticks(at_ns) // TICKS_PER_MS
        return self.time_ms() - (self.clock_ns() - at_ns) // 1_000_000

    @property
    def clock_offset_ms(self) -> int:
        """Media time minus the machine's clock, which may have been set while the room is open."""
        now_ms = self._media_time_ms(self.clock_ns())
        return 0 if self.clock is None or now_ms is None else now_ms - self.time_ms()

    @property
    def alarms(self) -> list[str]:
        shedding = self.pipeline is not None and self.pipeline.ladder.shedding
        found = ["encoder_overload"] if shedding else []
        return [*found, "clock_moved"] if abs(self.clock_offset_ms) > CLOCK_MOVED_MS else found

    @property
    def counters(self) -> dict[str, float]:
        """Monotonic counters for metrics."""
        own = {"takes_total": float(self.takes.total if self.takes is not None else 0)}
        return own | (self.pipeline.counters if self.pipeline is not None else {})

    async def finish(self) -> None:
        """The broadcast ends: close the segments at their present ends, whole ones if the workers are quick enough."""
        self.finished = True
        if self.pipeline is not None and self.takes is not None and (take := self.takes.take) is not None:
            self.takes.take = None
            # A segment that has just begun is long enough for a frame of sound.
            await self.pipeline.finish(max(take.edge, self.pipeline.grid.start + SHORTEST_TICKS))

    def close(self) -> None:
        """Stop the workers; finished parts stay."""
        if self.pipeline is not None:
            self.pipeline.close()
