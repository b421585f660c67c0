"""Lowest latency: a WHEP viewer sees the camera, the slate and the camera again; and on and off air for everybody."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import pytest
import pytest_asyncio

from tests.fakes import decoding
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import camera
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until
from tests.fakes.watching import Refusal, whep_player

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SETTINGS = {
    "STREAMER_MEDIA__RUNGS": '[{"height": 180, "bitrate_kbps": 150}]',
    "STREAMER_WHEP__MAX_VIEWERS": "2",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[Running]:
    async with serving(environment=SETTINGS) as running:
        yield running


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_room_that_is_off_has_nothing_to_play(server: Running) -> None:
    await server.room("dark", start="auto")
    with pytest.raises(Refusal) as refused:
        async with whep_player(server, "dark"):
            pass
    assert refused.value.status in (404, 409)
    assert refused.value.code == "not_on_air"
    assert not (server.data / "run" / "room-dark.pid").exists()


async def test_camera_slate_and_camera_again_in_one_connection(server: Running) -> None:
    await server.room("hall", start="auto")
    async with camera(server, "hall") as source:
        await server.wait_state("hall", "live")
        async with whep_player(server, "hall") as viewer:
            began = now()
            await until(lambda: viewer.test_card_since(began) > 60, limit_s=15)
            # The measure of a beep's first moments may lie beside it.
            await until(lambda: any(peak > 0.2 and abs(hz - 1000) < 60 for peak, hz in viewer.tones), limit_s=8)
            late = [time.time() * 1000 - (now() - s.at_s) * 1000 - s.strip for s in viewer.seen[-20:] if s.strip]
            assert sorted(late)[len(late) // 2] < 500

            source.fall_silent()
            silent = now()
            await until(lambda: viewer.slate_since(silent) > 20, limit_s=8)
            source.speak_again()
            back = now()
            await until(lambda: viewer.test_card_since(back) > 30, limit_s=8)


async def test_past_the_bound_viewers_are_sent_away_with_a_time_and_a_place_becomes_free(server: Running) -> None:
    await server.room("small", start="auto")
    async with camera(server, "small"):
        await server.wait_state("small", "live")
        async with whep_player(server, "small") as first:
            async with whep_player(server, "small"):
                with pytest.raises(Refusal) as refused:
                    async with whep_player(server, "small"):
                        pass
                assert (refused.value.status, refused.value.code) == (503, "too_many_viewers")
                assert int(refused.value.headers["Retry-After"]) >= 1
            began = now()
            async with whep_player(server, "small") as third:
                await until(lambda: third.test_card_since(began) > 10, limit_s=15)
            await until(lambda: first.test_card_since(began) > 10, limit_s=5)


async def test_the_preview_of_a_source_is_for_the_rooms_crew(server: Running) -> None:
    await server.room("crew", start="auto")
    await server.room("other", start="auto")
    viewer = await server.api("POST", "/grants", {"role": "viewer", "room": "crew"}, status=201)
    async with camera(server, "crew"), camera(server, "crew", source="spare", width=480, height=360):
        await server.wait_state("crew", "live")
        for token, status in (("", 401), (viewer["token"], 403), (server.tokens["other"], 403)):
            with pytest.raises(Refusal) as refused:
                async with whep_player(server, "crew", source="spare", token=token):
                    pass
            assert refused.value.status == status
        async with whep_player(server, "crew", source="spare", token=server.tokens["crew"]) as preview:
            began = now()
            await until(lambda: preview.test_card_since(began) > 20, limit_s=15)


async def test_off_air_the_public_sees_the_slate_at_once_and_nothing_of_the_programme(server: Running) -> None:
    await server.room("curtain", start="auto")
    async with (
        camera(server, "curtain"),
        HlsFollower(f"{server.url}/live/curtain/index.m3u8", prefetch=True) as follower,
    ):
        await server.wait_state("curtain", "live")
        await follower.open()
        async with whep_player(server, "curtain") as viewer:
            began = now()
            await until(lambda: viewer.test_card_since(began) > 20, limit_s=15)
            await follower.follow(until=all_past(1))
            edge = follower.edge("v360")
            hint = follower.tracks["v360"].playlist
            assert hint is not None
            assert hint.hint is not None
            off_ms = time.time() * 1000
            await server.api("POST", "/rooms/curtain/air", {"slate": True})
            off = now()
            await server.wait_state("curtain", "slate", within_s=3)
            await until(lambda: viewer.slate_since(off) > 10, limit_s=5)
            assert viewer.test_card_since(off + 1.0) == 0
            await follower.follow(until=all_past(2))
            await nothing_of_the_programme(server, follower, edge, off_ms)

            await server.api("POST", "/rooms/curtain/air", {"slate": False})
            on = now()
            await server.wait_state("curtain", "live", within_s=6)
            await until(lambda: viewer.test_card_since(on) > 20, limit_s=8)
            await follower.follow(until=all_past(2))
            for name in ("v360", "v180"):
                whole = max(m for m, s in follower.tracks[name].reader.known.items() if s.complete)
                shown = decoding.pictures(await follower.segment_bytes(name, whole))
                assert shown[-1].strip is not None
        faultless(follower)


async def nothing_of_the_programme(
    server: Running, follower: HlsFollower, edge: tuple[int, int], off_ms: float
) -> None:
    """Each rendition turned to the slate at the same place, under a new key; what was hinted is not served."""
    places = []
    for name, track in follower.tracks.items():
        known = track.reader.known
        place = min(m for m, s in known.items() if m >= edge[0] and s.discontinuity)
        places.append(place)
        last, first = known[place - 1], known[place]
        assert key_of(last.uri) != key_of(first.uri)
        assert last.pdt_ms is not None
        assert last.pdt_ms + float(last.known_duration) * 1000 < off_ms + 400
        beyond = re.sub(r"\d+\.m4s$", f"{place}.m4s", last.uri)
        hidden = re.sub(r"\d+\.m4s$", f"{place - 1}.{len(last.parts)}.m4s", last.uri)
        for uri in (beyond, hidden):
            async with server.session.get(urljoin(track.url, uri)) as response:
                assert response.status == 404, uri
        if track.kind == "video":
            for msn in (place, place + 1):
                shown = decoding.pictures(await follower.segment_bytes(name, msn))
                assert all(p.strip is None for p in shown)
            kept = decoding.pictures(await follower.segment_bytes(name, place - 1))
            assert max(p.strip for p in kept if p.strip is not None) < off_ms
    assert len(set(places)) == 1, places


def key_of(uri: str) -> str:
    return uri.split("/")[-3]
