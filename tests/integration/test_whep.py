"""Lowest latency: a WHEP viewer sees the camera, the slate and the camera again; and on and off air for everybody."""

from __future__ import annotations

import asyncio
import io
import re
import time
from urllib.parse import urljoin

import av
import numpy as np
import pytest
from PIL import Image

from streamer.publish import inputs
from streamer.publish.testcard import decode_strip, sound_frame
from tests.fakes import decoding
from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.planned_day import source_up
from tests.fakes.publishing import smallest_camera, tiny_camera
from tests.fakes.running import Running
from tests.fakes.shared import LOW, TOP
from tests.fakes.waiting import Pace, until, until_answered
from tests.fakes.watching import Player, Refusal, whep_player

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_a_room_that_is_off_has_nothing_to_play(server: Running) -> None:
    await server.room("whep-dark", start="auto")
    with pytest.raises(Refusal) as refused:
        async with whep_player(server, "whep-dark"):
            pass
    assert refused.value.status in (404, 409)
    assert refused.value.code == "not_on_air"
    assert not (server.data / "run" / "room-whep-dark.pid").exists()


async def test_camera_slate_and_camera_again_in_one_connection(server: Running) -> None:
    await server.room("whep-hall", start="auto")
    async with tiny_camera(server, "whep-hall", packet_blocks=1) as source:
        await server.wait_state("whep-hall", "live")
        async with whep_player(server, "whep-hall") as viewer:
            began = now()
            await until(lambda: viewer.test_card_since(began) > 30)
            # The measure of a beep's first moments may lie beside it.
            await until(lambda: any(peak > 0.2 and abs(hz - 1000) < 60 for peak, hz in viewer.tones))
            late = [time.time() * 1000 - (now() - s.at_s) * 1000 - s.strip for s in viewer.seen[-20:] if s.strip]
            # A busy machine looks late at some of them; the true delay shows in the others.
            assert sorted(late)[len(late) // 4] < 500

            # A mute by the crew holds here too, and is undone.
            muted = await server.api("PATCH", "/rooms/whep-hall/sources/main", {"mute": True})
            # For longer than from beep to beep. Before it there is what the player and this machine still held.
            await until(lambda: len(peaks := viewer.peaks_since(now() - 2.2)) > 90 and max(peaks) < SILENT)
            await server.api("POST", f"/actions/{muted['action']}/undo")
            again = now()
            await until(lambda: max(viewer.peaks_since(again), default=0) > 0.2)

            source.fall_silent()
            silent = now()
            await until(lambda: viewer.slate_since(silent) > 20)
            source.speak_again()
            back = now()
            await until(lambda: viewer.test_card_since(back) > 30)


LISTENING_S, MUTED_S = 0.3, 0.2
LOUD, SILENT = 0.1, 0.01


class Whistle:
    """The test cards of this process whistle while it is :attr:`on`, in place of their beeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on = False
        self._began_us = 0
        monkeypatch.setattr(inputs, "sound_frame", self._frame)

    def _frame(self, utc_us: int, pts: int, blocks: int = 1) -> av.AudioFrame:
        if self.on and not self._began_us:
            self._began_us = utc_us
        # In the middle of a beep, and of the silence after it.
        return sound_frame(40_000 if self.on else 500_000, pts, blocks)

    async def heard_after_s(self, player: Player, pace: Pace) -> float:
        """From the first sample of a tone in the source to the listener's ear."""
        self.on, self._began_us = False, 0
        quiet = now()
        await until(
            lambda: len(player.peaks_since(quiet)) > 20 and max(player.peaks_since(now() - 0.2), default=1) < SILENT
        )
        switched = now()
        self.on = True
        await pace.until_answered(lambda: _soon(max(player.peaks_since(switched), default=0) > LOUD))
        first = next(at_s for at_s, peak in player.heard if at_s > switched and peak > LOUD)
        return time.time() - (now() - first) - self._began_us / 1e6


async def test_listening_is_at_most_three_tenths_late_where_nothing_is_live_too_and_a_mute_is_heard_within_two(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound alone, as the crew listens on the wall, to a source whose picture no preview could pass on."""
    whistle, pace, late = Whistle(monkeypatch), Pace(), []
    await server.room("whep-ear")
    async with smallest_camera(server, "whep-ear", codec="vp8", packet_blocks=1):
        await source_up(server, "whep-ear")
        assert (await server.state("whep-ear"))["state"] != "live"
        async with whep_player(
            server, "whep-ear", source="main", token=server.tokens["whep-ear"], kinds=("audio",)
        ) as crew:
            late.append([await whistle.heard_after_s(crew, pace) for _ in range(3)])
        await server.begin(await server.plan("whep-ear", "Whistling"))
        await server.wait_state("whep-ear", "live")
        async with whep_player(server, "whep-ear", kinds=("audio",)) as public:
            late.append([await whistle.heard_after_s(public, pace) for _ in range(3)])
            print("late, ms:", [[round(1000 * one) for one in some] for some in late], pace)
            # A busy machine holds one or the other up.
            assert all(min(some) <= pace.allowed_s(LISTENING_S) for some in late), (late, pace)

            sent = now()
            await server.api("PATCH", "/rooms/whep-ear/sources/main", {"mute": True})
            await until(
                lambda: len(public.peaks_since(sent)) > 20 and max(public.peaks_since(now() - 0.3), default=1) < SILENT
            )
            last = max(at_s for at_s, peak in public.heard if peak > SILENT)
            muted_s = last - sent - min(late[1])
            print(f"muted after {1000 * muted_s:.0f} ms")
            assert muted_s <= pace.allowed_s(MUTED_S)


async def _soon(value: bool) -> bool:
    return value


async def test_past_the_bound_viewers_are_sent_away_with_a_time_and_a_place_becomes_free(server: Running) -> None:
    await server.room("whep-small", start="auto")
    async with tiny_camera(server, "whep-small"):
        await server.wait_state("whep-small", "live")
        async with whep_player(server, "whep-small") as first:
            async with whep_player(server, "whep-small"):
                with pytest.raises(Refusal) as refused:
                    async with whep_player(server, "whep-small"):
                        pass
                assert (refused.value.status, refused.value.code) == (503, "too_many_viewers")
                assert int(refused.value.headers["Retry-After"]) >= 1
            began = now()
            async with whep_player(server, "whep-small") as third:
                await until(lambda: third.test_card_since(began) > 10)
            await until(lambda: first.test_card_since(began) > 10)


async def test_the_preview_of_a_source_is_for_the_rooms_crew(server: Running) -> None:
    await server.room("whep-crew", start="auto")
    await server.room("whep-other", start="auto")
    viewer = await server.api("POST", "/grants", {"role": "viewer", "room": "whep-crew"}, status=201)
    async with tiny_camera(server, "whep-crew"), tiny_camera(server, "whep-crew", source="spare", width=240):
        await server.wait_state("whep-crew", "live")
        for token, status in (("", 401), (viewer["token"], 403), (server.tokens["whep-other"], 403)):
            with pytest.raises(Refusal) as refused:
                async with whep_player(server, "whep-crew", source="spare", token=token):
                    pass
            assert refused.value.status == status
        async with whep_player(server, "whep-crew", source="spare", token=server.tokens["whep-crew"]) as preview:
            began = now()
            await until(lambda: preview.test_card_since(began) > 20)
        # The wall's small pictures: what goes out, its source, and another one.
        for query in ("", "?source=main", "?source=spare"):
            await until_answered(lambda query=query: crew_picture(server, "whep-crew", query))


async def crew_picture(server: Running, room: str, query: str) -> bool:
    """Whether the test card is in it."""
    headers = {"Authorization": f"Bearer {server.tokens[room]}"}
    async with server.session.get(f"{server.url}/api/v1/rooms/{room}/picture.jpg{query}", headers=headers) as answer:
        if answer.status != 200:
            return False
        return decode_strip(np.asarray(Image.open(io.BytesIO(await answer.read())).convert("L"))) is not None


async def test_off_air_the_public_sees_the_slate_at_once_and_nothing_of_the_programme(server: Running) -> None:
    await server.room("whep-curtain", start="auto")
    async with (
        tiny_camera(server, "whep-curtain"),
        HlsFollower(f"{server.url}/live/whep-curtain/index.m3u8", prefetch=True) as follower,
    ):
        await server.wait_state("whep-curtain", "live")
        await follower.open()
        async with whep_player(server, "whep-curtain") as viewer:
            began = now()
            await until(lambda: viewer.test_card_since(began) > 20)
            await follower.follow(until=all_past(1))
            edge = follower.edge(TOP)
            hint = follower.tracks[TOP].playlist
            assert hint is not None
            assert hint.hint is not None
            await server.api("POST", "/rooms/whep-curtain/air", {"slate": True})
            off, answered_ms, pace = now(), time.time() * 1000, Pace()

            async def told() -> bool:
                return bool((await server.state("whep-curtain"))["state"] == "slate")

            await pace.until_answered(told)
            await until(lambda: viewer.slate_since(off) > 10)
            await follower.follow(until=all_past(1))
            assert viewer.test_card_since(off + pace.allowed_s(1.0)) == 0, pace
            await nothing_of_the_programme(server, follower, edge, answered_ms)

            await server.api("POST", "/rooms/whep-curtain/air", {"slate": False})
            on = now()
            await server.wait_state("whep-curtain", "live")
            await until(lambda: viewer.test_card_since(on) > 20)
            await follower.follow(until=all_past(1))
            for name in (TOP, LOW):
                whole = max(m for m, s in follower.tracks[name].reader.known.items() if s.complete)
                shown = decoding.pictures(await follower.segment_bytes(name, whole))
                assert shown[-1].strip is not None
        faultless(follower)


async def nothing_of_the_programme(
    server: Running, follower: HlsFollower, edge: tuple[int, int], answered_ms: float
) -> None:
    """Each rendition turned to the slate at the same place, under a new key; what was hinted is not served.

    ``answered_ms``: when the tap was answered. The cut lies before."""
    places = []
    for name, track in follower.tracks.items():
        known = track.reader.known
        # A camera that a busy machine keeps waiting is a discontinuity, too, without a new key.
        cuts = [m for m, s in known.items() if m >= edge[0] and s.discontinuity]
        place = min(m for m in cuts if key_of(known[m - 1].uri) != key_of(known[m].uri))
        places.append(place)
        last = known[place - 1]
        assert last.pdt_ms is not None
        assert last.pdt_ms + float(last.known_duration) * 1000 < answered_ms + 400
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
            assert max(p.strip for p in kept if p.strip is not None) < answered_ms
    assert len(set(places)) == 1, places


def key_of(uri: str) -> str:
    return uri.split("/")[-3]
