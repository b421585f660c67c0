"""The room process: one open room, from its first publication to thirty minutes after its last.

``python -m streamer.room.process --data DIR --room ID --settings FILE``, started by the media host; with
``--fork-server`` instead of ``--room ID`` it forks a process for each room (:mod:`streamer.host.fork_server`). It
connects publishers (:mod:`publications`) with the programme (:mod:`streamer.media.programme`), and the programme's
parts with the disk, the data socket and the WHEP relay. It knows no HTTP, no database, no user.
"""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # Imports make no garbage: the collector would take a fifth of the start to find that out.
    gc.disable()
    # structlog would take a tenth of it to load rich, for a console that is not ours.
    sys.modules["rich"] = None  # type: ignore[assignment]

import argparse
import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import structlog
import uvloop

from streamer.broadcast.media_events import PREVIEW, PUBLIC, Closed, Forgotten, MediaEvent, Opened, PartBytes, Snapshot
from streamer.broadcast.orders import Shows
from streamer.broadcast.programme import SLATE, Broadcast
from streamer.broadcast.view import BroadcastView
from streamer.control import process_files, run_folder
from streamer.control.data import DataServer
from streamer.control.messages import (
    Candidates,
    CrewPicture,
    Forget,
    Forgot,
    Offer,
    PictureWanted,
    RoomConfig,
    RoomStatus,
)
from streamer.control.server import ControlServer, plain, typed, wait_cancelled
from streamer.errors import BadRequest
from streamer.formats.erasing import erase_stretches
from streamer.formats.erasures import read_stretches
from streamer.formats.types import AccessUnit
from streamer.media.incoming import PictureGuard, read_unit
from streamer.media.ladder import Ladder
from streamer.media.programme import Programme
from streamer.media.recorder import Recorder
from streamer.media.recovery import Recovered, recover, remove_old_broadcasts
from streamer.media.takes import PictureTake
from streamer.observe.logs import configure_logging
from streamer.room.crew_pictures import CrewPictures
from streamer.room.forking import fork_rooms, wait_for_room
from streamer.room.media_watch import MediaWatch
from streamer.room.memory_limit import limit_own
from streamer.room.previews import Previews
from streamer.room.publications import Publications
from streamer.room.relay import Relay
from streamer.room.slate_words import slate_text
from streamer.settings import Settings
from streamer.supervision import TASKS, start_kept

log = structlog.get_logger(__name__)

TICK_S = 0.02
STATUS_INTERVAL_S = 1.0
METERS_INTERVAL_S = 0.25
WATCH_INTERVAL_S = 0.1
DRAIN_S = 3.0
FORGET_DISK_S = 10.0
EXIT_STOPPED = 75
"""The process was told to stop while the broadcast goes on (EX_TEMPFAIL)."""


