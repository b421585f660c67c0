"""``streamer backup``: the database in one moment, then the files, then the list of erasures.

Beside a running instance, also on air. Media files only grow, so a copy of the bytes of now is whole; a file that is
erased meanwhile is in the list of erasures, which is copied last and wins when the backup is put back.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from sqlalchemy.engine import URL

from streamer import __version__
from streamer.backup import databases
from streamer.backup.bucket import target_of
from streamer.backup.target import (
    VERSION,
    BackupFailed,
    BackupTarget,
    KeptDatabase,
    KeptFile,
    Manifest,
    digest_of,
)
from streamer.control.process_files import write_atomically
from streamer.data_folder import BUCKET_OWNER, FIRST_ADMIN_LINK, KEYS_REVISION
from streamer.formats import erasures

KEEP = 14
"""Copies of the database."""
LAST_FILE = "last-backup.json"
"""In the data folder: the last backup that succeeded."""
_LEFT_OUT = frozenset(
    {
        "run",
        "lost+found",
        FIRST_ADMIN_LINK,
        LAST_FILE,
        erasures.LOG_FILE,
        erasures.KEY_FILE,
        KEYS_REVISION,
        BUCKET_OWNER,
    }
)
_DATABASE = "streamer.sqlite3"


class LastBackup(msgspec.Struct, frozen=True):
    at_ms: int
    target: str
    seconds: float
    size: int
    """Bytes of the data folder's files and of the database."""


@dataclass(frozen=True, slots=True)
class Saved:
    files: int
    size: int
    copied: int
    """Bytes that were new."""
    deleted: int
    """Bytes of the backup that are not in the data folder any more."""
    seconds: float


def backup(data: Path, url: URL, address: str, keep: int = KEEP) -> Saved:
    """Back a data folder and its database up to a folder or bucket. Blocking. Raises BackupFailed."""
    target = target_of(address, scratch=data)
    target.prepare(data)
    began = time.monotonic()
    try:
        with target.alone(data):
            saved = _save(data, url, target, keep, began)
            last = LastBackup(_now_ms(), target.name, saved.seconds, saved.size)
            write_atomically(data / LAST_FILE, msgspec.json.encode(last))
    except OSError as error:
        raise BackupFailed(f"The backup failed: {error.strerror or error} ({error.filename or address}).") from error
    return saved


def last_backup(data: Path) -> LastBackup | None:
    """The last backup of a data folder; None: there was none, or nothing tells of it."""
    try:
        return msgspec.json.decode((data / LAST_FILE).read_bytes(), type=LastBackup)
    except (OSError, msgspec.DecodeError):
        return None


def backup_age_s(data: Path) -> float | None:
    last = last_backup(data)
    return None if last is None else max(0.0, time.time() - last.at_ms / 1000)


def _save(data: Path, url: URL, target: BackupTarget, keep: int, began: float) -> Saved:
    before = target.manifest()
    # First, so that a wrong target is told before anything is copied into it.
    target.join_erasures(data)
    database = _save_database(url, target)
    files, copied = _save_files(data, target, before)
    target.join_erasures(data)
    kept = (database, *(before.databases if before is not None else ()))[:keep]
    manifest = Manifest(VERSION, database.made_ms, __version__, kept, tuple(files))
    target.write_manifest(manifest)
    deleted = target.forget_all_but(manifest)
    size = database.size + sum(file.size for file in files)
    return Saved(len(files), size, copied + database.size, deleted, time.monotonic() - began)


def _save_database(url: URL, target: BackupTarget) -> KeptDatabase:
    made_ms, kind = _now_ms(), url.get_backend_name()
    stamp = datetime.fromtimestamp(made_ms / 1000, UTC).strftime("%Y-%m-%dT%H-%M-%S.%fZ")
    name = f"{stamp}.{'sqlite3' if kind == 'sqlite' else 'dump'}"
    with target.new_database(name) as file:
        schema = databases.save(url, file)
        return KeptDatabase(name, made_ms, kind, file.stat().st_size, digest_of(file), schema)


def _save_files(data: Path, target: BackupTarget, before: Manifest | None) -> tuple[list[KeptFile], int]:
    """The files, and the bytes that were new."""
    known = {file.path: file for file in before.files} if before is not None else {}
    by_inode: dict[tuple[int, int], KeptFile] = {}
    files: list[KeptFile] = []
    new = 0
    for path in _files(data):
        name = path.relative_to(data).as_posix()
        try:
            seen = path.stat()
            same = by_inode.get((seen.st_dev, seen.st_ino))
            was = known.get(name)
            if same is not None:
                kept = msgspec.structs.replace(same, path=name)
            elif (
                was is not None
                and (was.size, was.changed_ns) == (seen.st_size, seen.st_mtime_ns)
                and target.has(was.digest, was.size)
            ):
                kept = msgspec.structs.replace(was, inode=seen.st_ino if seen.st_nlink > 1 else 0)
            else:
                digest, size = target.add(path)
                new += size
                kept = KeptFile(name, size, seen.st_mtime_ns, digest, seen.st_ino if seen.st_nlink > 1 else 0)
        except FileNotFoundError:
            # It was erased, or became too old, a moment ago.
            continue
        if kept.inode:
            by_inode[seen.st_dev, seen.st_ino] = kept
        files.append(kept)
    return files, new


def _files(data: Path) -> Iterator[Path]:
    """All files that are kept, in order. Folders of the data folder may be links to other disks."""
    for top in sorted(os.scandir(data), key=lambda entry: entry.name):
        if top.name in _LEFT_OUT or top.name.startswith((_DATABASE, ".")):
            continue
        if top.is_file(follow_symlinks=False):
            yield Path(top.path)
        elif top.is_dir():
            for folder, _, names in os.walk(top.path):
                yield from (
                    path
                    for name in sorted(names)
                    if not name.startswith(".") and (path := Path(folder, name)).is_file() and not path.is_symlink()
                )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
