"""One picture out of fragments, as a JPEG. Decodes: call it in a thread, one at a time."""

from __future__ import annotations

import io

import av

from streamer.broadcast.programme import TICKS_PER_S
from streamer.media.stills import StillMaker


def picture_at(init: bytes, data: bytes, at: int) -> tuple[bytes, int]:
    """The JPEG of the picture that is shown at tick ``at`` (the first one where it is before that), and its own tick.

    ``data``: fragments from a key frame on. Raises ValueError where nothing can be decoded.
    """
    found = None
    try:
        with av.open(io.BytesIO(init + data), "r", format="mp4") as container:
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
