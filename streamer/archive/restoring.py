"""Restores recordings that a database has lost, from the copies of their entries beside the media."""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from streamer.archive import files
from streamer.archive.repository import RecordingRepository, folders
from streamer.errors import StreamerError

log = structlog.get_logger(__name__)


async def put_back(repository: RecordingRepository, recordings_dir: Path) -> int:
    """Restore recordings that have a folder and no row. Returns the number that could not be restored."""
    failed = 0
    for folder in await asyncio.to_thread(folders, recordings_dir):
        try:
            kept = await asyncio.to_thread(files.read, folder / files.STATE_FILE, files.RecordingSidecar)
            if await repository.restore(kept):
                log.warning("recording_restored", session=kept.session, room=kept.room)
        except (OSError, ValueError, StreamerError) as error:
            failed += 1
            log.error("recording_not_restored", folder=str(folder), error=str(error))
    return failed