class RoomService:
    """Everything that one room process holds. All on its loop."""

    def __init__(self, settings: Settings, config: RoomConfig) -> None:
        self.settings = settings
        self.config = config
        self.view = BroadcastView()
        self.recorder: Recorder | None = None
        """The recorder of the broadcast, as soon as its renditions are fixed."""
        self.data = DataServer(settings.run_dir / run_folder.data_socket(config.id), self._snapshot)
        self.control = ControlServer(
            settings.run_dir / run_folder.control_socket(config.id),
            {
                "hello": plain(self._hello),
                "status": plain(self.status),
                "configure": typed(RoomConfig, self._configure),
                "offer": typed(Offer, self._offer),
                "candidates": typed(Candidates, self._candidates),
                "hangup": self._hangup,
                "forget": typed(Forget, self._forget),
                "picture": typed(PictureWanted, self._picture),
                "close": plain(self._end_broadcast),
            },
            epoch=max(config.epoch, process_files.load_epoch(settings, config.id)),
            on_epoch=self._obeys,
        )
        self.publications = Publications(settings, self)
        self.relay = Relay(
            config.id,
            settings,
            on_keyframe_wanted=self._keyframe_for_viewers,
            on_source_keyframe_wanted=self.publications.request_keyframe,
        )
        self.previews = Previews(self.relay)
        self.watch = MediaWatch(
            config,
            int(settings.media.max_source_megapixels * 1_000_000),
            settings.ice.video_min_kbps,
            ways=self.publications.way,
            look=self.publications.request_keyframe,
        )
        self.crew_pictures = CrewPictures(self._decoding, self.watch.meters.seen, self.publications.request_keyframe)
        self.programme = Programme(
            config.id,
            settings,
            self,
            self.publications,
            self.relay,
            slate_text(config, now_ms()),
            max_height=config.max_height,
            orders=config.whole_orders,
            caption_languages=config.caption_languages,
            watch=self.watch.picture,
        )
        self.closed = asyncio.Event()
        """Set when the process must end: the broadcast is over, or SIGTERM came."""
        self.ended = False
        """The broadcast has ended. A process that only stops leaves it to the next process."""
        self._started_ms = int(time.time() * 1000)
        self._idle_since = time.monotonic()
        self._status_due = True
        self._epoch_due = self.control.epoch
        """An epoch that is not on disk yet."""
        self._malformed = 0
        self._held_ns = 0
        self._guards: dict[str, PictureGuard] = {}
        self._refused = 0
        """Pictures that the guards of earlier publications refused."""

    # --- life --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until the room closes or SIGTERM comes."""
        # Stretches that were to be forgotten while the process before died are erased before anybody learns of the
        # media.
        stretches = await asyncio.to_thread(self._erase_stretches)
        recovered = await asyncio.to_thread(
            recover,
            self.settings.room_dir(self.config.id),
            now_ms=now_ms(),
            close_after_s=self.settings.room.close_after_s,
        )
        await asyncio.to_thread(
            remove_old_broadcasts,
            self.settings.room_dir(self.config.id),
            keep=(recovered.broadcast.id,) if recovered else (),
            now_ms=now_ms(),
            older_than_s=self.settings.hls.dvr_s,
            keep_from_ms=self.config.orders.keep_from_ms,
        )
        if recovered is not None:
            log.info("broadcast_resumed", room=self.config.id, broadcast=recovered.broadcast.id)
            self.view.apply(recovered.snapshot)
            self.programme.resume(recovered, now_ms=now_ms())
            for stretch in stretches:
                self.programme.forget(*stretch)
        await self.data.start()
        await self.control.start()
        tasks = [
            asyncio.create_task(self._tick(), name="programme tick"),
            start_kept("status report", self._report),
        ]
        stop = asyncio.create_task(self.closed.wait(), name="room closed")
        try:
            # A room whose tick fails must not look alive: the media host restarts it.
            done, _ = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (stop, *tasks):
                await wait_cancelled(task)
            await self._shut_down()

    def _erase_stretches(self) -> list[tuple[int, int]]:
        found = [(one.from_ms, one.to_ms) for one in read_stretches(self.settings.data, self.config.id)]
        try:
            erase_stretches(self.settings.room_dir(self.config.id), found)
        except OSError as error:
            # They are not listed any more; the web process asks again until the disk erases them.
            log.error("not_erased", room=self.config.id, problem=error.strerror)
        return found

    async def _shut_down(self) -> None:
        # The last segment is complete, for the viewers and for a process that continues.
        await self.programme.finish()
        if self.ended:
            self.event(Closed())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await self.publications.close()
                await self.relay.close()
        self.programme.close()
        self.watch.close()
        if self.recorder is not None and not await self.recorder.close():
            log.warning("disk_left_behind", room=self.config.id)
        await self.data.close()
        await self.control.close()

    async def _tick(self) -> None:
        began_ns = time.thread_time_ns()
        while True:
            # The loop turns many times between two ticks, unless one callback blocks it.
            now_ns = time.thread_time_ns()
            self._held_ns, began_ns = max(self._held_ns, now_ns - began_ns), now_ns
            self.programme.tick()
            if self._nobody_for() > self.settings.room.close_after_s:
                self._end_broadcast()
            await asyncio.sleep(TICK_S)

    def _nobody_for(self) -> float:
        if self.publications.count:
            self._idle_since = time.monotonic()
        return time.monotonic() - self._idle_since

    def _end_broadcast(self) -> None:
        log.info("room_closed", room=self.config.id)
        self.ended = True
        self.closed.set()

    async def _report(self) -> None:
        last = measured = 0.0
        while True:
            pipeline = self.programme.pipeline
            if pipeline is not None and self.control.connections and time.monotonic() - measured >= METERS_INTERVAL_S:
                measured = time.monotonic()
                self.control.publish("meters", pipeline.meters)
            self._status_due |= self.watch.tick(self._on_programme, pipeline)
            if self._status_due or time.monotonic() - last >= STATUS_INTERVAL_S:
                self._status_due = False
                last = time.monotonic()
                self.control.publish("status", self.status())
                self._held_ns = 0
                self._count_down()
            if self._epoch_due:
                await self._keep_epoch()
            await asyncio.sleep(WATCH_INTERVAL_S)

    def _count_down(self) -> None:
        """Update the slate's number of minutes, if anybody sees it."""
        text = slate_text(self.config, now_ms())
        if text != self.programme.text and (self.programme.on_slate or "slate" in self._shows().values()):
            self.programme.configure(text)

    # --- from the publications ---------------------------------------------------------------------

    def source_up(self, name: str) -> None:
        self._refused += before.refused_total if (before := self._guards.get(name)) else 0
        self._guards[name] = PictureGuard(int(self.settings.media.max_source_megapixels * 1_000_000))
        self.programme.source_up(name)
        self.watch.source_up(name)
        self.previews.restart(name)
        self.crew_pictures.forget(name)
        self._status_due = True

    def source_down(self, name: str, reason: str) -> None:
        log.info("source_down", room=self.config.id, source=name, reason=reason)
        self.programme.source_down(name)
        self.crew_pictures.forget(name)
        self.watch.source_down(name)
        self._status_due = True

    def access_unit(self, name: str, unit: AccessUnit) -> None:
        incoming = read_unit(unit)
        if incoming is None:
            self._malformed += 1
            return
        guard = self._guards.get(name)
        if guard is not None and not guard.admits(incoming):
            return
        self.programme.take_in(name, incoming)
        self.previews.take_in(name, incoming)
        self.watch.take_in(name, incoming)

    # --- from the programme ------------------------------------------------------------------------

    def opened(self, broadcast: Broadcast, recovered: Recovered | None) -> Recorder:
        if recovered is None:
            self.event(Opened(broadcast=broadcast))
        self.recorder = Recorder(
            self.settings.room_dir(self.config.id),
            broadcast,
            self.view.packed_snapshot,
            ring_s=self.settings.hls.ring_s,
            next_files=recovered.next_files if recovered else None,
            next_index=recovered.next_index if recovered else 0,
        )
        self.recorder.start()
        self._status_due = True
        return self.recorder

    def event(self, event: MediaEvent) -> None:
        """Mirror an event, keep it and send it to the web plane, in one turn of the loop.

        The data socket comes last: it numbers the event for its readers, and the index has no such numbers.
        """
        recorder = self.recorder
        if isinstance(event, Forgotten) and recorder is not None and (output := self.view.outputs.get(event.output)):
            recorder.forget(output.chunks(event.first_msn, event.last_msn))
        self.view.apply(event)
        if recorder is not None:
            recorder.journal(event)
        self.data.publish(event)

    def changed(self) -> None:
        self._status_due = True

    # --- from the web plane ------------------------------------------------------------------------

    def _obeys(self, epoch: int) -> None:
        self._epoch_due = epoch

    async def _keep_epoch(self) -> None:
        """Write the epoch for a restarted process. The loop does not wait for the disk."""
        epoch, self._epoch_due = self._epoch_due, 0
        try:
            await asyncio.to_thread(process_files.save_epoch, self.settings, self.config.id, epoch)
        except OSError as error:
            log.error("epoch_not_kept", room=self.config.id, epoch=epoch, error=str(error))

    def _hello(self) -> dict[str, Any]:
        status = self.status()
        return {"room": status.room, "pid": status.pid, "version": status.version}

    async def _configure(self, config: RoomConfig) -> None:
        if config.id != self.config.id:
            raise BadRequest("This is another room's process.", code="wrong_room")
        self.config = config
        self.watch.configure(config)
        self.programme.configure(slate_text(config, now_ms()))
        self.programme.caption_languages = config.caption_languages
        self.programme.obey(config.whole_orders)

    async def _offer(self, offer: Offer) -> Any:
        if offer.kind == "publish":
            return await self.publications.offer(offer)
        if offer.output == PREVIEW:
            self.previews.check(self.programme.switch.sources.get(offer.source), offer.sdp)
        return await self.relay.offer(offer)

    async def _candidates(self, candidates: Candidates) -> None:
        if self.publications.owns(candidates.resource):
            await self.publications.candidates(candidates)
        else:
            await self.relay.candidates(candidates)

    async def _hangup(self, params: dict[str, Any]) -> None:
        resource = params.get("resource")
        if not isinstance(resource, str):
            raise BadRequest("Name a resource.", code="bad_params")
        if self.publications.owns(resource):
            await self.publications.hangup(resource)
        else:
            await self.relay.hangup(resource)

    async def _forget(self, span: Forget) -> Forgot:
        self.programme.forget(span.from_ms, span.to_ms)
        size, complete = await self.recorder.forgotten(FORGET_DISK_S) if self.recorder is not None else (0, True)
        log.info("forgotten", room=self.config.id, from_ms=span.from_ms, to_ms=span.to_ms, bytes=size, done=complete)
        return Forgot(size, complete)

    async def _picture(self, wanted: PictureWanted) -> CrewPicture:
        return await self.crew_pictures.picture(wanted.source)

    def _decoding(self, source: str) -> Ladder | None:
        """The ladder that decodes a source, or what the public output shows now ("")."""
        pipeline, take = self.programme.pipeline, self.programme.take
        if pipeline is None or not isinstance(take, PictureTake):
            return None
        shown = take.source == source if source else self._shows().get(PUBLIC) in ("programme", "picture_muted")
        return pipeline.ladder if shown else None

    def _keyframe_for_viewers(self) -> None:
        take = self.programme.take
        if take is not None:
            self.publications.request_keyframe(take.source)

    # --- status ------------------------------------------------------------------------------------

    def status(self) -> RoomStatus:
        programme = self.programme
        sources = self.publications.status()
        for name, source in sources.items():
            source.passthrough = programme.passes(name)
            guard = self._guards.get(name)
            refusal = [guard.refusal] if guard is not None and guard.refusal is not None else []
            source.notes = [*source.notes, *refusal, *programme.notes(name)]
        return RoomStatus(
            room=self.config.id,
            pid=os.getpid(),
            started_ms=self._started_ms,
            broadcast=self.view.broadcast.id if self.view.broadcast else None,
            on_programme=self._on_programme,
            aired=programme.aired,
            sources=sources,
            viewers_whep=self.relay.viewers,
            shedding=list(programme.pipeline.ladder.shedding) if programme.pipeline is not None else [],
            shows=self._shows(),
            media_up=programme.presence.up,
            media_since_ms=programme.presence.since_ms,
            media_stopped_ms=programme.presence.stopped_ms,
            duels=self.publications.duels,
            loop_held_ms=round(self._held_ns / 1e6, 1),
            first_words_ms=programme.first_words_ms,
            clock_offset_ms=programme.clock_offset_ms,
            troubles=self.watch.troubles,
            measures=self.watch.measures,
            alarms=[
                *programme.alarms,
                *(self.recorder.alarms if self.recorder else []),
                *(["room_out_of_memory"] if process_files.was_out_of_memory(self.settings, self.config.id) else []),
                *(["task_failing"] if TASKS.troubled() else []),
            ],
            counters={
                **self.publications.counters,
                **(self.recorder.counters if self.recorder else {}),
                **programme.counters,
                **self.relay.counters,
                "task_restarts_total": float(TASKS.restarts_total),
                "meter_jobs_dropped_total": float(self.watch.meters.dropped_total),
                "units_malformed_total": float(self._malformed),
                "pictures_refused_total": float(self._refused + sum(g.refused_total for g in self._guards.values())),
                "data_readers_cut_total": float(self.data.cut_off),
                "control_readers_cut_total": float(self.control.cut_off),
            },
        )

    @property
    def _on_programme(self) -> str:
        return self.programme.take.source if self.programme.take else SLATE

    def _shows(self) -> dict[str, Shows]:
        return self.programme.pipeline.outputs.shows if self.programme.pipeline is not None else {}

    def _snapshot(self) -> tuple[Snapshot, list[PartBytes]]:
        held = self.recorder.ring.items() if self.recorder is not None else ()
        return self.view.packed_snapshot(), [PartBytes(file=c.file, offset=c.offset, data=data) for c, data in held]


