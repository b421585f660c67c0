"""Makes a JPEG of one picture from fragments. It decodes in a process of its own, so that damaged media ends nothing
else.

``python -m streamer.media.frames TICK`` reads an init section and fragments from standard input. It writes the
picture's own tick (8 bytes, signed, big-endian) and the JPEG. Exit code 1: no picture can be decoded.

``python -m streamer.media.frames sheet`` reads the beginnings of segments, each with its init section and with its size
before it (4 bytes, big-endian). It writes one JPEG with the first picture of each, :data:`COLUMNS` in a row.
"""

from __future__ import annotations

import io
import os
import resource
import sys
from collections.abc import Sequence

import av
from PIL import Image

from streamer.broadcast.programme import TICKS_PER_S
from streamer.control.runs import runs_in
from streamer.media.stills import StillMaker, image_of

CPU_S = 10
COLUMNS, TILE_WIDTH, TILE_HEIGHT = 10, 160, 90
TILE_QUALITY = 55
DATA_BYTES = 1 << 30
"""Limits of the process. A segment of two seconds takes a fraction of both."""


def picture_at(data: bytes, at: int) -> tuple[bytes, int]:
    """The JPEG of the picture that is shown at tick ``at`` (the first one if it is before that), and its own tick.

    ``data``: an init section and fragments from a key frame on. Raises ValueError if no picture can be decoded.
    """
    found = None
    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            for frame in container.decode(stream):
                if frame.pts is None or frame.time_base is None:
                    continue
                tick = round(frame.pts * frame.time_base * TICKS_PER_S)
                if found is not None and tick > at:
                    break
                found = (frame, tick)
            if found is None:
                raise ValueError("no picture can be decoded")
            return StillMaker(0).make(*found), found[1]
    except (av.FFmpegError, IndexError) as error:
        raise ValueError("no picture can be decoded") from error


def sheet(beginnings: Sequence[bytes]) -> bytes:
    """A JPEG with the first picture of each beginning, in rows. One that cannot be decoded stays black.

    Raises ValueError if there is none.
    """
    if not beginnings:
        raise ValueError("no picture can be decoded")
    rows = -(-len(beginnings) // COLUMNS)
    whole = Image.new("RGB", (min(len(beginnings), COLUMNS) * TILE_WIDTH, rows * TILE_HEIGHT))
    for index, data in enumerate(beginnings):
        tile = _tile(data)
        if tile is not None:
            row, column = divmod(index, COLUMNS)
            # Other shapes than 16:9 keep theirs.
            left, top = (TILE_WIDTH - tile.width) // 2, (TILE_HEIGHT - tile.height) // 2
            whole.paste(tile, (column * TILE_WIDTH + left, row * TILE_HEIGHT + top))
    out = io.BytesIO()
    whole.save(out, "JPEG", quality=TILE_QUALITY, progressive=True)
    return out.getvalue()


def _tile(data: bytes) -> Image.Image | None:
    try:
        with av.open(io.BytesIO(data), "r", format="mp4") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            frame = next(container.decode(stream))
            scale = min(TILE_WIDTH / frame.width, TILE_HEIGHT / frame.height)
            width, height = (max(2, int(side * scale) // 2 * 2) for side in (frame.width, frame.height))
            return image_of(frame.reformat(width, height, "rgb24", threads=1))
    except (av.FFmpegError, IndexError, StopIteration):
        return None


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    try:
        if sys.argv[1] == "sheet":
            # Live media come first: it is waited for less than a single picture.
            os.nice(10)
            sys.stdout.buffer.write(sheet(list(runs_in(sys.stdin.buffer.read()))))
            return 0
        jpeg, tick = picture_at(sys.stdin.buffer.read(), int(sys.argv[1]))
    except ValueError:
        return 1
    sys.stdout.buffer.write(tick.to_bytes(8, "big", signed=True) + jpeg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
