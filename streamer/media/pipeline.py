"""The production line of a broadcast: what a take writes becomes parts of every rendition.

    take -> forward, decode, show -> Ladder -> TrackPackager (one a rendition) -> Feed -> Output -> events
         -> sound ----------------> SoundTrack -> TrackPackager

The line knows renditions, cuts and outputs, and nothing of sources. Everything runs on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

from streamer.broadcast.media_events import MediaEvent
from streamer.broadcast.orders import RoomOrders, Shows
from streamer.broadcast.programme import TICKS_PER_S, Broadcast
from streamer.formats import h264
from streamer.formats.types import AccessUnit, Cut, Sample, TrackConfig
from streamer.media.audio import AAC_TICKS, OPUS_SILENCE, OPUS_SILENCE_TICKS, SoundTrack
from streamer.media.feeds import BroadcastStore
from streamer.media.grid import SegmentGrid
from streamer.media.ladder import Ladder, LadderCallbacks
from streamer.media.meters import LoudnessMeter, PictureMeter, reading_as_dict
from streamer.media.off_air import silent_frame
from streamer.media.outputs import Output
from streamer.media.overload import ShedPolicy
from streamer.media.packager import TrackPackager
from streamer.media.programme_outputs import Outlets
from streamer.media.recovery import Recovered
from streamer.media.renditions import Plan
from streamer.media.slate import SlateClip, SlateText
from streamer.media.slates import SlateShelf
from streamer.settings import Settings

FINISH_POLL_S = 0.005
FINISH_POLLS = 200


class LineListener(Protocol):
    """Where the line's products go. Called on the loop."""

    def event(self, event: MediaEvent) -> None: ...

    def relay_video(self, annexb: bytes, start: int, *, idr: bool) -> None:
        """The top rendition's newest frame, parameter sets before an IDR."""

    def relay_audio(self, opus: bytes, start: int) -> None: ...

    def decode_failed(self) -> None:
        """The decoder wants a key frame."""

    def changed(self) -> None: ...


