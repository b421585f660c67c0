"""The data folder: read and synced, and kept closed to all users except the service's, also if the folder is older than
the service.

Files deeper than those that are checked here lie in closed folders. Blocking; a few thousand file calls at most.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
FIRST_ADMIN_LINK = "first-admin.link"
"""The one-time link by which somebody becomes the first admin of a new server."""
PUSH_KEY = "push.key"
"""The server's key for Web Push."""
BUCKET_OWNER = "bucket-owner"
"""The name under which this folder owns objects in a bucket. In no backup: a second data folder that is made of a
backup deletes nothing of the first."""
KEYS_REVISION = "session-keys.revision"
"""The database's revision at the time when the viewers of a session became fewer. A database that was restored from an
earlier time would open the session to old keys. It therefore gets a new secret, and all keys end. In no backup."""
FOLDERS = ("run", "rooms", "recordings", "logos", "covers", "portraits")
FILES = (
    "streamer.sqlite3",
    "streamer.sqlite3-wal",
    "streamer.sqlite3-shm",
    "streamer.sqlite3-journal",
    "streamer.sqlite3.migrate",
    "erasures.log",
    "erasures.key",
    FIRST_ADMIN_LINK,
    PUSH_KEY,
)
_OTHERS = 0o077


def sync_folder(folder: Path) -> None:
    """After a crash the folder has the names that it has now. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_range(path: Path, offset: int, size: int) -> bytes:
    """Raises OSError, and EOFError if the file ends too early."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.pread(descriptor, size, offset)
    finally:
        os.close(descriptor)
    if len(data) != size:
        raise EOFError(path.name)
    return data


def is_ours(folder: Path) -> bool:
    """Whether something has been kept in the folder, or it is there and empty, as a new volume is."""
    if any((folder / name).exists() for name in ("run", "streamer.sqlite3")):
        return True
    try:
        return not {entry.name for entry in os.scandir(folder)} - {"lost+found"}
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Loose:
    """A file or folder that other users may read or write, or that belongs to another user."""

    path: Path
    mode: int
    """Its present permission bits."""
    wanted: int
    owner: int
    """The number of its user."""

    @property
    def foreign(self) -> bool:
        """Whether we may not change its mode."""
        return self.owner != os.geteuid() and os.geteuid() != 0

    @property
    def exposed(self) -> bool:
        """Whether everybody may read it and we cannot change that."""
        return self.foreign and self.mode & 0o007 != 0


def loose(folder: Path) -> Iterator[Loose]:
    """Everything in a data folder that is too open, the folder itself first. Empty if there is no folder."""
    yield from _look(folder, follow=True)
    for name in FILES:
        yield from _look(folder / name, follow=True)
    for name in FOLDERS:
        # One of these may be a link to another disk. Their contents are ours alone.
        yield from _look(folder / name, follow=True)
        try:
            inside = sorted(os.scandir(folder / name), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inside:
            yield from _look(Path(entry.path), follow=False)


def tighten(folder: Path) -> list[Loose]:
    """Close everything that is too open. Returns the former state; entries that stay open belong to another user.
    Raises OSError."""
    found = list(loose(folder))
    for one in found:
        if not one.foreign and one.mode & _OTHERS:
            os.chmod(one.path, one.mode & ~_OTHERS | one.wanted)
    return found


def _look(path: Path, *, follow: bool) -> Iterator[Loose]:
    try:
        seen = path.stat() if follow else path.lstat()
    except OSError:
        return
    if stat.S_ISDIR(seen.st_mode):
        wanted = FOLDER_MODE
    elif stat.S_ISREG(seen.st_mode) or stat.S_ISSOCK(seen.st_mode):
        wanted = FILE_MODE
    else:
        return
    one = Loose(path, stat.S_IMODE(seen.st_mode), wanted, seen.st_uid)
    if one.mode & _OTHERS or one.foreign:
        yield one


def apart(folder: Path) -> str | None:
    """The reason why recordings cannot be kept here, for people; None: they can. A recording is a second name (hard
    link) of the rooms' files, so both must lie on one file system that has hard links. Creates the two folders."""
    rooms, recordings = folder / "rooms", folder / "recordings"
    try:
        for made in (rooms, recordings):
            made.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        inside = [Path(entry.path) for entry in os.scandir(rooms) if entry.is_dir()]
        return next((why for one in (rooms, *inside) if (why := _cannot_link(one, recordings))), None)
    except OSError:
        # A full disk, or one that we may not write to: other checks tell that.
        return None


def _cannot_link(one: Path, other: Path) -> str | None:
    if one.stat().st_dev != other.stat().st_dev:
        return f"{other} is on another file system than {one}: recordings share their files with the rooms"
    name = f".link-{os.getpid()}"
    (one / name).touch(mode=FILE_MODE)
    try:
        os.link(one / name, other / name)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS):
            return None
        return f"a file in {one} cannot have a second name in {other} ({error.strerror}): recordings need hard links"
    finally:
        (one / name).unlink()
        (other / name).unlink(missing_ok=True)
    return None
