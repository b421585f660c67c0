"""Small pictures for the crew's wall: a source as it comes in, and the programme as it goes out.

Runs on the loop, decodes on a thread. Costs nothing while nobody asks but the memory of each source's last key frame.
However many people look, a picture is made at most every :data:`FRESH_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import av
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from streamer.control.messages import CrewPicture
from streamer.errors import NotFound
from streamer.formats import h264
from streamer.media.decode import PictureDecoder
from streamer.media.incoming import IncomingUnit
from streamer.media.ladder import Ladder
from streamer.media.stills import CREW_WIDTH, crew_jpeg

FRESH_S = 1.8
"""A picture is given again for so long: a page asks every two seconds."""
KEYFRAME_AGE_S = 1.9
"""A source whose last key frame is older is asked for one. The programme asks its own source as often."""

LOOK_S = 1.5
"""A ladder that is later than this has other worries."""


@dataclass(slots=True)
class _KeyFrame:
    codec: str
    data: bytes
    at_s: float
    """Monotonic."""
    at_ms: int


class CrewPictures:
    """``outgoing`` is the ladder whose pictures go out now; None where none of the programme does.
    ``request_keyframe(source)`` asks a publisher."""

    def __init__(
        self, outgoing: Callable[[], Ladder | None], request_keyframe: Callable[[str], None], max_pixels: int
    ) -> None:
        self._ladder = outgoing
        self._reformatter = VideoReformatter()
        """Of the ladder's thread."""
        self._request_keyframe = request_keyframe
        self._max_pixels = max_pixels
        self._keyframes: dict[str, _KeyFrame] = {}
        self._sets: dict[str, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}
        """H.264 parameter sets: they may come in a unit of their own."""
        self._made: dict[str, tuple[float, CrewPicture]] = {}
        self._making: dict[str, asyncio.Lock] = {}

    def take_in(self, name: str, incoming: IncomingUnit) -> None:
        """Keep the last key frame of each source."""
        if not incoming.is_video:
            return
        unit, avc = incoming.unit, incoming.avc
        if avc is not None:
            sps, pps = self._sets.get(name, ((), ()))
            if avc.sps or avc.pps:
                self._sets[name] = (avc.sps or sps, avc.pps or pps)
        if not incoming.idr or unit.damaged:
            return
        data = unit.data
        if avc is not None and not (avc.sps and avc.pps):
            sps, pps = self._sets.get(name, ((), ()))
            data = h264.to_annexb([*sps, *pps]) + data
        self._keyframes[name] = _KeyFrame(unit.codec, data, time.monotonic(), time.time_ns() // 1_000_000)

    def forget(self, name: str) -> None:
        """Drop what another publication sent: the source has ended, or is fed anew."""
        self._keyframes.pop(name, None)
        self._sets.pop(name, None)
        self._made.pop(name, None)

    async def picture(self, name: str) -> CrewPicture:
        """The newest picture of a source, or of what goes out (""). Errors: ``no_picture`` 404."""
        async with self._making.setdefault(name, asyncio.Lock()):
            made = self._made.get(name)
            if made is not None and time.monotonic() - made[0] < FRESH_S:
                return made[1]
            picture = await (self._outgoing() if name == "" else self._incoming(name))
            self._made[name] = (time.monotonic(), picture)
            return picture

    async def _outgoing(self) -> CrewPicture:
        ladder, loop = self._ladder(), asyncio.get_running_loop()
        if ladder is None:
            raise _no_picture()
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

    async def _incoming(self, name: str) -> CrewPicture:
        frame = self._keyframes.get(name)
        if frame is None or time.monotonic() - frame.at_s > KEYFRAME_AGE_S:
            self._request_keyframe(name)
        if frame is None:
            raise _no_picture()
        before = self._made.get(name)
        if before is not None and before[1].at_ms == frame.at_ms:
            return before[1]
        jpeg = await asyncio.to_thread(_jpeg, frame, self._max_pixels)
        if not jpeg:
            raise _no_picture()
        return CrewPicture(jpeg, frame.at_ms)


def _settle(done: asyncio.Future[CrewPicture], made: CrewPicture) -> None:
    if not done.done():
        done.set_result(made)


def _jpeg(frame: _KeyFrame, max_pixels: int) -> bytes:
    """Of one key frame alone; b"" where it cannot be decoded."""
    decoder = PictureDecoder(frame.codec, max_pixels)
    pictures = [*decoder.decode(frame.data, 0).pictures, *decoder.flush().pictures]
    if not pictures:
        return b""
    try:
        return crew_jpeg(pictures[0][1], VideoReformatter(), decoder.sample_aspect)
    except (av.FFmpegError, ValueError):
        return b""


def _no_picture() -> NotFound:
    return NotFound("There is no picture of this.", code="no_picture")
