"""Puts recordings back into a database that has lost them: from the copies of the book beside the media."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from streamer.archive import files
from streamer.archive.repository import RecordingRepository, folders
from streamer.errors import StreamerError

log = structlog.get_logger(__name__)


async def put_back(book: RecordingRepository, recordings_dir: Path) -> int:
    """Recordings whose folders are there and whose rows are not. Returns how many could not be put back."""
    failed = 0
    for folder in await asyncio.to_thread(folders, recordings_dir):
        try:
            kept = await asyncio.to_thread(files.read, folder / files.STATE_FILE, files.RecordingSidecar)
            if await book.restore(kept):
                log.warning("recording_restored", session=kept.session, room=kept.room)
        except (OSError, ValueError, StreamerError) as error:
            failed += 1
            log.error("recording_not_restored", folder=str(folder), error=str(error))
    return failed
