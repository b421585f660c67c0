"""Who may read the data folder: the service's user and nobody else, also where the folder is older than the service.

Files deeper than what is looked at here lie in folders that are closed. Blocking; a few thousand looks at most.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER_MODE, FILE_MODE = 0o700, 0o600
FOLDERS = ("run", "rooms", "recordings", "logos")
FILES = (
    "streamer.sqlite3",
    "streamer.sqlite3-wal",
    "streamer.sqlite3-shm",
    "streamer.sqlite3-journal",
    "streamer.sqlite3.migrate",
    "erasures.log",
    "erasures.key",
)
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class Loose:
    """Something that others may read or write, or that is another user's."""

    path: Path
    mode: int
    """As it is: permission bits only."""
    wanted: int
    owner: int
    """A user's number."""

    @property
    def foreign(self) -> bool:
        """Whether its mode is not ours to change."""
        return self.owner != os.geteuid() and os.geteuid() != 0

    @property
    def exposed(self) -> bool:
        """Whether everybody may read it, and we cannot help it."""
        return self.foreign and self.mode & 0o007 != 0


def loose(folder: Path) -> Iterator[Loose]:
    """All that is too open in a data folder, the folder itself first. Nothing where there is no folder."""
    yield from _look(folder, follow=True)
    for name in FILES:
        yield from _look(folder / name, follow=True)
    for name in FOLDERS:
        # One of these may be a link to another disk. What lies in them is ours alone.
        yield from _look(folder / name, follow=True)
        try:
            inside = sorted(os.scandir(folder / name), key=lambda entry: entry.name)
        except OSError:
            continue
        for entry in inside:
            yield from _look(Path(entry.path), follow=False)


def tighten(folder: Path) -> list[Loose]:
    """Close what is too open. Returns what was; what is still so afterwards is another user's. Raises OSError."""
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
    """Why recordings cannot be kept here, for people; None: they can. A recording is a second name (hard link) of the
    rooms' files, so both have to lie on one file system that has such links. Creates the two folders."""
    rooms, recordings = folder / "rooms", folder / "recordings"
    try:
        for made in (rooms, recordings):
            made.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        inside = [Path(entry.path) for entry in os.scandir(rooms) if entry.is_dir()]
        return next((why for one in (rooms, *inside) if (why := _cannot_link(one, recordings))), None)
    except OSError:
        # A full disk, or one that is not ours to write to: other checks tell.
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
