"""The edge's own configuration, with the real nginx and Varnish before the real delivery: what viewers cost the origin,
and what is never kept."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession, TCPConnector
from yarl import URL

from streamer.api.edges import PATH, SCOPE_HEADER, Edges
from streamer.cli import check
from streamer.control.server import wait_cancelled
from streamer.sections import EdgeSettings
from tests.fakes.certificates import write_certificate
from tests.fakes.delivery_server import Served, serve
from tests.fakes.edges import SECRET
from tests.fakes.nginx import nginx, nginx_config, nginx_program
from tests.fakes.ports import free_port
from tests.fakes.varnish import varnish, varnish_program
from tests.fakes.waiting import until, until_answered, until_answered_within

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        nginx_program() is None or varnish_program() is None, reason="nginx or varnish is not installed"
    ),
]

FOLLOWERS = 200
WITHDRAWN_S, ALONE_S = 2.0, 5.0
"""The time after which an edge refuses what was withdrawn, and all media if it does not reach its origin."""
NAME = "salle.example"


def speaks_http3() -> bool:
    curl = shutil.which("curl")
    return curl is not None and b"HTTP3" in subprocess.run([curl, "-V"], capture_output=True, check=False).stdout


@dataclass(frozen=True)
class Edge:
    origin: int
    cache: str
    url: str
    tls: ssl.SSLContext


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder: Path = tmp_path_factory.mktemp("edge")
    # Workers of a root-run nginx give up their rights and must still reach their folder.
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    origin, port, cache, from_cache = (free_port() for _ in range(4))
    certificate, key = folder / "cert.pem", folder / "key.pem"
    write_certificate(certificate, key, names=(NAME,))
    config = nginx_config(
        folder,
        upstream=origin,
        port=port,
        certificate=certificate,
        key=key,
        name=NAME,
        cache=cache,
        from_cache=from_cache,
    )
    with nginx(config), varnish(folder / "varnish", port=cache, origin=from_cache):
        tls = ssl.create_default_context(cafile=str(certificate))
        yield Edge(origin, f"http://127.0.0.1:{cache}", f"https://127.0.0.1:{port}", tls)


@pytest.fixture
async def served(edge: Edge, tmp_path: Path) -> AsyncIterator[Served]:
    async with serve(tmp_path, port=edge.origin, names=("edge1.example",)) as server:
        yield server


@pytest.fixture
async def viewers(edge: Edge, served: Served) -> AsyncIterator[ClientSession]:
    """Of the cache, once it knows that its origin lives."""
    async with ClientSession(edge.cache, connector=TCPConnector(limit=0)) as session:

        async def up() -> bool:
            with contextlib.suppress(OSError):
                async with session.get("/live/nowhere/index.m3u8") as response:
                    return response.status == 404
            return False

        await until_answered(up)
        served.asked.clear()
        yield session


def asked(served: Served, path: str = "/live/") -> list[str]:
    return [request.path_qs for request in served.asked if request.path.startswith(path)]


async def test_all_who_wait_for_a_part_cost_the_origin_one_request(served: Served, viewers: ClientSession) -> None:
    fake = served.broadcast(id="held").open()
    fake.segments(3)
    fake.begin()
    video = fake.renditions[0]

    async def follow(query: str, **headers: str) -> tuple[int, bytes, str]:
        async with viewers.get(served.playlist(fake, query=query), headers=headers) as response:
            return response.status, await response.read(), response.headers["Age"]

    spelt = ("?_HLS_msn=3&_HLS_part=0", "?_HLS_part=00&utm_source=x&_HLS_msn=03", "?_HLS_msn=3&dvr=0&_HLS_part=0&sid=7")
    waiting = [
        asyncio.create_task(
            follow(
                spelt[n % 3],
                Cookie=f"login={n}",
                Authorization="Bearer x",
                **{"Accept-Encoding": ("br", "gzip, zstd")[n % 2]},
            )
        )
        for n in range(FOLLOWERS)
    ]
    personal = {"Cookie": "login=1", "Authorization": "Bearer x"}
    part = asyncio.create_task(viewers.get(served.media(fake, "v720/3.0.m4s"), headers=personal))
    await until(lambda: served.stats.held_now == 2)
    whole = await follow("")
    assert not any(task.done() for task in waiting)
    fake.part(video, 0, 30_000)
    answers = set(await asyncio.gather(*waiting))
    assert len(answers) == 1, "one answer for all"
    status, body, age = answers.pop()
    assert (status, age) == (200, "0")
    assert b"3.0.m4s" in body
    assert b"3.0.m4s" not in whole[1].partition(b"EXT-X-PRELOAD")[0]
    async with await part as response:
        assert await response.read() == fake.data["v720", 3, 0]
    *held, last = asked(served, "/live/salle/held/")
    # They come by connections of their own, in any order.
    assert sorted(held) == sorted(
        ["/live/salle/held/v720.m3u8?_HLS_msn=3&_HLS_part=0", served.media(fake, "v720/3.0.m4s")]
    )
    assert last == "/live/salle/held/v720.m3u8"
    for request in served.asked:
        assert not {"Cookie", "Authorization"} & set(request.headers)
        assert request.headers.get("Accept-Encoding", "gzip") == "gzip"


async def test_a_query_has_one_spelling_and_says_nothing_twice(served: Served, viewers: ClientSession) -> None:
    fake = served.broadcast(id="query").open()
    fake.segments(8)
    asked_for = {
        "?_HLS_skip=v2&foo=1&dvr=1&_HLS_part=0&_HLS_msn=4": "?dvr=1&_HLS_msn=4&_HLS_part=0&_HLS_skip=v2",
        "?dvr=2": "",
        "?x_HLS_msn=9&": "",
        "?_HLS_msn=0": "?_HLS_msn=0",
    }
    for query, canonical in asked_for.items():
        served.asked.clear()
        async with viewers.get(served.playlist(fake, query=query)) as response:
            assert response.status == 200
        assert asked(served) in ([f"/live/salle/query/v720.m3u8{canonical}"], []), query
    served.asked.clear()
    twice = (
        "?dvr=1&dvr=1",
        "?_HLS_msn=4&a&_HLS_msn=5",
        "?_HLS_msn=4&_HLS_part=0&_HLS_part=0",
        "?_HLS_skip=v2&_HLS_skip=v2",
    )
    for query in (*twice, "?_HLS_msn=x", "?_HLS_msn", "?_HLS_skip=no", "?_HLS_part=1"):
        for session in (viewers, ClientSession(served.url)):
            async with session.get(served.playlist(fake, query=query)) as response:
                assert response.status == 400, query
                assert (await response.json())["error"]["code"] == "bad_directive"
                assert response.headers["Cache-Control"] == "no-store"
            if session is not viewers:
                await session.close()


async def test_what_is_private_and_what_failed_is_not_kept(edge: Edge, served: Served, viewers: ClientSession) -> None:
    fake = served.broadcast(id="failed").open()
    fake.segments(3)
    later = served.media(fake, "v720/3.m4s")
    async with viewers.get(later) as response:
        assert response.status == 404
    fake.segments(1)

    async def there() -> bool:
        async with viewers.get(later) as response:
            return response.status == 200

    await until_answered_within(1, there)
    served.asked.clear()
    async with viewers.get(later, headers={"Range": "bytes=2-5"}) as response:
        assert (response.status, await response.read()) == (206, fake.segment_bytes("v720", 3)[2:6])
    assert asked(served) == [], "kept as a whole"
    paths = ("/live/salle/~key/index.m3u8", "/live/%73alle/index.m3u8", "/replay/a/b/download.mp4", "/api/v1/rooms")
    for path in paths:
        for _ in range(2):
            async with viewers.get(URL(edge.cache + path, encoded=True), headers={"Cookie": "login=1"}) as response:
                await response.read()
    assert [request.headers["Cookie"] for request in served.asked] == ["login=1"] * (2 * len(paths))
    for _ in range(2):
        async with viewers.get("/live/steering.json?_HLS_pathway=.&_HLS_throughput=1000") as response:
            assert (await response.json())["PATHWAY-PRIORITY"] == [".", "edge1.example"]
    assert asked(served, "/live/steering") == ["/live/steering.json"], "one for all viewers"
    # All the way: TLS, the cache, and back through nginx; the origin learns the client's address.
    served.asked.clear()
    async with ClientSession(edge.url, connector=TCPConnector(ssl=edge.tls)) as session:
        forged = {"X-Forwarded-For": "203.0.113.9"}
        async with session.get(served.playlist(fake, query="?_HLS_msn=2"), headers=forged, server_hostname=NAME) as r:
            assert (r.status, r.headers["Cache-Control"]) == (200, "public, max-age=1, s-maxage=1")
        async with session.get("/live/salle/~key/index.m3u8", headers=forged, server_hostname=NAME) as r:
            assert r.status == 404
        async with session.post(PATH, server_hostname=NAME) as r:
            assert r.status == 403
    assert [request.headers["X-Forwarded-For"] for request in served.asked] == ["127.0.0.1"] * 2


@pytest.mark.skipif(not speaks_http3(), reason="curl does not speak HTTP/3")
async def test_viewers_may_come_over_http3(edge: Edge, served: Served, viewers: ClientSession) -> None:
    port = edge.url.rpartition(":")[2]
    for path in ("/live/http3/index.m3u8", "/api/v1/rooms"):
        command = ["curl", "-sk", "--http3-only", "--resolve", f"{NAME}:{port}:127.0.0.1", "-w", "\n%{http_version}"]
        process = await asyncio.create_subprocess_exec(
            *command, f"https://{NAME}:{port}{path}", stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        assert output.decode().splitlines()[-1] == "3"
        assert served.asked[-1].path == path
        assert served.asked[-1].headers["Host"] == NAME


async def gone_within(promised_s: float, viewers: ClientSession, path: str, status: int) -> None:
    async def gone() -> bool:
        async with viewers.get(path) as response:
            return response.status == status

    await until_answered_within(promised_s, gone)


async def test_what_a_room_withdraws_is_refused_at_the_edge(
    edge: Edge, served: Served, viewers: ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = served.broadcast(id="withdrawn").open()
    fake.segments(9)
    old, late = served.media(fake, "v720/3.m4s"), served.media(fake, "v720/4.m4s")
    edges = Edges(EdgeSettings(addresses=(edge.cache,), secret=SECRET))
    edges.follow(served.plane)
    telling = asyncio.create_task(edges.run())
    try:
        await until(lambda: edges.stats.told_total == 2)
        for _ in range(2):
            async with viewers.get(old) as response:
                assert response.status == 200
        fake.trim(1)
        assert edges.stats.owed_now == 0, "each window moves on"
        # An answer that is on its way when the edge is told is kept by it all the same.
        served.leaving.clear()
        on_its_way = asyncio.create_task(viewers.get(late))
        await until(lambda: len(asked(served)) == 2)
        fake.trim(6, withdrawn=True)
        await until(lambda: edges.stats.told_total == 3)
        served.leaving.set()
        async with await on_its_way as response:
            assert response.status == 200
        await gone_within(WITHDRAWN_S, viewers, late, 404)
        await gone_within(WITHDRAWN_S, viewers, old, 404)
        async with viewers.get(served.media(fake, "v720/7.m4s")) as response:
            assert response.status == 200
        assert (await asyncio.to_thread(check.edge, edge.cache, SECRET)).level == "ok"
        with monkeypatch.context() as later:
            now = time.time
            later.setattr("streamer.cli.check.time.time", lambda: now() + 30)
            apart = await asyncio.to_thread(check.edge, edge.cache, SECRET)
            assert re.search(r"its clock and this one are (29|3[0-2]) s apart$", apart.text)
        assert "another secret" in (await asyncio.to_thread(check.edge, edge.cache, f"{SECRET}x")).text
        assert "not reached" in (await asyncio.to_thread(check.edge, f"http://127.0.0.1:{free_port()}", SECRET)).text
        for secret in (None, "Bearer ", f"Bearer {SECRET}x"):
            headers = {SCOPE_HEADER: "all"} | ({"Authorization": secret} if secret else {})
            async with viewers.post(PATH, headers=headers) as response:
                assert response.status == 403
    finally:
        await wait_cancelled(telling)


async def test_an_edge_that_does_not_reach_its_origin_serves_no_media(served: Served, viewers: ClientSession) -> None:
    fake = served.broadcast(id="alone").open()
    fake.segments(3)
    kept = served.media(fake, "v720/1.m4s")
    async with viewers.get(kept) as response:
        assert response.status == 200
    served.alive.clear()
    await gone_within(ALONE_S, viewers, kept, 503)
    async with viewers.get(kept) as response:
        assert (await response.json())["error"]["code"] == "origin_unreachable"
        assert response.headers["Cache-Control"] == "no-store"
    served.alive.set()
    await gone_within(ALONE_S, viewers, kept, 200)
    assert asked(served) == [kept], "it is still kept"