def now_ms() -> int:
    return int(time.time() * 1000)


async def serve_room(settings: Settings, room: str) -> int:
    """Run the room until it closes. The media host restarts it unless the exit code is 0."""
    config = process_files.load_room(settings, room) or RoomConfig(id=room, name=room)
    process = RoomService(settings, config)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.closed.set)
    await process.run()
    return 0 if process.ended else EXIT_STOPPED


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="streamer room")
    parser.add_argument("--data", type=Path, required=True)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--room", type=run_folder.check_room_id)
    which.add_argument("--fork-server", action="store_true", help="fork a process for each room that the host names")
    which.add_argument("--spare", action="store_true", help="wait for a room on the standard input")
    parser.add_argument("--settings", type=Path, required=True)
    arguments = parser.parse_args(argv)
    # Objects of the imports live as long as the process, so the collector need not check them again and again. Forked
    # rooms share their memory for as long as it writes nothing there.
    gc.freeze()
    room = fork_rooms() if arguments.fork_server else wait_for_room() if arguments.spare else arguments.room
    if room is None:
        return 0
    gc.enable()
    settings = process_files.read_settings(arguments.settings).model_copy(update={"data": arguments.data})
    configure_logging(settings.log)
    limit_own(settings.room.memory_mb)
    return uvloop.run(serve_room(settings, room))


if __name__ == "__main__":
    sys.exit(main())
