"""``streamer restore``: a data folder and a database from a backup.

Erasure wins: the erasures that the backup knows and those of the instance that was there are joined before anything
else is written, and the server follows all of them before it serves anybody. A file that is missing in the backup
passes only if it was erased. Keys of closed sessions and their secret do not come back.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import update
from sqlalchemy.engine import URL

from streamer.backup import databases
from streamer.backup.bucket import target_of
from streamer.backup.target import (
    BackupFailed,
    BackupTarget,
    KeptDatabase,
    KeptFile,
    Manifest,
    digest_of,
    read_erasures,
    write_erasures,
)
from streamer.data_folder import KEYS_REVISION
from streamer.formats import erasures
from streamer.store.database import Database, database_url, revisions
from streamer.store.erasing import MARK_NAME
from streamer.store.logins import SESSION_KEYS, Secrets
from streamer.store.tables import directors

_EPOCHS = 1_000_000
"""Rooms may have obeyed a newer director than the backup knows, and refuse older ones: the next one is newer than any
of them."""
_MAY_BE_THERE = frozenset({erasures.LOG_FILE, erasures.KEY_FILE, KEYS_REVISION, "lost+found"})


@dataclass(frozen=True, slots=True)
class Restored:
    made_ms: int
    """The time of the database."""
    files: int
    size: int
    erased: int
    """Files that are missing because they were erased."""


def restore(source: str, data: Path, url: URL, *, at: str = "") -> Restored:
    """Blocking. ``source``: a folder or bucket. ``data`` is new or empty; the erasures of the instance that was there
    may be in it. ``at``: the name of one of the backup's databases, or its beginning; else the newest. Raises
    BackupFailed; then ``data`` may be half full."""
    backup = target_of(source)
    manifest = _manifest(backup)
    database = _database(manifest, at)
    _fits(database, url)
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if {entry.name for entry in os.scandir(data)} - _MAY_BE_THERE:
            raise BackupFailed(f"{data} is not empty: a backup is put back into a new folder.")
        there = _put_files(backup, manifest, data)
        with backup.database(database.name) as saved:
            _check_digest(database, saved)
            databases.put_back(url, saved)
    except OSError as error:
        raise BackupFailed(f"The backup cannot be put back: {error.strerror or error} ({error.filename}).") from error
    asyncio.run(_make_new(url))
    size = database.size + sum(file.size for file in there)
    return Restored(database.made_ms, len(there), size, len(manifest.files) - len(there))


def verify(source: str, scratch: Path | None = None) -> Restored:
    """Put a backup back into a scratch folder, compare every file, and take the folder away. A PostgreSQL database is
    compared by its checksum only. Raises BackupFailed."""
    backup = target_of(source, scratch)
    manifest = _manifest(backup)
    database = _database(manifest, "")
    with tempfile.TemporaryDirectory(prefix="streamer-verify-", dir=scratch) as folder:
        data = Path(folder, "data")
        if database.kind == "sqlite":
            found = restore(source, data, database_url("", data))
        else:
            data.mkdir()
            there = _put_files(backup, manifest, data)
            with backup.database(database.name) as saved:
                _check_digest(database, saved)
            size = sum(file.size for file in there)
            found = Restored(database.made_ms, len(there), size, len(manifest.files) - len(there))
        for path, file in ((data / file.path, file) for file in manifest.files):
            if path.exists() and (path.stat().st_size, digest_of(path)) != (file.size, file.digest):
                raise BackupFailed(f"{file.path} is not what was backed up.")
    return found


class _Erased:
    """Whether the list of erasures explains that a file is missing."""

    def __init__(self, data: Path) -> None:
        self._sessions: set[str] = set()
        self._rooms: set[str] = set()
        if (data / erasures.LOG_FILE).exists():
            for noted in erasures.decoded((data / erasures.LOG_FILE).read_bytes()).records:
                match noted.erasure:
                    case erasures.RecordingErasure(session=session):
                        self._sessions.add(session)
                    case erasures.StretchErasure(room=room):
                        self._rooms.add(room)

    def has(self, path: str) -> bool:
        match PurePosixPath(path).parts:
            case ("recordings", session, *_):
                return session in self._sessions
            case ("rooms", room, *_):
                return room in self._rooms
        return False


def _manifest(backup: BackupTarget) -> Manifest:
    found = backup.manifest()
    if found is None:
        raise BackupFailed(f"There is no whole backup in {backup.name}.")
    return found


def _database(manifest: Manifest, at: str) -> KeptDatabase:
    for database in manifest.databases:
        if database.name.startswith(at):
            return database
    names = ", ".join(database.name for database in manifest.databases)
    raise BackupFailed(f"The backup has no database of {at}. It has: {names}.")


def _fits(database: KeptDatabase, url: URL) -> None:
    if database.schema not in revisions():
        raise BackupFailed(
            f"The backup is of a newer Streamer (its database has revision {database.schema}, this program knows up to "
            f"{revisions()[-1]}). Install that program first."
        )
    if database.kind != url.get_backend_name():
        raise BackupFailed(f"The backup's database is {database.kind}, and store.url names {url.get_backend_name()}.")


def _check_digest(database: KeptDatabase, saved: Path) -> None:
    if digest_of(saved) != database.digest:
        raise BackupFailed(f"{database.name} is damaged: its checksum differs.")


def _put_files(backup: BackupTarget, manifest: Manifest, data: Path) -> list[KeptFile]:
    """The list of erasures, then the files but those that it explains to be missing; returns these files."""
    write_erasures(data, read_erasures(data).joined(backup.erasures(), str(data)))
    gone, by_inode = _Erased(data), dict[int, Path]()
    files = [file for file in manifest.files if not gone.has(file.path) or backup.has(file.digest, file.size)]
    for file in files:
        place = data / _inside(file.path)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if file.inode in by_inode:
            # A recording and its room share their files, so that a forgotten minute is gone under both names.
            os.link(by_inode[file.inode], place)
            continue
        try:
            found = backup.get(file.digest, place)
        except FileNotFoundError as error:
            raise BackupFailed(f"{file.path} is missing in the backup, and was not erased.") from error
        if found != (file.digest, file.size):
            raise BackupFailed(f"{file.path} is damaged in the backup: its checksum differs.")
        os.utime(place, ns=(file.changed_ns, file.changed_ns))
        if file.inode:
            by_inode[file.inode] = place
    return files


def _inside(path: str) -> PurePosixPath:
    """Raises BackupFailed for a path that leads out of the data folder."""
    found = PurePosixPath(path)
    if found.is_absolute() or ".." in found.parts:
        raise BackupFailed(f"{path} is no path of a data folder.")
    return found


async def _make_new(url: URL) -> None:
    """Bring the tables up to date; end keys and the direction of before; let the server follow all erasures."""
    database = Database(url)
    await database.start()
    try:
        async with database.write() as connection:
            for name in (SESSION_KEYS, MARK_NAME):
                await Secrets(connection).remove(name)
            await connection.execute(update(directors).values(holder="", epoch=directors.c.epoch + _EPOCHS))
    finally:
        await database.close()
