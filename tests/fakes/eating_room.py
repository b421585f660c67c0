"""A real room process that takes more and more memory as soon as ``DIR/rooms/{id}/eat`` exists.

A media host runs it as a script, like ``python -m streamer.room.process``.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from streamer.room import process

STEP = 16 * 1024 * 1024


def eat(folder: Path) -> None:
    while not (folder / "eat").exists():
        time.sleep(0.05)
    (folder / "eat").unlink()
    eaten = []
    while True:
        # Touched, page by page: what is only asked for costs nothing.
        eaten.append(bytearray(b"x") * STEP)
        time.sleep(0.06)


if __name__ == "__main__":
    arguments = sys.argv
    folder = Path(arguments[arguments.index("--data") + 1]) / "rooms" / arguments[arguments.index("--room") + 1]
    threading.Thread(target=eat, args=(folder,), daemon=True).start()
    sys.exit(process.main())
