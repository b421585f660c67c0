"""The start of a process: its imports in less time, and whether they are still those on the disk."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def quick_imports(*unused: str) -> Iterator[None]:
    """For the imports of a process that begins. ``unused``: packages that libraries import if they are installed, for
    parts that this process does not use; they are not found in here."""
    hidden = {name: None for name in unused if name not in sys.modules}
    modules: dict[str, object] = sys.modules  # type: ignore[assignment]
    # Imports make no garbage: looking for some takes an eighth of the start.
    collects = gc.isenabled()
    gc.disable()
    modules.update(hidden)
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]
        gc.freeze()
        if collects:
            gc.enable()


def program_files() -> dict[str, tuple[int, int, int]]:
    """The files of all loaded modules, as an upgrade of the program or of a library would change them.

    Eight hundred modules cost 3 to 8 ms.
    """
    found = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if file:
            with contextlib.suppress(FileNotFoundError):
                state = os.stat(file)
                found[file] = state.st_ino, state.st_size, state.st_mtime_ns
    return found
