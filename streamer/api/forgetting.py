"""*Forget* erases a stretch of a room, mostly the last minutes, from its process, its files, its recordings, its
captions and the edges. A failure in one of them does not stop the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from streamer.api.context import Services, now_ms
from streamer.api.rooms import room_named
from streamer.archive import editing
from streamer.control import process_files
from streamer.director.news import Actor
from streamer.errors import StreamerError
from streamer.formats import erasures
from streamer.formats.erasing import erase_stretches
from streamer.store.answers import CommandAnswers, Once
from streamer.store.database import StoreUnavailable
from streamer.store.erasing import NotErased

log = structlog.get_logger(__name__)


async def forget(services: Services, room: str, from_ms: int, to_ms: int, actor: Actor) -> None:
    """Erase everything between two media times of a room, ``to_ms`` now at the latest. Raises NotFound, NotErased."""
    room_named(services, room)
    stretch = erasures.StretchErasure(now_ms(), room, from_ms, to_ms)
    await services.erasing.carry_out(stretch, lambda: _everywhere(services, stretch, actor))


async def first_stretch(services: Services, once: Once, from_ms: int, to_ms: int) -> tuple[int, int]:
    """The stretch that the command named when it came first. Erasing it again changes nothing.

    Raises Unprocessable ``id_reused``.
    """
    try:
        async with services.database.write() as connection:
            answers = CommandAnswers(connection)
            first = await answers.find(once)
            if first is not None:
                return first["from_ms"], first["to_ms"]
            await answers.put_many([once.answered({"from_ms": from_ms, "to_ms": to_ms}, now_ms())])
    except StoreUnavailable as error:
        # Privacy does not wait for the database.
        log.warning("stretch_not_noted", error=str(error))
    return from_ms, to_ms


async def again(services: Services, stretches: Sequence[erasures.StretchErasure]) -> None:
    """Erase again the stretches that were not finished, or that a restored database has again."""
    for stretch in stretches:
        await _everywhere(services, stretch, None)


async def _everywhere(services: Services, stretch: erasures.StretchErasure, actor: Actor | None) -> None:
    """Erase the stretch everywhere, also after a failure. Raises the first failure."""
    room, from_ms, to_ms = stretch.room, stretch.from_ms, stretch.to_ms

    running = room in await asyncio.to_thread(process_files.rooms_running, services.settings.run_dir)

    async def in_room() -> None:
        link = services.plane.rooms.get(room)
        if running and (link is None or not link.up):
            raise NotErased("The room's process does not answer.")
        if not await services.director.forget(room, from_ms, to_ms, actor):
            raise NotErased("The room's disk has not erased it yet.")

    async def on_disk() -> None:
        if not running:
            # A running room process erases its own files, also at its start. Only it writes them.
            await asyncio.to_thread(erase_stretches, services.settings.room_dir(room), [(from_ms, to_ms)])

    async def in_recordings() -> None:
        await editing.forget(services.archivist, room, from_ms, to_ms)

    async def in_captions() -> None:
        await services.captions.forget(room, from_ms, to_ms)

    async def at_edges() -> None:
        await services.edges.without(room)

    steps: Sequence[Callable[[], Awaitable[None]]] = (in_room, on_disk, in_recordings, in_captions, at_edges)
    failed: StreamerError | OSError | None = None
    for step in steps:
        try:
            await step()
        except (StreamerError, OSError) as error:
            failed = failed or error
    if failed is not None:
        raise failed
