"""Addresses under /live/{room}/ over a real server: what is listed is served, and nothing else."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from aiohttp import ClientSession

from streamer.delivery import steering
from streamer.delivery.state import public_state
from tests.fakes.delivery_server import Served, serve

HEADERS_OF_404 = {"Cache-Control": "no-store", "Access-Control-Allow-Origin": "*"}


async def code(response) -> str:  # type: ignore[no-untyped-def]
    return str((await response.json())["error"]["code"])


async def test_a_room_that_is_off_is_not_on_air(served: Served, http: ClientSession) -> None:
    served.link.status.broadcast = None
    for room in ("salle", "nowhere"):
        for path in ("index.m3u8", "still.jpg", "b/v720.m3u8", "b/k/v720/0.m4s"):
            async with http.get(f"/live/{room}/{path}") as r:
                assert r.status == 404
                assert await code(r) == "not_on_air"
                assert HEADERS_OF_404.items() <= dict(r.headers).items()


async def test_a_closed_room_is_not_on_air_but_lets_its_viewers_finish(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(3)
    fake.close()
    async with http.get("/live/salle/index.m3u8") as r:
        assert r.status == 404
        assert await code(r) == "not_on_air"
    async with http.get(served.playlist(fake, query="?_HLS_msn=99&_HLS_part=0")) as r:
        assert r.status == 200
        assert (await r.text()).endswith("#EXT-X-ENDLIST\n")
    async with http.get(served.media(fake, "v720/2.m4s")) as r:
        assert await r.read() == fake.segment_bytes("v720", 2)


async def test_parts_joined_are_the_segment(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    for rendition, content_type in (("v720", "video/mp4"), ("a128", "audio/mp4")):
        parts = []
        index = 0
        while (rendition, 1, index) in fake.data:
            async with http.get(served.media(fake, f"{rendition}/1.{index}.m4s")) as r:
                assert r.status == 200
                assert r.headers["Content-Type"] == content_type
                assert r.headers["Cache-Control"] == "public, max-age=7200, s-maxage=30, immutable"
                parts.append(await r.read())
            index += 1
        async with http.get(served.media(fake, f"{rendition}/1.m4s")) as r:
            assert await r.read() == b"".join(parts) == fake.segment_bytes(rendition, 1)
            assert r.headers["Content-Type"] == content_type
            assert r.headers["Access-Control-Allow-Origin"] == "*"
            assert "Content-Encoding" not in r.headers
    assert served.stats.disk_reads_total == 0


async def test_old_segments_come_from_disk(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(30)
    served.link.bytes.clear()
    async with http.get(served.media(fake, "v720/1.m4s")) as r:
        assert await r.read() == fake.segment_bytes("v720", 1)
    async with http.get(served.media(fake, "v720/29.m4s")) as r:
        assert await r.read() == fake.segment_bytes("v720", 29)
    async with http.get(served.media(fake, "v720/29.3.m4s")) as r:
        assert await r.read() == fake.data["v720", 29, 3]
    assert served.stats.disk_reads_total == 3


async def test_a_merged_segment_is_put_together_from_memory(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(30)
    async with http.get(served.media(fake, "v720/1.m4s")) as r:
        assert await r.read() == fake.segment_bytes("v720", 1)
    assert served.stats.disk_reads_total == 0


async def test_the_address_of_a_merged_part_stands_for_nothing(served: Served, http: ClientSession) -> None:
    """``1.0.m4s`` was the first part: it may not become the whole segment."""
    fake = served.broadcast().open()
    fake.segments(30)
    async with http.get(served.media(fake, "v720/1.0.m4s")) as r:
        assert r.status == 404


async def test_media_that_is_gone_from_disk_is_404(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(2)
    served.link.bytes.clear()
    (served.room_dir / fake.id / "v720-0000.m4s").unlink()
    async with http.get(served.media(fake, "v720/1.m4s")) as r:
        assert r.status == 404
        assert await code(r) == "gone"


async def test_only_what_the_output_lists_is_served(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(3)
    old_key = fake.interval.key if fake.interval else ""
    fake.new_interval(aired=False)
    fake.segments(2)
    base = f"/live/salle/{fake.id}"
    for path, status in (
        (f"{base}/{old_key}/v720/2.m4s", 200),
        (f"{base}/{old_key}/v720/3.m4s", 404),  # of the next interval
        (served.media(fake, "v720/2.m4s"), 404),  # of the interval before
        (served.media(fake, "v720/4.m4s"), 200),
        (served.media(fake, "v720/5.m4s"), 404),  # not made
        (served.media(fake, "v999/4.m4s"), 404),
        (served.media(fake, f"v720/init-{fake.init['v720']}.mp4"), 200),
        (served.media(fake, f"v720/init-{fake.init['a128']}.mp4"), 404),
        (served.media(fake, "v720/init-99.mp4"), 404),
        (f"{base}/guess/v720/4.m4s", 404),
        ("/live/salle/other/x/v720/4.m4s", 404),
        (served.media(fake, "v720/4.9.m4s"), 404),
        (served.media(fake, "v720/-1.m4s"), 404),
        (served.media(fake, "v720/4.m4s.bak"), 404),
        (served.media(fake, "v720/..%2f4.m4s"), 404),
    ):
        async with http.get(path) as r:
            assert (r.status, path) == (status, path)
    fake.trim(3)
    for path in (f"{base}/{old_key}/v720/2.m4s", f"{base}/{old_key}/v720/init-1.mp4"):
        async with http.get(path) as r:
            assert r.status == 404


async def test_an_open_segment_is_served_in_parts_only(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.begin()
    fake.part(fake.renditions[0], 0, 30_000)
    async with http.get(served.media(fake, "v720/0.m4s")) as r:
        assert r.status == 404
    async with http.get(served.media(fake, "v720/0.0.m4s")) as r:
        assert r.status == 200


async def test_range_requests(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(1)
    path, whole = served.media(fake, "v720/0.m4s"), fake.segment_bytes("v720", 0)
    for asked, expected in (
        ("bytes=0-99", whole[:100]),
        ("bytes=100-", whole[100:]),
        ("bytes=-10", whole[-10:]),
        ("bytes=5-5", whole[5:6]),
        (f"bytes=10-{10**15}", whole[10:]),
    ):
        async with http.get(path, headers={"Range": asked}) as r:
            assert r.status == 206
            assert await r.read() == expected
            start = whole.index(expected) if asked != "bytes=5-5" else 5
            if asked == "bytes=-10":
                start = len(whole) - 10
            if asked in ("bytes=100-", f"bytes=10-{10**15}"):
                start = len(whole) - len(expected)
            assert r.headers["Content-Range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"
    for asked in (f"bytes={len(whole)}-", "bytes=-0"):
        async with http.get(path, headers={"Range": asked}) as r:
            assert r.status == 416
            assert r.headers["Content-Range"] == f"bytes */{len(whole)}"
    for asked in ("bytes=0-1,4-5", "lines=0-1", "bytes=-", "bytes=9-2", "bytes=x-"):
        async with http.get(path, headers={"Range": asked}) as r:
            assert r.status == 200
            assert await r.read() == whole
    async with http.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'}) as r:
        assert r.status == 200


async def test_conditional_requests(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(1)
    fake.still()
    for path in (
        "/live/salle/index.m3u8",
        served.playlist(fake),
        served.media(fake, "v720/0.m4s"),
        served.media(fake, "v720/init-1.mp4"),
        "/live/salle/still.jpg",
    ):
        async with http.get(path) as r:
            etag = r.headers["ETag"]
        async with http.get(path, headers={"If-None-Match": f'"x", {etag}'}) as r:
            assert r.status == 304
            assert await r.read() == b""
            assert r.headers["ETag"] == etag
        async with http.get(path, headers={"If-None-Match": '"x"'}) as r:
            assert r.status == 200


async def test_head_tells_the_size_and_reads_nothing(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    fake.segments(1)
    served.link.bytes.clear()
    async with http.head(served.media(fake, "v720/0.m4s")) as r:
        assert r.status == 200
        assert r.headers["Content-Length"] == str(len(fake.segment_bytes("v720", 0)))
        assert r.headers["Content-Type"] == "video/mp4"
    assert served.stats.disk_reads_total == 0
    async with http.head(served.playlist(fake)) as r:
        assert r.status == 200
        assert int(r.headers["Content-Length"]) > 100


async def test_preflight_from_another_site(served: Served, http: ClientSession) -> None:
    for path in ("/live/salle/index.m3u8", "/live/salle/b/k/v720/0.m4s", "/live/salle/b/v720.m3u8"):
        async with http.options(path, headers={"Origin": "https://other.example"}) as r:
            assert r.status == 204
            assert r.headers["Access-Control-Allow-Origin"] == "*"
            assert "Range" in r.headers["Access-Control-Allow-Headers"]


async def test_playlists_are_gzipped_for_who_takes_it(served: Served) -> None:
    fake = served.broadcast().open()
    fake.segments(40)
    async with ClientSession(served.url, auto_decompress=False) as raw:
        for path in (served.playlist(fake), served.playlist(fake, query="?_HLS_skip=YES"), "/live/salle/index.m3u8"):
            async with raw.get(path, headers={"Accept-Encoding": "identity"}) as r:
                assert "Content-Encoding" not in r.headers
                assert r.headers["Content-Type"] == "application/vnd.apple.mpegurl"
                plain = await r.read()
            async with raw.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as r:
                assert r.headers["Content-Encoding"] == "gzip"
                assert r.headers["Vary"] == "Accept-Encoding"
                assert gzip.decompress(await r.read()) == plain
            async with raw.get(path, headers={"Accept-Encoding": "gzip;q=0"}) as r:
                assert "Content-Encoding" not in r.headers


async def test_a_still_is_there_after_the_first(served: Served, http: ClientSession) -> None:
    fake = served.broadcast().open()
    async with http.get("/live/salle/still.jpg") as r:
        assert r.status == 404
        assert await code(r) == "no_still"
    fake.still()
    async with http.get("/live/salle/still.jpg") as r:
        assert r.status == 200
        assert r.headers["Content-Type"] == "image/jpeg"
        assert (await r.read()).startswith(b"\xff\xd8")
        assert r.headers["Cache-Control"] == "public, max-age=5"


@pytest.mark.parametrize("path", ["/live/", "/live/salle", "/live/salle/", "/live/salle/x/y", "/live/a/b/c/d/e/f"])
async def test_other_addresses_are_404_in_our_shape(served: Served, http: ClientSession, path: str) -> None:
    async with http.get(path) as r:
        assert r.status == 404
        assert await code(r) in ("not_found", "not_on_air")


async def test_the_state_is_live_only_when_every_rendition_plays_the_source(served: Served) -> None:
    view, status = served.link.view, served.link.status
    assert public_state(None, None) == "off"
    assert public_state(view, status) == "off"
    fake = served.broadcast().open(aired=False)
    fake.segment()
    assert public_state(view, status) == "slate"
    fake.new_interval(aired=True)
    fake.begin()
    for r in fake.renditions:
        fake.part(r, 0, 30_000)
    assert public_state(view, status) == "slate"
    fake.done()
    assert public_state(view, status) == "live"
    status.on_programme = "slate"
    assert public_state(view, status) == "slate"
    status.on_programme = "main"
    status.sources["main"].up = False
    assert public_state(view, status) == "slate"
    status.sources["main"].up = True
    assert public_state(view, status) == "live"
    fake.close()
    assert public_state(view, status) == "off"


async def test_players_learn_of_the_edges_by_name(tmp_path: Path, http: ClientSession) -> None:
    async with http.get("/live/steering.json") as r:
        assert r.status == 404
    names = ["edge1.example", "edge2.example"]
    async with serve(tmp_path / "steered", names=names) as served, ClientSession(served.url) as viewer:
        served.broadcast(id="b").open()
        async with viewer.get("/live/salle/index.m3u8") as r:
            assert '#EXT-X-CONTENT-STEERING:SERVER-URI="/live/steering.json"' in (await r.text()).splitlines()
        async with viewer.get("/live/steering.json", headers={"Origin": "https://other.example"}) as r:
            assert (r.headers["Access-Control-Allow-Origin"], r.headers["Cache-Control"]) == (
                "*",
                "public, max-age=1, s-maxage=1",
            )
            told = await r.json()
    assert (told["VERSION"], told["PATHWAY-PRIORITY"][0]) == (1, ".")
    assert sorted(told["PATHWAY-PRIORITY"][1:]) == names
    assert {(clone["BASE-ID"], clone["ID"], clone["URI-REPLACEMENT"]["HOST"]) for clone in told["PATHWAY-CLONES"]} == {
        (".", name, name) for name in names
    }


def test_those_whose_edge_fails_spread_over_the_others() -> None:
    orders = [tuple(steering.manifest(["a", "b", "c"], turn)["PATHWAY-PRIORITY"]) for turn in range(3)]
    assert orders == [(".", "a", "b", "c"), (".", "b", "c", "a"), (".", "c", "a", "b")]