class Line:
    """One broadcast's renditions and outputs. ``start`` is the tick from which it is written."""

    def __init__(
        self,
        broadcast: Broadcast,
        plan: Plan,
        settings: Settings,
        listener: LineListener,
        store: BroadcastStore,
        text: SlateText,
        *,
        start: int,
        recovered: Recovered | None,
        orders: RoomOrders,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.broadcast = broadcast
        self.top = plan.top
        self.rungs = plan.rungs
        self._sound_bitrates = plan.sounds
        self._listener = listener
        self.grid = SegmentGrid(
            nominal=int(settings.hls.segment_s * TICKS_PER_S),
            # EXTINF "rounded to the nearest integer" may not exceed EXT-X-TARGETDURATION (RFC 8216bis, 4.4.3.1).
            longest=int((broadcast.target_duration_s + 0.4) * TICKS_PER_S),
            start=start,
        )
        self._relay_next = start
        self._relayed_sound = self._relayed_picture = -1
        self.left_out_total = 0
        """Frames of sources that takes could not use: out of order, or referring to what was lost."""
        self._picture_meter, self._loudness = PictureMeter(), LoudnessMeter()
        self.ladder = Ladder(
            plan.rungs,
            settings.media,
            loop=loop,
            policy=ShedPolicy(settings.media.overload_behind_ms / 1000),
            meter=self._picture_meter,
            callbacks=LadderCallbacks(
                on_sample=self._on_sample,
                on_decode_error=listener.decode_failed,
                on_end=self._on_end,
                on_rung_off=self._on_rung_off,
                on_rung_on=self._on_rung_on,
                on_shedding=lambda shedding: listener.changed(),
                on_still=self._on_still,
            ),
        )
        self.slates = SlateShelf(
            plan.rungs, settings.media, text, loop, segment_s=settings.hls.segment_s, on_ready=self._on_slate_ready
        )
        self._sound = SoundTrack(
            plan.sounds, loop=loop, start=start, on_frame=self._on_sound_frame, meter=self._loudness
        )
        self._sound.set_gain(orders.gain_db)
        self._outlets = Outlets(
            self,
            store,
            listener.event,
            orders,
            start=start,
            fleeting_s=settings.hls.ring_s,
            recovered=recovered,
        )
        self._packagers = {
            r.name: TrackPackager(r.name, self._outlets.feed, part_target_ticks=broadcast.part_target_ticks)
            for r in broadcast.renditions
        }

    # --- what takes write --------------------------------------------------------------------------

    def cut(self, start: int, *, discontinuity: bool = False) -> Cut:
        """Begin the next segment at ``start`` in every rendition."""
        cut = self.grid.cut(start, discontinuity=discontinuity)
        for name, config in self._sound.configs.items():
            self._packagers[name].begin(cut, config)
        self._outlets.cut(start)
        return cut

    def use_top(self, *, encoded: bool) -> None:
        self.ladder.use_top(encoded=encoded)

    def forward(self, rendition: str, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        self.ladder.forward(rendition, sample, cut, config)

    def decode(self, codec: str, data: bytes, start: int, *, show: bool, cut: Cut | None) -> None:
        self.ladder.decode(codec, data, start, show=show, cut=cut)

    def show(self, start: int, cut: Cut | None) -> None:
        self.ladder.show(start, cut=cut)

    def sound(self, unit: AccessUnit, start: int) -> None:
        self._sound.push(unit.codec, unit.data, start)
        public = self._outlets.public
        if public.shown_from is None or start < public.shown_from:
            return
        if public.shows == "picture_muted":
            self.silence(start)
        elif unit.codec == "opus":
            self._relay_sound(unit.data, start)

    def advance(self, to: int) -> None:
        """Encode the sound up to ``to``."""
        self._sound.advance(to)

    def end_take(self, at: int, *, sound_goes_on: bool = False) -> None:
        """The running take ends at ``at`` in every rendition; its sound after that is not heard, unless it goes on."""
        self.ladder.end_take(at)
        if not sound_goes_on:
            self._sound.reset(at)

    async def finish(self, at: int) -> None:
        """The broadcast is over at ``at``: what the workers have in hand still comes out, for a second at most."""
        self.ladder.end_take(at)
        # The encoder is a frame behind.
        self._sound.advance(at + 2 * AAC_TICKS)
        for _ in range(FINISH_POLLS):
            if self.ladder.idle and self._sound.idle:
                break
            await asyncio.sleep(FINISH_POLL_S)
        await asyncio.sleep(0)  # for what they posted last
        for packager in self._packagers.values():
            packager.end(at)
        self._outlets.finish()

    @property
    def counters(self) -> dict[str, float]:
        packagers = self._packagers.values()
        return {
            **self.ladder.counters,
            **self._sound.counters,
            "samples_refused_total": float(sum(p.dropped_total for p in packagers)),
            "parts_overlong_total": float(sum(p.overlong_total for p in packagers)),
            **self._outlets.counters,
            "frames_left_out_total": float(self.left_out_total),
        }

    @property
    def words_since(self) -> int | None:
        """Tick at which somebody began to speak after a silence; None: nobody did yet."""
        return self._loudness.reading.words_since

    @property
    def meters(self) -> dict[str, dict[str, Any]]:
        """What the programme looks and sounds like now: ``picture`` and ``sound`` (``meters.py``), times as media
        time. The picture is measured while a source is decoded, not on the slate."""
        values = {
            "picture": reading_as_dict(self._picture_meter.reading),
            "sound": reading_as_dict(self._loudness.reading),
        }
        for reading in values.values():
            for name, value in reading.items():
                if name.endswith("_since") and value is not None:
                    reading[name] = self.broadcast.media_time_ms(value)
        return values

    # --- outputs -----------------------------------------------------------------------------------

    @property
    def output(self) -> Output:
        """The public one."""
        return self._outlets.public.output

    @property
    def shows(self) -> dict[str, Shows]:
        """What each output shows now, by name."""
        return self._outlets.shows

    @property
    def sound_configs(self) -> Mapping[str, TrackConfig]:
        return self._sound.configs

    @property
    def sound_bitrates(self) -> Mapping[str, int]:
        return self._sound_bitrates

    @cached_property
    def silent_frames(self) -> Mapping[str, bytes]:
        """One frame of silence of each sound rendition."""
        return {name: silent_frame(bitrate) for name, bitrate in self._sound_bitrates.items()}

    def obey(self, orders: RoomOrders, now: int) -> None:
        """An output shows the programme from its next key frame on, or the slate at once."""
        self._sound.set_gain(orders.gain_db)
        self._outlets.obey(orders, now)

    def forget(self, start: int, end: int) -> None:
        """What lies between two ticks is listed nowhere any more; ``end`` is now at the latest."""
        self._outlets.forget(start, end)

    def tick(self, now: int) -> None:
        self._outlets.tick(now)

    def silence(self, to: int) -> None:
        """Lowest-latency viewers hear silence up to ``to``: a stream of packets that stops is a fault to them."""
        while self._relay_next + OPUS_SILENCE_TICKS <= to:
            self._relay_sound(OPUS_SILENCE, self._relay_next)

    def relay_picture(self, sample: Sample, config: TrackConfig) -> None:
        sets = (config.sps, config.pps) if sample.sync else ((), ())
        # Where slate and programme overlap, as at a tap, every picture is needed for those after it, and time never
        # goes back.
        start = self._relayed_picture = max(sample.start, self._relayed_picture + 1)
        self._listener.relay_video(h264.avcc_to_annexb(sample.data, *sets), start, idr=sample.sync)

    def clips(self, still: str) -> Mapping[str, SlateClip]:
        return self.slates.clips(still)

    def slate_picture(self, kind: str) -> bytes | None:
        return self.slates.still(kind)

    def set_text(self, text: SlateText) -> None:
        self.slates.set_text(text)

    def close(self) -> None:
        self.ladder.close()
        self._sound.close()
        self.slates.close()

    def _relay_sound(self, packet: bytes, start: int) -> None:
        if start <= self._relayed_sound:
            return  # silence was heard in its place
        self._relayed_sound = start
        self._relay_next = start + OPUS_SILENCE_TICKS
        self._listener.relay_audio(packet, start)

    # --- what the workers made ---------------------------------------------------------------------

    def _on_sample(self, rendition: str, sample: Sample, cut: Cut | None, config: TrackConfig) -> None:
        packager = self._packagers[rendition]
        if cut is not None:
            packager.begin(cut, config)
        packager.push(sample)
        shown_from = self._outlets.public.shown_from
        if rendition == self.top and shown_from is not None and sample.start >= shown_from:
            self.relay_picture(sample, config)

    def _on_end(self, rendition: str, at: int) -> None:
        self._packagers[rendition].end(at)

    def _on_sound_frame(self, rendition: str, sample: Sample) -> None:
        self._packagers[rendition].push(sample)

    def _on_rung_off(self, name: str, cut: Cut) -> None:
        names = [rung.name for rung in self.rungs]
        lower = names[names.index(name) + 1 :]
        if lower:
            self._stand_in(name, lower[0], cut)

    def _on_rung_on(self, name: str, cut: Cut) -> None:
        self._stand_in(name, name, cut)

    def _stand_in(self, name: str, other: str, cut: Cut) -> None:
        self._outlets.feed.stand_in(name, other, cut)
        self._outlets.discontinuity(other, cut)

    def _on_slate_ready(self, kind: str) -> None:
        self._outlets.slate_ready(kind)

    def slate_still(self, kind: str | None) -> None:
        """The programme is the slate of that kind from now on; None: it is not."""
        self._outlets.programme_slate(kind)

    def _on_still(self, jpeg: bytes, start: int) -> None:
        self._outlets.still(jpeg, start)
