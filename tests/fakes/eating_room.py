"""A real room process that takes more and more memory as soon as ``DIR/rooms/{id}/eat`` exists.

A media host runs it as a script, like ``python -m streamer.room.process``.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

from streamer.room import process
from streamer.settings import Settings

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


async def serve_and_eat(settings: Settings, room: str) -> int:
    threading.Thread(target=eat, args=(settings.room_dir(room),), daemon=True).start()
    return await serve_room(settings, room)


if __name__ == "__main__":
    serve_room, process.serve_room = process.serve_room, serve_and_eat
    sys.exit(process.main())
