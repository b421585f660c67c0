"""OBS's stack and a stack in TypeScript: libdatachannel and werift, both on Node."""

from __future__ import annotations

from pathlib import Path

from streamer.formats import h264
from tests.fakes.node_clients import needs_clients, node_publisher, write_clip
from tests.fakes.waiting import until
from tests.fakes.whip import whip_shim

pytestmark = needs_clients


def sps_of(data: bytes) -> bytes:
    return next(bytes(nal) for nal in h264.split_annexb(data) if nal[0] & 0x1F == 7)


async def test_obs_with_a_key_frame_every_ten_seconds_that_lies_about_its_profile(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    write_clip(clip, seconds=20, keyframe_s=10)
    async with whip_shim() as shim:
        async with node_publisher("obs", shim.url, "secret", clip):
            await until(lambda: sum(h264.parse_access_unit(u.data).idr for u in shim.sink.of("video")) == 2)
            # Sound and picture of a busy sender may be apart.
            await until(lambda: len(shim.sink.of("audio")) > 480)
            pictures, sounds = list(shim.sink.of("video")), list(shim.sink.of("audio"))
            status = shim.publications.status()["main"]
        await until(lambda: ("down", "main", "hung_up") in shim.sink.events)
    assert "candidate" not in shim.offers[0]
    assert "profile-level-id=42e01f" in shim.offers[0]
    assert [name for name, _ in shim.requests] == ["POST", "DELETE"]
    assert "OBS-Studio" in status.client
    first = pictures[0]
    assert h264.parse_access_unit(first.data).idr
    # High, whatever the SDP says.
    assert sps_of(first.data)[1] == 100
    assert not any(unit.damaged for unit in pictures)
    assert len(pictures) >= 149
    assert pictures[-1].sender_us is not None
    assert sounds[-1].sender_us is not None


async def test_werift_is_heard_and_seen(tmp_path: Path) -> None:
    clip = tmp_path / "clip"
    write_clip(clip, seconds=4, keyframe_s=2, profile="baseline")
    async with whip_shim() as shim:
        async with node_publisher("werift", shim.url, "secret", clip):
            await until(lambda: len(shim.sink.of("video")) > 45 and len(shim.sink.of("audio")) > 100)
            pictures = list(shim.sink.of("video"))
            status = shim.publications.status()["main"]
        await until(lambda: ("down", "main", "hung_up") in shim.sink.events)
    assert h264.parse_access_unit(pictures[0].data).idr
    assert not any(unit.damaged for unit in pictures)
    assert status.video is not None
    assert (status.video.width, status.video.height) == (320, 180)
