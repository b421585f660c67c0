"""Deletes recordings for good. A deletion that has begun is finished, also after failures and after a database was
restored."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from streamer.archive import files
from streamer.archive.repository import RecordingEntry, Who, with_edition
from streamer.formats import erasures
from streamer.store.recordings import Recording, RecordingState

if TYPE_CHECKING:
    from streamer.archive.archivist import Archivist

log = structlog.get_logger(__name__)


async def remove(
    archivist: Archivist, session: str, room: str = "", withdraw: Callable[[], Awaitable[None]] | None = None
) -> None:
    """``withdraw`` makes sure that nobody is served it any more; then its files are deleted. Raises NotErased."""

    async def gone() -> None:
        if withdraw is not None:
            await withdraw()
        await archivist.interrupt(session)
        await asyncio.to_thread(files.remove, archivist.repository.folder(session))

    await archivist.erasing.carry_out(erasures.RecordingErasure(archivist.clock(), session, room), gone)


async def remove_left(archivist: Archivist, session: str) -> None:
    """Delete the remaining files of a recording that has no row, or whose row says that it is deleted. Raises
    NotErased."""
    known = next((one for one in archivist.erasing.recordings() if one.session == session), None)
    if known is not None:
        await archivist.erasing.carry_out(known, lambda: again(archivist, (known,), alone=True))
    elif await asyncio.to_thread(archivist.repository.folder(session).exists):
        await remove(archivist, session)


async def withdraw(
    archivist: Archivist, entry: RecordingEntry, recording: Recording, who: Who | None, action: str
) -> None:
    """Serve the recording to nobody. The row says that there was one."""
    now_ms = archivist.clock()
    gone = replace(recording, state=RecordingState.DELETED, published=False, size_bytes=0)
    await archivist.repository.write(gone, withdraw_ms=now_ms, who=who, action=action, at_ms=now_ms)
    archivist.publish(with_edition(entry, gone, None, now_ms))


async def again(archivist: Archivist, records: Sequence[erasures.RecordingErasure], *, alone: bool = False) -> None:
    """Delete again the rest of earlier deletions, or recordings that a restored database has again. ``alone``: the
    caller holds the session's lock. Raises OSError, StoreUnavailable."""
    for record in records:
        if alone:
            await _again(archivist, record)
        else:
            async with archivist.alone(record.session):
                await _again(archivist, record)


async def _again(archivist: Archivist, record: erasures.RecordingErasure) -> None:
    entry = await archivist.repository.entry(record.session, around=False)
    recording = entry.recording if entry is not None else None
    if entry is not None and recording is not None and recording.state is not RecordingState.DELETED:
        if recording.created_ms > record.at_ms:
            return  # the session went on after that, and was recorded again
        await withdraw(archivist, entry, recording, None, "")
    await archivist.interrupt(record.session)
    await asyncio.to_thread(files.remove, archivist.repository.folder(record.session))


async def finish(archivist: Archivist) -> None:
    """Delete the files of recordings that the database calls deleted: the process or the disk failed after the
    decision."""
    async with archivist.repository.reading() as recordings:
        deleted = await recordings.in_state(RecordingState.DELETED)
    for recording in deleted:
        session = recording.session
        try:
            if await asyncio.to_thread(files.remove, archivist.repository.folder(session)):
                log.warning("deletion_finished", session=session)
        except OSError as error:
            archivist.erasing.add_unfinished(
                erasures.RecordingErasure(archivist.clock(), session, recording.room), str(error)
            )
