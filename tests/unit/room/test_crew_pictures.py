"""The crew's small pictures: of key frames, of what goes out, made once for all who look."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from streamer.errors import NotFound, StreamerError
from streamer.media.source_meters import SeenPicture
from streamer.media.switch import SourceState
from streamer.room import crew_pictures
from streamer.room.crew_pictures import CrewPictures
from streamer.room.previews import Previews
from tests.unit.media.test_ladder import counter_picture


def counter_in(jpeg: bytes) -> int:
    grey = np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"))
    row = grey[grey.shape[0] // 2 - 4 : grey.shape[0] // 2 + 4].mean(axis=0)
    return sum(1 << bit for bit in range(8) if row[(2 * bit + 1) * len(row) // 16] > 120)


class Ladder:
    """As far as a picture needs it: it has one at once."""

    def __init__(self, *frames: VideoFrame) -> None:
        self.frames = frames

    def look(self, use: Callable[[Sequence[VideoFrame]], object]) -> None:
        use(self.frames)


def pictures(
    ladder: Ladder | None = None, *, of: str = "", seen: Callable[[str], SeenPicture | None] = lambda _: None
) -> tuple[CrewPictures, list[str]]:
    """``ladder`` decodes the pictures of ``of``."""
    asked: list[str] = []
    room = CrewPictures(lambda source: ladder if source == of else None, seen, asked.append)  # type: ignore[arg-type, return-value]
    return room, asked


def key_frame(number: int, age_ms: int = 0) -> SeenPicture:
    return SeenPicture(counter_picture(number, 1280, 720), Fraction(1), time.time_ns() // 1_000_000 - age_ms)


async def test_a_source_off_the_programme_shows_its_last_key_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_pictures, "FRESH_S", 0.0)
    newest = key_frame(20)
    room, asked = pictures(Ladder(), seen=lambda source: newest if source == "main" else None)
    made = await room.picture("main")
    assert Image.open(io.BytesIO(made.jpeg)).size == (480, 270)
    assert counter_in(made.jpeg) == 20
    assert await room.picture("main") is made, "the same key frame is the same picture"
    newest = key_frame(21, age_ms=-1)
    assert counter_in((await room.picture("main")).jpeg) == 21
    assert asked == []


async def test_many_who_look_cost_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def count(*arguments: object) -> bytes:
        nonlocal made
        made += 1
        return b"jpeg"

    monkeypatch.setattr(crew_pictures, "_jpeg", count)
    newest = key_frame(1)
    room, _ = pictures(seen=lambda _: newest)
    assert {one.jpeg for one in await asyncio.gather(*(room.picture("main") for _ in range(20)))} == {b"jpeg"}
    assert made == 1


async def test_an_old_key_frame_is_shown_and_a_new_one_asked_for() -> None:
    newest = None
    room, asked = pictures(seen=lambda _: newest)
    with pytest.raises(NotFound):
        await room.picture("main")
    newest = key_frame(1, age_ms=crew_pictures.KEYFRAME_AGE_MS + 100)
    assert (await room.picture("main")).jpeg
    assert asked == ["main", "main"]


async def test_the_programmes_source_is_decoded_no_second_time_for_the_wall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_pictures, "FRESH_S", 0.0)
    ladder: Ladder | None = Ladder(counter_picture(3, 1920, 1080), counter_picture(4, 640, 360))
    asked: list[str] = []
    room = CrewPictures(lambda source: ladder if source == "main" else None, lambda _: None, asked.append)  # type: ignore[arg-type, return-value]
    made = await room.picture("main")
    assert counter_in(made.jpeg) == 4
    # It has left the programme, and no key frame has come since.
    ladder = None
    assert await room.picture("main") is made
    assert asked == ["main"]
    room.forget("main")
    with pytest.raises(NotFound):
        await room.picture("main")
    with pytest.raises(NotFound):
        await room.picture("")
    assert asked == ["main", "main"]


async def test_what_goes_out_is_the_smallest_picture_that_is_large_enough() -> None:
    sizes = (1920, 1080), (640, 360), (256, 144)
    frames = [counter_picture(number, *size) for number, size in enumerate(sizes)]
    room, _ = pictures(Ladder(*frames))
    assert counter_in((await room.picture("")).jpeg) == 1
    room, _ = pictures()
    with pytest.raises(NotFound):
        await room.picture("")


def test_the_sound_of_a_source_is_heard_whatever_its_picture_is() -> None:
    with_picture, sound_alone = "v=0\r\nm=audio 9 x\r\nm=video 9 x\r\n", "v=0\r\nm=audio 9 x\r\n"
    source_of_vp8 = SourceState("main", connected=True, codec="vp8")
    previews = Previews(None)  # type: ignore[arg-type]
    previews.check(source_of_vp8, sound_alone)
    with pytest.raises(StreamerError) as caught:
        previews.check(source_of_vp8, with_picture)
    assert caught.value.status == 406
