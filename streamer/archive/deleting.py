"""Deletes recordings for good: what was begun is finished, whatever fails or is put back in between."""

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
    """``withdraw`` makes it answer nobody any more; then its files go. Raises NotErased."""

    async def gone() -> None:
        if withdraw is not None:
            await withdraw()
        await asyncio.to_thread(files.remove, archivist.book.folder(session))

    await archivist.erasing.carry_out(erasures.RecordingErasure(archivist.clock(), session, room), gone)


async def remove_left(archivist: Archivist, session: str) -> None:
    """What is left of a recording that has no row, or says that it is deleted. Raises NotErased."""
    known = next((one for one in archivist.erasing.recordings() if one.session == session), None)
    if known is not None:
        await archivist.erasing.carry_out(known, lambda: again(archivist, (known,), alone=True))
    elif await asyncio.to_thread(archivist.book.folder(session).exists):
        await remove(archivist, session)


async def withdraw(
    archivist: Archivist, entry: RecordingEntry, recording: Recording, who: Who | None, action: str
) -> None:
    """The row says that there was a recording, and nobody is served it."""
    now_ms = archivist.clock()
    gone = replace(recording, state=RecordingState.DELETED, published=False, size_bytes=0)
    await archivist.book.write(gone, withdraw_ms=now_ms, who=who, action=action, at_ms=now_ms)
    archivist.publish(with_edition(entry, gone, None, now_ms))


async def again(archivist: Archivist, records: Sequence[erasures.RecordingErasure], *, alone: bool = False) -> None:
    """What an erasure before has left, or a database that was put back has again. ``alone``: the caller is, with the
    session. Raises OSError, StoreUnavailable."""
    for record in records:
        if alone:
            await _again(archivist, record)
        else:
            async with archivist.alone(record.session):
                await _again(archivist, record)


async def _again(archivist: Archivist, record: erasures.RecordingErasure) -> None:
    entry = await archivist.book.entry(record.session, around=False)
    recording = entry.recording if entry is not None else None
    if entry is not None and recording is not None and recording.state is not RecordingState.DELETED:
        if recording.created_ms > record.at_ms:
            return  # the session went on after that, and was recorded again
        await withdraw(archivist, entry, recording, None, "")
    await asyncio.to_thread(files.remove, archivist.book.folder(record.session))


async def finish(archivist: Archivist) -> None:
    """Delete what the database says is deleted: the process, or the disk, failed after it was told so."""
    async with archivist.book.reading() as recordings:
        deleted = await recordings.in_state(RecordingState.DELETED)
    for recording in deleted:
        session = recording.session
        try:
            if await asyncio.to_thread(files.remove, archivist.book.folder(session)):
                log.warning("deletion_finished", session=session)
        except OSError as error:
            archivist.erasing.add_unfinished(
                erasures.RecordingErasure(archivist.clock(), session, recording.room), str(error)
            )
