"""A broadcast's pipeline: it makes parts of every rendition from the frames that a take writes.

    take -> forward, decode, show -> Ladder -> TrackPackager (one a rendition) -> Feed -> Output -> events
         -> sound ----------------> SoundTrack -> TrackPackager

The pipeline knows renditions, cuts and outputs, and nothing of sources. Everything runs on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from av.video.frame import VideoFrame

from streamer.broadcast.media_events import MediaEvent
from streamer.broadcast.orders import RoomOrders
from streamer.broadcast.programme import TICKS_PER_S, Broadcast
from streamer.formats.types import AccessUnit, Cut, Sample, TrackConfig
from streamer.media.aac import AAC_TICKS
from streamer.media.audio import SoundTrack
from streamer.media.feeds import BroadcastStore
from streamer.media.grid import SegmentGrid
from streamer.media.ladder import Ladder, LadderCallbacks
from streamer.media.meters import LoudnessMeter, PictureMeter, reading_as_dict
from streamer.media.off_air import SlateParts
from streamer.media.overload import ShedPolicy
from streamer.media.packager import TrackPackager
from streamer.media.programme_outputs import ProgrammeOutputs
from streamer.media.recovery import Recovered
from streamer.media.relay_timeline import FrameRelay, RelaySound, RelayTimeline
from streamer.media.renditions import RenditionPlan
from streamer.media.slate import SlateText
from streamer.media.slates import SlateShelf
from streamer.settings import Settings

FINISH_POLL_S = 0.005
FINISH_POLLS = 200


class PipelineListener(Protocol):
    """Called on the loop."""

    def event(self, event: MediaEvent) -> None: ...

    def changed(self) -> None:
        """The room's status (source, shedding) has changed."""


