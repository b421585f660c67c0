"""Makes a JPEG of one picture from fragments. It decodes in a process of its own, so that damaged media ends nothing
else.

``python -m streamer.media.frames TICK`` reads an init section and fragments from standard input. It writes the
picture's own tick (8 bytes, signed, big-endian) and the JPEG. Exit code 1: no picture can be decoded.
"""

from __future__ import annotations

import io
import resource
import sys

import av

from streamer.broadcast.programme import TICKS_PER_S
from streamer.media.stills import StillMaker

CPU_S = 10
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


def main() -> int:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_DATA, (DATA_BYTES, DATA_BYTES))
    try:
        jpeg, tick = picture_at(sys.stdin.buffer.read(), int(sys.argv[1]))
    except ValueError:
        return 1
    sys.stdout.buffer.write(tick.to_bytes(8, "big", signed=True) + jpeg)
    return 0


if __name__ == "__main__":
    sys.exit(main())
