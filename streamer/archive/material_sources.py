"""Collects a session's material from the room's mirror, its index files, and the material of before.

Reading files blocks: call it in a thread. A mirror is read on the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import structlog

from streamer.archive.material import HANDLE_MS, Material, Reel, Span, collect, joined, union, without
from streamer.broadcast.media_events import PROGRAMME_OUTPUT
from streamer.broadcast.view import BroadcastView, OutOfStep
from streamer.conference.sessions import Session
from streamer.control.media_plane import RoomLink
from streamer.formats.index import INDEX_GLOB, read_index

log = structlog.get_logger(__name__)

FOREVER_MS = 1 << 52
PART_MS = 334
SOON_S = 0.7
LATEST_S = 2.5
"""The longest wait at the end for the programme to reach the mark. A part, or a rendition that lags, may be missing."""


def forbidden(session: Session, others: Iterable[Session]) -> tuple[Span, ...]:
    """The times in which the room belonged to other sessions that are closed or not recorded, as far as they have
    begun."""
    return union(
        Span(other.started_ms, FOREVER_MS if other.ended_ms is None else other.ended_ms)
        for other in others
        if other.id != session.id and other.started_ms is not None and (other.closed or not other.recorded)
    )


def neighbours(sessions: Iterable[Session], before: Session | None, after: Session | None) -> list[Session]:
    """The room's other sessions whose recordings may contain, as handles, minutes that now belong to the changed one
    alone."""
    if after is None or after.started_ms is None or not (after.closed or not after.recorded):
        return []
    if before is not None and (before.started_ms, before.ended_ms, before.closed, before.recorded) == (
        after.started_ms,
        after.ended_ms,
        after.closed,
        after.recorded,
    ):
        return []
    from_ms, to_ms = after.started_ms - HANDLE_MS, (after.ended_ms or FOREVER_MS) + HANDLE_MS
    return [
        session
        for session in sessions
        if session.id != after.id
        and session.started_ms is not None
        and session.started_ms < to_ms
        and (session.ended_ms is None or session.ended_ms > from_ms)
    ]


def with_handles(session: Span, gone: Iterable[Span]) -> Span:
    """The session with its handles. A handle ends at the next closed or unrecorded session."""
    begin, end = session.from_ms - HANDLE_MS, min(session.to_ms + HANDLE_MS, FOREVER_MS)
    for span in gone:
        if span.to_ms <= session.from_ms:
            begin = max(begin, span.to_ms)
        if span.from_ms >= session.to_ms:
            end = min(end, span.from_ms)
    return Span(begin, end)


def from_indexes(room_dir: Path, span: Span, gone: Sequence[Span]) -> list[Reel]:
    """The material of ``span`` on disk, from all broadcasts of the room, oldest first. Damaged parts are left out."""
    reels = []
    for folder in sorted(room_dir.iterdir()) if room_dir.is_dir() else []:
        indexes = sorted(folder.glob(INDEX_GLOB), reverse=True) if folder.is_dir() else []
        for path in indexes:
            view = _read(path)
            if view is None:
                continue
            reel = collect(view, PROGRAMME_OUTPUT, span, gone)
            if reel is not None and (there := _on_disk(room_dir, reel)) is not None:
                reels.append(there)
            break
    return sorted(reels, key=lambda reel: reel.broadcast.epoch_ms)


def combined(before: Material, fresh: Iterable[Reel], gone: Sequence[Span]) -> Material:
    """The material with newer reels added, and without the stretches ``gone``."""
    all_gone = union((*before.gone, *gone))
    reels: tuple[Reel, ...] = before.reels
    for reel in fresh:
        reels = joined(reels, reel)
    left = tuple(kept for reel in reels if (kept := without(reel, all_gone)) is not None)
    return msgspec.structs.replace(before, reels=left, gone=all_gone)


async def wait_for_mark(link: RoomLink, end_ms: int) -> None:
    """Wait until every rendition has reached the mark, or is near enough, or the time is up."""
    changed = asyncio.Event()
    unsubscribe = link.subscribe(changed.set)
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        while (waited := loop.time() - began) < LATEST_S:
            changed.clear()
            edge_ms = _edge_ms(link.view)
            if edge_ms is None or edge_ms >= end_ms or (waited >= SOON_S and edge_ms >= end_ms - PART_MS):
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SOON_S - waited if waited < SOON_S else LATEST_S - waited):
                    await changed.wait()
    finally:
        unsubscribe()


def _edge_ms(view: BroadcastView) -> int | None:
    """The media time that every rendition of the programme has reached."""
    broadcast, output = view.broadcast, view.outputs.get(PROGRAMME_OUTPUT)
    if broadcast is None or output is None or view.closed:
        return None
    return broadcast.media_time_ms(min((track.end for track in output.tracks.values()), default=0))


def _read(path: Path) -> BroadcastView | None:
    try:
        events = read_index(path).events
    except (OSError, ValueError) as error:
        log.warning("index_unreadable", index=str(path), error=str(error))
        return None
    view = BroadcastView()
    for event in events:
        try:
            view.apply(event)
        except OutOfStep as error:
            log.warning("index_out_of_step", index=str(path), error=str(error))
            break
    return view if view.broadcast is not None else None


def _on_disk(room_dir: Path, reel: Reel) -> Reel | None:
    """The reel without the parts that are incomplete in their files."""
    sizes: dict[str, int] = {}
    for segments in reel.tracks.values():
        for segment in segments:
            for part in segment.parts:
                file = part.chunk.file
                if file not in sizes:
                    try:
                        sizes[file] = (room_dir / file).stat().st_size
                    except OSError:
                        sizes[file] = -1
    tracks = {
        name: tuple(
            msgspec.structs.replace(
                segment,
                complete=True,
                parts=[
                    part
                    if part.chunk.offset + part.chunk.size <= sizes[part.chunk.file]
                    else msgspec.structs.replace(part, chunk=msgspec.structs.replace(part.chunk, file=""))
                    for part in segment.parts
                ],
            )
            for segment in segments
        )
        for name, segments in reel.tracks.items()
    }
    return without(msgspec.structs.replace(reel, tracks=tracks), ())
