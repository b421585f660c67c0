"""Small pictures for the crew's wall: a source as it comes in, and the programme as it goes out.

Runs on the loop, scales on a thread. Decodes nothing: the programme decodes its source, and the meters decode the key
frames of the others. However many people look, a picture is made at most every :data:`FRESH_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

import av
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from streamer.control.messages import CrewPicture
from streamer.errors import NotFound
from streamer.media.ladder import Ladder
from streamer.media.source_meters import SeenPicture
from streamer.media.stills import CREW_WIDTH, crew_jpeg

FRESH_S = 1.8
"""A picture is given again for so long: a page asks every two seconds."""
KEYFRAME_AGE_MS = 3900
"""A source whose last key frame is older is asked for one. Not more often: each takes 100 kB or more of an upload that
may be weak, and 20 ms to decode here. Whoever makes key frames by itself is seen as often as it makes them."""

LOOK_S = 1.5
"""A ladder that is later than this has other worries."""


class CrewPictures:
    """``ladder(source)`` decodes the pictures of a source, or those that go out (""); None: it does not.
    ``seen(source)`` is then its last key frame. ``request_keyframe(source)`` asks a publisher."""

    def __init__(
        self,
        ladder: Callable[[str], Ladder | None],
        seen: Callable[[str], SeenPicture | None],
        request_keyframe: Callable[[str], None],
    ) -> None:
        self._ladder = ladder
        self._reformatter = VideoReformatter()
        """Of the ladder's thread."""
        self._seen = seen
        self._request_keyframe = request_keyframe
        self._made: dict[str, tuple[float, CrewPicture]] = {}
        self._making: dict[str, asyncio.Lock] = {}

    def forget(self, name: str) -> None:
        """Drop what another publication sent: the source has ended, or is fed anew."""
        self._made.pop(name, None)

    async def picture(self, name: str) -> CrewPicture:
        """The newest picture of a source, or of what goes out (""). Errors: ``no_picture`` 404."""
        async with self._making.setdefault(name, asyncio.Lock()):
            made = self._made.get(name)
            if made is not None and time.monotonic() - made[0] < FRESH_S:
                return made[1]
            ladder = self._ladder(name)
            picture = await (self._from_key_frame(name) if ladder is None else self._from_ladder(ladder))
            self._made[name] = (time.monotonic(), picture)
            return picture

    async def _from_ladder(self, ladder: Ladder) -> CrewPicture:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[CrewPicture] = loop.create_future()

        def use(frames: Sequence[VideoFrame]) -> None:
            wide = [frame for frame in frames if frame.width >= CREW_WIDTH] or frames
            made = CrewPicture(b"", time.time_ns() // 1_000_000)
            with contextlib.suppress(av.FFmpegError, ValueError):
                made.jpeg = crew_jpeg(min(wide, key=lambda frame: frame.width), self._reformatter)
            with contextlib.suppress(RuntimeError):  # the loop is closed: the room ends
                loop.call_soon_threadsafe(_settle, done, made)

        ladder.look(use)
        try:
            async with asyncio.timeout(LOOK_S):
                picture = await done
        except TimeoutError:
            raise _no_picture() from None
        if not picture.jpeg:
            raise _no_picture()
        return picture

    async def _from_key_frame(self, name: str) -> CrewPicture:
        if name == "":
            raise _no_picture()
        seen, before = self._seen(name), self._made.get(name)
        if seen is None or time.time_ns() // 1_000_000 - seen.at_ms > KEYFRAME_AGE_MS:
            self._request_keyframe(name)
        if seen is None or (before is not None and before[1].at_ms == seen.at_ms):
            if before is None:
                raise _no_picture()
            return before[1]
        jpeg = await asyncio.to_thread(_jpeg, seen)
        if not jpeg:
            raise _no_picture()
        return CrewPicture(jpeg, seen.at_ms)


def _settle(done: asyncio.Future[CrewPicture], made: CrewPicture) -> None:
    if not done.done():
        done.set_result(made)


def _jpeg(seen: SeenPicture) -> bytes:
    try:
        return crew_jpeg(seen.frame, VideoReformatter(), seen.sample_aspect)
    except (av.FFmpegError, ValueError):
        return b""


def _no_picture() -> NotFound:
    return NotFound("There is no picture of this.", code="no_picture")
