"""Who may read the data folder: the service's user and nobody else, also where the folder is older than the service.

Files deeper than what is looked at here lie in folders that are closed. Blocking; a few thousand looks at most.
"""

from __future__ import annotations

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
