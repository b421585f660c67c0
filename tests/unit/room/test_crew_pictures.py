"""The crew's small pictures: of key frames, of what goes out, made once for all who look."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from av.video.frame import VideoFrame
from PIL import Image

from streamer.errors import NotFound, StreamerError
from streamer.formats import h264
from streamer.formats.types import AccessUnit
from streamer.media.incoming import read_unit
from streamer.media.switch import SourceState
from streamer.room import crew_pictures
from streamer.room.crew_pictures import CrewPictures
from streamer.room.previews import Previews
from tests.unit.media.test_ladder import counter_picture, source


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


def pictures(ladder: Ladder | None = None) -> tuple[CrewPictures, list[str]]:
    asked: list[str] = []
    return CrewPictures(lambda: ladder, asked.append, 0), asked  # type: ignore[arg-type, return-value]


def feed(room: CrewPictures, codec: str, units: Sequence[bytes]) -> None:
    for number, data in enumerate(units):
        unit = read_unit(AccessUnit("video", codec, data, number * 3000, 90_000, number))
        assert unit is not None
        room.take_in("main", unit)


@pytest.mark.parametrize(("codec", "encoder"), [("h264", "libx264"), ("vp8", "libvpx")])
async def test_a_sources_picture_is_of_its_last_key_frame(
    codec: str, encoder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew_pictures, "FRESH_S", 0.0)
    room, asked = pictures()
    units = source(25, codec=encoder, gop=10, width=1280, height=720)
    feed(room, codec, units)
    made = await room.picture("main")
    assert Image.open(io.BytesIO(made.jpeg)).size == (480, 270)
    assert counter_in(made.jpeg) == 20
    assert asked == []
    assert (await room.picture("main")).at_ms == made.at_ms, "the same key frame is the same picture"


async def test_parameter_sets_may_come_apart_from_the_key_frame() -> None:
    room, _ = pictures()
    nals = list(h264.split_annexb(source(1)[0]))
    sets, rest = ([nal for nal in nals if (nal[0] & 31 in (7, 8)) is of] for of in (True, False))
    feed(room, "h264", [h264.to_annexb(sets), h264.to_annexb(rest)])
    assert counter_in((await room.picture("main")).jpeg) == 0


async def test_many_who_look_cost_one_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def count(*arguments: object) -> bytes:
        nonlocal made
        made += 1
        return b"jpeg"

    monkeypatch.setattr(crew_pictures, "_jpeg", count)
    room, _ = pictures()
    feed(room, "h264", source(1))
    assert {one.jpeg for one in await asyncio.gather(*(room.picture("main") for _ in range(20)))} == {b"jpeg"}
    assert made == 1


async def test_an_old_key_frame_is_shown_and_a_new_one_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_pictures, "KEYFRAME_AGE_S", -1.0)
    room, asked = pictures()
    with pytest.raises(NotFound):
        await room.picture("main")
    feed(room, "h264", source(1))
    assert (await room.picture("main")).jpeg
    assert asked == ["main", "main"]


async def test_a_source_that_went_and_one_that_is_broken_have_no_picture() -> None:
    room, _ = pictures()
    feed(room, "h264", source(1))
    room.forget("main")
    with pytest.raises(NotFound):
        await room.picture("main")
    # A key frame whose parameter sets never came.
    slices = [nal for nal in h264.split_annexb(source(1)[0]) if nal[0] & 31 == 5]
    feed(room, "h264", [h264.to_annexb(slices)])
    with pytest.raises(NotFound):
        await room.picture("main")


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
