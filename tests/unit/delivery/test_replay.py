"""Replays over a real server, of real pictures and sound: what is listed is played and checked to the frame."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

import av
import pytest
from PIL import Image, ImageStat

from streamer.archive.catalogue import EditionRef
from streamer.archive.material import Span
from tests.fakes.decoding import pictures, sound
from tests.fakes.encoded import GREYS
from tests.fakes.packaging import broadcast
from tests.fakes.replaying import Player, Replays
from tests.fakes.studio import Studio
from tests.fakes.waiting import LIMIT_S

TICKS = 90_000


async def shown(player: Player, rendition: str = "v180", first: int = 0) -> list[tuple[float, int]]:
    """(seconds of the broadcast, mean grey) of each picture that takes time, of one run."""
    decoded = pictures(await player.run(rendition, first))
    kept = [p for p, after in zip(decoded, [*decoded[1:], None], strict=True) if after is None or after.at - p.at > 100]
    return [(p.at / TICKS, round(float(p.luma.mean()))) for p in kept]


def is_of(second: float, grey: int) -> bool:
    # The decoder's grey has the full range of 0 to 255, the encoder's was 16 to 235.
    return abs((GREYS[int(second + 1e-6) % 5] - 16) * 255 / 219 - grey) <= 6


def is_told(seen: list[tuple[float, int]], key: float) -> bool:
    """Whether the pictures are those of their time; the first one is the key frame of that second, held until then."""
    (_, held), *rest = seen
    return is_of(key, held) and all(at >= key and is_of(at, grey) for at, grey in rest)


async def test_watched_from_the_start_while_it_is_on_air(on: Replays) -> None:
    on.studio.run(5.5)
    on.begin(3.5)
    on.studio.run(5)
    player = await on.player()
    await player.reload()
    for playlist in player.playlists.values():
        assert not playlist.ended
        assert playlist.segments[0].pdt_ms == pytest.approx(on.studio.at(3.5), abs=22)
        assert [s.msn for s in playlist.segments] == [0, 1, 2, 3]
    assert b"EVENT" in await player.fetch(player.renditions["v180"])
    on.studio.run(4)
    await player.reload()
    assert len(player.playlists["v180"].segments) == 6
    seen = await shown(player)
    assert seen[0][0] == pytest.approx(3.5, abs=0.0001)
    assert is_told(seen, 4)
    assert len(seen) == 1 + 5 * 60
    heard = sound(await player.run("a128"))
    assert heard.at / TICKS == pytest.approx(3.5, abs=0.011)


async def test_its_end_is_a_new_edition_and_the_old_one_goes_on_to_its_end(either_way: Replays) -> None:
    on = either_way
    on.studio.run(2.2)
    on.begin(2.2)
    on.studio.run(6)
    watching = await on.player()
    await watching.reload()
    on.studio.run(3.5)
    on.end(11.3)
    on.studio.run(2)
    await watching.reload()
    player = await on.player()
    await player.reload()
    assert set(player.renditions.values()).isdisjoint(watching.renditions.values())
    assert b"TYPE:VOD" in await player.fetch(player.renditions["v180"])
    for p in (player, watching):
        for name, playlist in p.playlists.items():
            assert playlist.ended, name
            assert float(sum(s.duration for s in playlist.segments)) == pytest.approx(9.1, abs=0.025)
        seen = await shown(p)
        assert (seen[0][0], seen[-1][0]) == pytest.approx((2.2, 11.3 - 1 / 30), abs=0.0001)
        assert len(seen) == 249
        assert is_told(seen, 3)
    assert await player.run("v90") == await watching.run("v90")
    assert await player.run("a128") == await watching.run("a128")


async def test_nothing_has_to_be_on_disk_yet(on: Replays) -> None:
    """The writer is behind: the last seconds come from memory, also in the first second after the end."""
    on.begin(1.0)
    on.studio.run(6)
    on.material(1, 6)  # the files are there, and linked
    on.studio.store.on_disk = False
    on.studio.run(4)
    on.end(9.3)
    player = await on.player()
    await player.reload()
    assert len(await shown(player)) == 249


async def test_the_room_may_delete_its_files(on: Replays) -> None:
    on.begin(1.0)
    on.studio.run(8)
    watching = await on.player()
    await watching.reload()
    on.end(7.5)
    for file in on.settings.room_dir("salle").rglob("*.m4s"):
        file.unlink()
    on.link.bytes.clear()
    on.link.view.outputs.clear()
    await watching.reload()
    for player in (await on.player(), watching):
        await player.reload()
        assert len(await shown(player)) == 195


async def test_incidents_are_skipped_and_the_sound_stays_with_the_picture(on: Replays) -> None:
    on.begin(1.0)
    on.studio.run(12.5)
    on.end(12, skips=(Span(on.studio.at(3.3), on.studio.at(7.7)),))
    player = await on.player()
    await player.reload()
    video = player.playlists["v180"]
    (second,) = [n for n, s in enumerate(video.segments) if s.discontinuity]
    before, after = await shown(player), await shown(player, first=second)
    assert (before[0][0], before[-1][0]) == pytest.approx((1.0, 3.3 - 1 / 30), abs=0.0001)
    assert (after[0][0], after[-1][0]) == pytest.approx((7.7, 12 - 1 / 30), abs=0.0001)
    assert is_told(before, 1)
    assert is_told(after, 8)
    for rendition in ("v90", "a128"):
        for n in (0, second):
            assert player.playlists[rendition].segments[n].pdt_ms == pytest.approx(video.segments[n].pdt_ms, abs=22)


async def test_an_incident_while_it_is_on_air_stops_the_list_and_goes_on_after_it(on: Replays) -> None:
    on.begin(1.0)
    on.studio.run(5.2)
    live = on.state.editions[0]
    on.change(editions=(replace(live, skips=(Span(on.studio.at(5.0), 1 << 52),)),))
    player = await on.player()
    await player.reload()
    on.studio.run(5)
    await player.reload()
    assert player.playlists["v180"].segments[-1].pdt_ms == pytest.approx(on.studio.at(4), abs=1)
    on.change(editions=(replace(live, skips=(Span(on.studio.at(5.0), on.studio.at(9.5)),)),))
    on.studio.run(3)
    await player.reload()
    on.change(editions=(replace(live, skips=(Span(on.studio.at(5.0), on.studio.at(9.5)),), end_ms=on.studio.at(13)),))
    on.material(1, 13)
    await player.reload()
    second = next(n for n, s in enumerate(player.playlists["v180"].segments) if s.discontinuity)
    before, after = await shown(player), await shown(player, first=second)
    assert before[-1][0] == pytest.approx(5 - 1 / 30, abs=0.0001)
    assert after[0][0] == pytest.approx(9.5, abs=0.0001)
    assert is_told(before, 1)
    assert is_told(after, 10)


async def test_a_private_session_before_it_leaves_no_sample(on: Replays) -> None:
    """The start is set to where the session before still ran: not one part of that is there to be asked for."""
    on.begin(1.0)
    on.studio.run(9)
    gone = (Span(on.studio.at(0), on.studio.at(4.5)),)
    on.material(1, 9, gone)
    on.change(editions=(EditionRef("vod", on.studio.at(1), on.studio.at(9), created_ms=on.studio.at(10)),))
    player = await on.player()
    await player.reload()
    assert all(s.pdt_ms is not None and s.pdt_ms >= on.studio.at(4.45) for s in player.playlists["v180"].segments)
    with av.open(io.BytesIO(await player.run("v180"))) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(video=0) if packet.pts is not None]
    assert min(times) >= 4.5
    with av.open(io.BytesIO(await player.run("a128"))) as container:
        times = [float(packet.pts * packet.time_base) for packet in container.demux(audio=0) if packet.pts is not None]
    assert min(times) >= 4.5


async def test_a_replaced_edition_is_gone(either_way: Replays) -> None:
    on = either_way
    on.begin(1.0)
    on.studio.run(8)
    on.end(7)
    player = await on.player()
    await player.reload()
    old = [*player.renditions.values(), player.renditions["v180"].replace(".m3u8", "/0.m4s")]
    ended, vod = on.state.editions
    nudged = EditionRef("nudged", on.studio.at(2), vod.end_ms, created_ms=on.studio.at(20))
    on.change(editions=(replace(ended, replaced=True), replace(vod, replaced=True), nudged))
    for address in (*old, "/replay/talk/vod/index.m3u8", "/replay/talk/live-edition/a128/0.m4s"):
        async with on.http.get(address) as r:
            assert r.status == 410
            assert (await r.json())["error"]["code"] == "replaced"
            assert r.headers["Cache-Control"] == "no-store"
    fresh = await on.player()
    await fresh.reload()
    assert (await shown(fresh))[0][0] == pytest.approx(2.0, abs=0.0001)


async def test_what_is_not_published_is_told_of_to_nobody(either_way: Replays) -> None:
    on = either_way
    on.begin(1.0)
    on.studio.run(8)
    on.end(7)
    on.change(published=False)
    answers = set()
    for address in ("/replay/talk/index.m3u8", "/replay/nothing/index.m3u8"):
        async with on.http.get(address) as r:
            assert r.status == 404
            answers.add(await r.text())
    assert len(answers) == 1
    assert "not_published" in answers.pop()
    async with on.http.get("/replay/talk/vod/index.m3u8") as r:
        assert r.status == 404
    on.keys.known |= {"crew.key": "talk", "link.key": "talk"}
    on.keys.links.add("link.key")
    async with on.http.get("/replay/talk/~link.key/vod/index.m3u8") as r:
        assert r.status == 404
    reviewer = await on.player("/replay/talk/~crew.key/vod/index.m3u8")
    await reviewer.reload()
    assert len(await shown(reviewer)) == 180
    async with on.http.get(reviewer.renditions["v180"]) as r:
        assert r.headers["Cache-Control"] == "private, no-store"
    for address in ("/replay/talk/other/index.m3u8", "/replay/talk/other/v180/0.m4s", "/replay/x/vod/v180.m3u8"):
        async with on.http.get(address) as r:
            assert r.status == 404


async def test_a_closed_sessions_replay_asks_for_its_key(either_way: Replays) -> None:
    on = either_way
    on.begin(1.0)
    on.studio.run(8)
    on.change(closed=True)
    on.keys.known["its-key"] = "talk"
    for key in ("", "~its-ke/", "~its-key2/", "~%00/"):
        async with on.http.get(f"/replay/talk/{key}index.m3u8") as r:
            assert r.status == 404
            assert (await r.json())["error"]["code"] == "not_published"
    player = await on.player("/replay/talk/~its-key/index.m3u8")
    await player.reload()
    assert len(await shown(player)) == 150
    media = player.renditions["v180"].replace(".m3u8", "/1.m4s")
    for address in ("/replay/talk/~its-key/index.m3u8", player.renditions["v180"], media):
        async with on.http.get(address) as r:
            assert r.headers["Cache-Control"] == "private, no-store"
            assert b"its-key" not in await r.read()
        # The edition's id opens nothing by itself.
        async with on.http.get(address.replace("/~its-key", "")) as r:
            assert r.status == 404


async def test_answers_for_caches_and_ranges(either_way: Replays) -> None:
    on = either_way
    on.begin(1.3)
    on.studio.run(8)
    on.end(7.1)
    player = await on.player()
    await player.reload()
    init = player.playlists["v180"].segments[0].map or ""
    for name in ("v180/0.m4s", "v180/1.m4s", init):
        address = player.renditions["v180"].replace("v180.m3u8", name)
        whole = await player.fetch(address)
        async with on.http.get(address, headers={"Range": "bytes=10-19"}) as r:
            assert (r.status, await r.read()) == (206, whole[10:20])
            etag = r.headers["ETag"]
            assert r.headers["Cache-Control"] == "public, max-age=3600, s-maxage=30, immutable"
        async with on.http.get(address, headers={"If-None-Match": etag}) as r:
            assert r.status == 304
        async with on.http.head(address) as r:
            assert int(r.headers["Content-Length"]) == len(whole)
    for name in ("99.m4s", "init-9.mp4", "init-1000001.mp4", "x", "0.0.m4s"):
        async with on.http.get(player.renditions["v180"].replace(".m3u8", f"/{name}")) as r:
            assert r.status == 404


async def test_the_first_second_waits_for_its_first_segment(on: Replays) -> None:
    on.studio.run(4.4)
    on.begin(4.3)
    player = await on.player()
    asked = asyncio.create_task(player.reload())
    while not on.link.subscribers:
        await asyncio.sleep(0.01)
    assert not asked.done()
    on.studio.run(2)
    await asyncio.wait_for(asked, 2)
    assert (await shown(player))[0][0] == pytest.approx(4.3, abs=0.0001)


async def test_a_session_over_two_broadcasts_is_one_replay(on: Replays) -> None:
    """The room was closed and opened again in the middle."""
    on.begin(1.0)
    on.studio.run(5)
    on.material(1, 5)
    player = await on.player()
    await player.reload()
    second = Studio(
        on.settings.room_dir("salle"),
        on.link.feed,
        of=broadcast(room="salle", id="b-second", epoch_ms=on.studio.broadcast.epoch_ms + 60_000),
    )
    second.run(4.5)
    await player.reload()
    video = player.playlists["v180"]
    cut = next(n for n, s in enumerate(video.segments) if s.discontinuity)
    assert video.segments[cut].pdt_ms == second.at(0)
    assert len(video.segments) == 4
    assert is_of(0, (await shown(player, first=cut))[0][1])


async def test_ffmpegs_player_plays_through_a_skip(either_way: Replays) -> None:
    on = either_way
    on.begin(1.25)
    on.studio.run(12.5)
    on.end(12, skips=(Span(on.studio.at(3.3), on.studio.at(7.7)),))
    url = str(on.http._base_url) + "/replay/talk/index.m3u8"

    def watch() -> tuple[int, int]:
        with av.open(url, timeout=10) as hls:
            got = {"video": 0, "audio": 0}
            for packet in hls.demux(hls.streams.video[0], hls.streams.audio[0]):
                got[packet.stream.type] += sum(1 for _ in packet.decode())
            return got["video"], got["audio"]

    video, audio = await asyncio.wait_for(asyncio.to_thread(watch), LIMIT_S)
    # The key frame after each of the two beginnings stands still until its time: two pictures for 0.75 s and 0.3 s.
    assert video == 2 + 30 * (1.3 + 4)
    assert audio == pytest.approx(6.35 * 48_000 / 1024, abs=4)


async def test_pictures_of_a_replay_are_of_what_it_shows(on: Replays) -> None:
    on.studio.run(4)
    on.begin(2.0)
    for name in ("still", "sheet"):
        async with on.http.get(f"/replay/talk/{name}.jpg") as response:
            assert response.status == 404
    on.studio.run(21.5)
    on.end(22.0, skips=(Span(on.studio.at(4), on.studio.at(6)),))
    greys = {}
    for name in ("still", "sheet"):
        async with on.http.get(f"/replay/talk/{name}.jpg") as response:
            assert (response.status, response.content_type) == (200, "image/jpeg")
            assert response.headers["Cache-Control"].startswith("public")
            tag, tiles = response.headers["ETag"], response.headers.get("X-Tiles")
            with Image.open(io.BytesIO(await response.read())) as picture:
                width = picture.width if name == "still" else 160
                greys[name] = [
                    ImageStat.Stat(picture.convert("L").crop((left + 40, 20, left + 120, 70))).mean[0]
                    for left in range(0, picture.width, width)
                ]
        async with on.http.get(f"/replay/talk/{name}.jpg", headers={"If-None-Match": tag}) as response:
            assert response.status == 304
    # A seventh of 18 s from the start, which is behind the skip; the key frames before a quarter and three quarters.
    assert is_of(6, round(greys["still"][0]))
    assert (tiles, len(greys["sheet"])) == ("2", 2)
    assert is_of(8, round(greys["sheet"][0]))
    assert is_of(16, round(greys["sheet"][1]))
    on.change(published=False)
    for name in ("still", "sheet"):
        async with on.http.get(f"/replay/talk/{name}.jpg") as response:
            assert response.status == 404


async def test_the_whole_material_is_for_those_who_cut_it(either_way: Replays) -> None:
    on = either_way
    on.begin(3.0)
    on.studio.run(12)
    on.end(9, skips=(Span(on.studio.at(4), on.studio.at(6)),))
    on.material(3, 9, gone=(Span(on.studio.at(7), on.studio.at(8)),))
    on.change(whole=EditionRef("whole-1", on.studio.at(0), on.studio.at(12), created_ms=on.studio.at(12)))
    on.keys.known |= {"cutter": "talk", "viewer": "talk"}
    on.keys.crew.add("cutter")
    player = await on.player("/replay/talk/~cutter/whole-1/index.m3u8")
    await player.reload()
    video = player.playlists["v180"]
    assert float(sum(s.duration for s in video.segments)) == pytest.approx(11, abs=0.5)
    (again,) = [s for s in video.segments[1:] if s.discontinuity]
    # It has the stretch that the cut leaves out, and not the one that was forgotten.
    assert again.pdt_ms == pytest.approx(on.studio.at(8), abs=40)
    seen = await shown(player)
    assert is_of(seen[0][0], seen[0][1])
    part = player.renditions["v180"].replace("~cutter/", "")
    for path in ("/replay/talk/whole-1/index.m3u8", "/replay/talk/~viewer/whole-1/index.m3u8", part):
        async with on.http.get(path) as response:
            assert response.status == 404, path
    async with on.http.get("/replay/talk/~viewer/vod/index.m3u8") as response:
        assert response.status == 200


async def test_no_picture_of_a_sheet_is_from_what_is_left_out(on: Replays) -> None:
    on.studio.run(4)
    on.begin(2.0)
    on.studio.run(21.5)
    # Both tiles lie in segments that begin in what is left out.
    on.end(22.0, skips=(Span(on.studio.at(5.5), on.studio.at(6.5)), Span(on.studio.at(15), on.studio.at(16.5))))
    async with on.http.get("/replay/talk/sheet.jpg") as response, asyncio.timeout(20):
        assert response.headers["X-Tiles"] == "2"
        with Image.open(io.BytesIO(await response.read())) as picture:
            greys = [
                round(ImageStat.Stat(picture.convert("L").crop((left + 40, 20, left + 120, 70))).mean[0])
                for left in (0, 160)
            ]
    assert is_of(8, greys[0])
    assert is_of(18, greys[1])
