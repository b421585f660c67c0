"""The outputs of a broadcast: the public one, one for each closed session, and the programme itself. On the loop.

They obey :class:`~streamer.broadcast.orders.RoomOrders`, a state that may be given any number of times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from streamer.broadcast.media_events import (
    PRIVATE_PREFIX,
    PROGRAMME_OUTPUT,
    PUBLIC,
    MediaEvent,
    OutputGone,
    PartMade,
)
from streamer.broadcast.orders import RoomOrders, Shows, Withheld
from streamer.broadcast.programme import TICKS_PER_MS, TICKS_PER_S
from streamer.formats.types import Cut
from streamer.media.feeds import PROGRAMME, BroadcastStore, TrackFeed
from streamer.media.inits import Inits
from streamer.media.off_air import SlateParts
from streamer.media.output_controller import ControllerPorts, OutputController
from streamer.media.output_window import OutputState
from streamer.media.outputs import Output
from streamer.media.recovery import Recovered
from streamer.media.spans import Spans

KEEP_TICKS = 35 * 60 * TICKS_PER_S
"""Programme that no session claims is kept for this long: marks may be set half an hour late, and replays have handles
of five minutes."""
RING_MARGIN_TICKS = 8 * TICKS_PER_S
"""The ring ends with the newest part of the fastest rendition. Segments are counted by their ends, the open one is not
counted, and slower renditions are behind."""
LATE_TAP_TOLERANCE_TICKS = TICKS_PER_S
"""Orders need a moment to arrive, and parts to come. A shorter stretch than this after an action does not make it a
late one."""
SENT_PLACES = 4096
"""Chunks whose bytes were sent recently; a slow rendition is some seconds later in one output than in another."""


class ProgrammeOutputs:
    """``feed`` is the programme's: packagers write to it. ``fleeting_s``: the time that unrecorded media stay in
    memory."""

    def __init__(
        self,
        slate: SlateParts,
        store: BroadcastStore,
        emit: Callable[[MediaEvent], None],
        orders: RoomOrders,
        *,
        start: int,
        fleeting_s: float,
        recovered: Recovered | None,
    ) -> None:
        self._broadcast = slate.broadcast
        self._emit_on = emit
        self._sent: dict[tuple[str, int], None] = {}
        self._states: Mapping[str, OutputState] = recovered.outputs if recovered else {}
        self._inits = Inits(recovered.inits if recovered else ())
        self._unrecorded = Spans()
        # RFC 8216bis, 6.2.2: a playlist does not become shorter than three target durations.
        least = 3 * slate.broadcast.target_duration_s * TICKS_PER_S
        self._fleeting = max(least, int(fleeting_s * TICKS_PER_S) - RING_MARGIN_TICKS)
        self._ports = ControllerPorts(slate, store, self._emit, self._unrecorded)
        self._store = store
        self._stretch = orders.stretch
        self._still_kind: str | None = None
        self._withheld: frozenset[Withheld] = frozenset()
        """The withheld stretches that have been obeyed."""
        if not orders.record:
            self._unrecorded.begin(start)
        # The public output comes first: it sends the bytes, whatever other output lists them.
        self._controllers: dict[str, OutputController] = {}
        self.public = self._add(PUBLIC, orders.public, start, aired=orders.public != "slate")
        for order in orders.outputs:
            self._add(order.name, order.shows, start, aired=order.shows != "slate")
        self._programme = self._output(PROGRAMME_OUTPUT, aired=True)
        self._programme.window.ticks = KEEP_TICKS
        self._keep_from(orders.keep_from_ms)
        self.feed = TrackFeed(PROGRAMME, store, unrecorded=self._unrecorded)
        self._list_outputs()
        for name in self._states:
            if name.startswith(PRIVATE_PREFIX) and name not in self._controllers:
                self._emit(OutputGone(output=name))
        self._withhold(orders.withheld, start)

    # --- status ------------------------------------------------------------------------------------------

    @property
    def shows(self) -> dict[str, Shows]:
        """Output -> its present content, for each output that is not over."""
        return {
            name: controller.showing for name, controller in self._controllers.items() if controller.closed_at is None
        }

    @property
    def counters(self) -> dict[str, float]:
        outputs = [*(controller.output for controller in self._controllers.values()), self._programme]
        return {
            "parts_late_total": float(sum(output.late_total for output in outputs)),
            "gaps_total": float(sum(output.gaps_total for output in outputs)),
        }

    # --- the director's orders -----------------------------------------------------------------------------

    def obey(self, orders: RoomOrders, now: int) -> None:
        """The orders from tick ``now`` on."""
        self._record(orders.record, now)
        self._keep_from(orders.keep_from_ms)
        if orders.stretch != self._stretch:
            self._stretch = orders.stretch
            self._store.new_files(now)
        self.public.order(orders.public, now)
        named = {order.name: order.shows for order in orders.outputs if order.name.startswith(PRIVATE_PREFIX)}
        for name, shows in named.items():
            if name in self._controllers:
                self._controllers[name].order(shows, now)
            else:
                self._add(name, shows, now, aired=False)
                self._list_outputs()
        for name, controller in self._controllers.items():
            if name != PUBLIC and name not in named:
                controller.close(now)
        self._withhold(orders.withheld, now)

    def forget(self, start: int, end: int) -> None:
        """Remove the media between two ticks from every list; ``end`` is now at the latest."""
        unlisted = [chunk for controller in self._controllers.values() for chunk in controller.forget(start, end)]
        unlisted += self._programme.forget(start, end, gaps=True)
        self._store.forget(unlisted)

    # --- from the pipeline -------------------------------------------------------------------------------------

    def cut(self, start: int) -> None:
        for controller in self._controllers.values():
            controller.cut(start)

    def tick(self, now: int) -> None:
        for controller in self._controllers.values():
            controller.tick(now)
        for name in [name for name, controller in self._controllers.items() if controller.gone(now)]:
            del self._controllers[name]
            self._list_outputs()
            self._emit(OutputGone(output=name))

    def discontinuity(self, track: str, cut: Cut) -> None:
        """The picture's size changes in one rendition: a discontinuity in all of them, at the same place.

        The segment has no parts yet, so nothing that was listed changes.
        """
        changed = replace(cut, discontinuity=True)
        for output in self.feed.outputs:
            output.segment_opened(PROGRAMME, track, changed)

    def still(self, jpeg: bytes, start: int) -> None:
        """A picture of the programme. If the programme is a slate itself, the slate's picture is used."""
        if self._still_kind is None:
            for controller in self._controllers.values():
                controller.still(jpeg, start)

    def programme_slate(self, kind: str | None) -> None:
        """The programme is a slate of that kind from now on; None: a source's picture."""
        self._still_kind = kind
        if kind is not None:
            self._tell_programme_slate(kind)

    def slate_ready(self, kind: str) -> None:
        """The slate of that kind has changed."""
        for controller in self._controllers.values():
            controller.slate_ready(kind)
        if kind == self._still_kind:
            self._tell_programme_slate(kind)

    def finish(self) -> None:
        """The broadcast has ended."""
        for controller in self._controllers.values():
            controller.output.close()
        self._programme.close()

    # --- inside ----------------------------------------------------------------------------------------------

    def _tell_programme_slate(self, kind: str) -> None:
        for controller in self._controllers.values():
            if controller.shown_from is not None:
                controller.slate_still(kind)

    def _add(self, name: str, shows: Shows, start: int, *, aired: bool) -> OutputController:
        output = self._output(name, aired=aired)
        controller = self._controllers[name] = OutputController(self._ports, output, shows, start)
        return controller

    def _output(self, name: str, *, aired: bool) -> Output:
        return Output(
            self._broadcast,
            self._inits,
            self._emit,
            name=name,
            aired=aired,
            state=self._states.get(name),
            unrecorded=self._unrecorded,
            fleeting=None if name == PROGRAMME_OUTPUT else self._fleeting,
        )

    def _list_outputs(self) -> None:
        self.feed.outputs = [*(controller.output for controller in self._controllers.values()), self._programme]

    def _record(self, record: bool, now: int) -> None:
        if record != self._unrecorded.open:
            return
        if record:
            self._unrecorded.end(now)
        else:
            self._unrecorded.begin(now)
        # When an unrecorded stretch begins or ends, the DVR window is cut to the live edge. Recorded media stay in the
        # programme, for the replays of the sessions before.
        for controller in self._controllers.values():
            controller.output.cut_window()

    def _withhold(self, withheld: tuple[Withheld, ...], now: int) -> None:
        """Remove listed stretches that must not be listed, or kept. Each once: later media follow the other orders."""
        fresh = [one for one in withheld if one not in self._withheld]
        self._withheld = frozenset(withheld)
        epoch_ms = self._broadcast.epoch_ms
        for one in fresh:
            start = max(0, (one.from_ms - epoch_ms) * TICKS_PER_MS)
            end = now if one.to_ms is None else min(now, (one.to_ms - epoch_ms) * TICKS_PER_MS)
            if one.erase:
                for begin, until in self._unrecorded.without(start, end):
                    outputs = (self._programme, *(controller.output for controller in self._controllers.values()))
                    if any(output.listed(begin, until) > LATE_TAP_TOLERANCE_TICKS for output in outputs):
                        self.forget(begin, until)
                continue
            for name, controller in self._controllers.items():
                if name != one.output and controller.output.listed(start, end) > (
                    0 if one.exact else LATE_TAP_TOLERANCE_TICKS
                ):
                    controller.forget(start, end, keep=True)

    def _keep_from(self, keep_from_ms: int | None) -> None:
        epoch_ms = self._broadcast.epoch_ms
        self._programme.window.keep_from = None if keep_from_ms is None else (keep_from_ms - epoch_ms) * TICKS_PER_MS

    def _emit(self, event: MediaEvent) -> None:
        if isinstance(event, PartMade):
            # Bytes go over the data socket once, however many outputs list them.
            chunk = event.part.chunk
            place = (chunk.file, chunk.offset)
            if place in self._sent:
                event.data = b""
            else:
                self._sent[place] = None
                if len(self._sent) > SENT_PLACES:
                    del self._sent[next(iter(self._sent))]
        self._emit_on(event)