class BroadcastPipeline:
    """One broadcast's renditions and outputs. ``start`` is the tick from which it is written."""

    def __init__(
        self,
        broadcast: Broadcast,
        plan: RenditionPlan,
        settings: Settings,
        listener: PipelineListener,
        relay: FrameRelay,
        store: BroadcastStore,
        text: SlateText,
        *,
        start: int,
        recovered: Recovered | None,
        orders: RoomOrders,
        on_decode_error: Callable[[], None],
        watch: Callable[[VideoFrame], None],
        before_sample: Callable[[], None],
    ) -> None:
        """``on_decode_error``: the decoder wants a key frame. ``before_sample`` is called before a sample or a still
        is handed on, so that orders with a time hold for it even if the loop was blocked. ``watch``: the ladder's."""
        loop = asyncio.get_running_loop()
        self.broadcast = broadcast
        self.top = plan.top
        self._before_sample = before_sample
        self.rungs = plan.rungs
        self.grid = SegmentGrid(
            nominal=int(settings.hls.segment_s * TICKS_PER_S),
            # EXTINF "rounded to the nearest integer" may not exceed EXT-X-TARGETDURATION (RFC 8216bis, 4.4.3.1).
            longest=int((broadcast.target_duration_s + 0.4) * TICKS_PER_S),
            start=start,
        )
        self.relay = RelayTimeline(relay, start)
        self.relay_sound = RelaySound(self.relay, self._hears)
        self._orders = orders
        self.left_out_total = 0
        """Frames of sources that takes could not use: out of order, or referring to lost frames."""
        self._picture_meter, self.loudness = PictureMeter(), LoudnessMeter()
        self.ladder = Ladder(
            plan.rungs,
            settings.media,
            loop=loop,
            policy=ShedPolicy(settings.media.overload_behind_ms / 1000),
            meter=self._picture_meter,
            watch=watch,
            callbacks=LadderCallbacks(
                on_sample=self._on_sample,
                on_decode_error=on_decode_error,
                on_end=lambda rendition, at: self._packagers[rendition].end(at),
                on_rung_off=self._on_rung_off,
                on_rung_on=lambda rung, cut: self._stand_in(rung, rung, cut),
                on_shedding=lambda shedding: listener.changed(),
                on_still=self._on_still,
            ),
        )
        self.slates = SlateShelf(
            plan.rungs,
            settings.media,
            text,
            loop,
            segment_s=settings.hls.segment_s,
            on_ready=lambda kind: self.outputs.slate_ready(kind),
        )
        self.sound_track = SoundTrack(
            plan.sounds,
            loop=loop,
            start=start,
            on_frame=self._on_frame,
            on_answer=self.relay_sound.answered,
            meter=self.loudness,
        )
        self.outputs = ProgrammeOutputs(
            SlateParts(broadcast, self.grid, plan.top, self.slates, self.relay, self.sound_track.configs, plan.sounds),
            store,
            listener.event,
            orders,
            start=start,
            fleeting_s=settings.hls.ring_s,
            recovered=recovered,
        )
        self._packagers = {
            r.name: TrackPackager(r.name, self.outputs.feed, part_target_ticks=broadcast.part_target_ticks)
            for r in broadcast.renditions
        }

    # --- from the takes ----------------------------------------------------------------------------

    def cut(self, start: int, *, discontinuity: bool = False) -> Cut:
        """Begin the next segment at ``start`` in every rendition."""
        cut = self.grid.cut(start, discontinuity=discontinuity)
        for name, config in self.sound_track.configs.items():
            self._packagers[name].begin(cut, config)
        self.outputs.cut(start)
        return cut

    def sound(self, unit: AccessUnit, start: int, source: str) -> None:
        self._before_sample()
        order = self._orders.of_source(source)
        public = self.outputs.public
        if public.shown_from is not None and start >= public.shown_from and public.shows == "picture_muted":
            self.relay.silence(start)
        asks = self.relay_sound.send_or_ask(unit, start, order)
        if self.sound_track.push(unit.codec, unit.data, start, order, asks=asks) and asks:
            self.relay_sound.asked()

    def _hears(self, start: int) -> bool:
        """Whether WHEP viewers hear the programme's sound at ``start``."""
        public = self.outputs.public
        return public.shown_from is not None and start >= public.shown_from and public.shows != "picture_muted"

    def end_take(self, at: int, *, sound_goes_on: bool = False) -> None:
        """The running take ends at ``at`` in every rendition; its later sound is not heard, unless
        ``sound_goes_on``."""
        self.ladder.end_take(at)
        if not sound_goes_on:
            self.sound_track.reset(at)

    async def finish(self, at: int) -> None:
        """The broadcast ends at ``at``. Work in the workers still comes out, for a second at most."""
        self.ladder.end_take(at)
        # The encoder is a frame behind.
        self.sound_track.advance(at + 2 * AAC_TICKS)
        for _ in range(FINISH_POLLS):
            if self.ladder.idle and self.sound_track.idle:
                break
            await asyncio.sleep(FINISH_POLL_S)
        await asyncio.sleep(0)  # for their last callbacks
        for packager in self._packagers.values():
            packager.end(at)
        self.outputs.finish()

    @property
    def counters(self) -> dict[str, float]:
        packagers = self._packagers.values()
        return {
            **self.ladder.counters,
            **self.sound_track.counters,
            "samples_refused_total": float(sum(p.dropped_total for p in packagers)),
            "parts_overlong_total": float(sum(p.overlong_total for p in packagers)),
            **self.outputs.counters,
            "frames_left_out_total": float(self.left_out_total),
        }

    @property
    def meters(self) -> dict[str, dict[str, Any]]:
        """Present measures of the programme: ``picture`` and ``sound`` (``meters.py``), and ``incoming``, its
        sound before it is changed; times as media time. The picture is measured while a source is decoded, not on the
        slate."""
        values = {
            "picture": reading_as_dict(self._picture_meter.reading),
            "sound": reading_as_dict(self.loudness.reading),
        }
        incoming = self.sound_track.incoming
        if incoming is not None:
            values["incoming"] = reading_as_dict(incoming)
        for reading in values.values():
            for name, value in reading.items():
                if name.endswith("_since") and value is not None:
                    reading[name] = self.broadcast.media_time_ms(value)
        return values

    # --- outputs -----------------------------------------------------------------------------------

    def obey(self, orders: RoomOrders, now: int) -> None:
        """An output shows the programme from its next key frame on, or the slate at once."""
        self._orders = orders
        self.outputs.obey(orders, now)

    def close(self) -> None:
        self.ladder.close()
        self.sound_track.close()
        self.slates.close()

    # --- from the workers --------------------------------------------------------------------------

    def _on_sample(self, rendition: str, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        self._before_sample()
        packager = self._packagers[rendition]
        if cut is not None:
            packager.begin(cut, config)
        packager.push(sample)
        shown_from = self.outputs.public.shown_from
        if rendition == self.top and shown_from is not None and sample.start >= shown_from:
            self.relay.picture(sample, config)

    def _on_still(self, jpeg: bytes, start: int) -> None:
        self._before_sample()
        self.outputs.still(jpeg, start)

    def _on_frame(self, rendition: str, sample: Sample) -> None:
        self._before_sample()
        self._packagers[rendition].push(sample)

    def _on_rung_off(self, name: str, cut: Cut) -> None:
        names = [rung.name for rung in self.rungs]
        lower = names[names.index(name) + 1 :]
        if lower:
            self._stand_in(name, lower[0], cut)

    def _stand_in(self, name: str, other: str, cut: Cut) -> None:
        self.outputs.feed.stand_in(name, other, cut)
        self.outputs.discontinuity(other, cut)
