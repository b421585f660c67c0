"""A front process before the core: what it answers by itself, what it passes on, and whose word is taken."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from streamer.api.addresses import Proxies
from streamer.control import run_folder
from streamer.delivery.stats import DeliveryStats
from streamer.realtime.stats import Stats
from streamer.settings import Settings, load_settings
from streamer.web import core
from streamer.web.application import REALTIME
from streamer.web.connections import ConnectionStats
from streamer.web.core import Core
from streamer.web.front import front_application, own_part
from streamer.web.fronts import FRESH_S, FrontReport, Fronts
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.everything_open import Venue, venue
from tests.fakes.media_plane import FakePlane, on_air
from tests.fakes.waiting import until

MEGABYTE = 1_000_000


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(None, data=tmp_path / "data", admin_token="a" * 40, server={"web_processes": 1})


@pytest.fixture
async def hall(settings: Settings) -> AsyncIterator[Venue]:
    async with venue(settings) as made:
        yield made


@asynccontextmanager
async def front(settings: Settings, plane: FakePlane, app: web.Application | None = None) -> AsyncIterator[Any]:
    """A client of a front process; ``app`` is the core, None: it is away."""
    runner = None
    run_folder.make_run_dir(settings.run_dir)
    if app is not None:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, run_folder.listen(settings.run_dir, run_folder.CORE_SOCKET)).start()
    server = TestServer(front_application(settings, plane, Core(settings.run_dir)))
    await server.start_server(auto_decompress=False)
    try:
        async with TestClient(server, auto_decompress=False) as client:
            yield client
    finally:
        if runner is not None:
            await runner.cleanup()


# --- the whole web plane behind it ----------------------------------------------------------------------


async def test_what_a_grant_opened_through_a_front_process_ends_within_a_second(hall: Venue) -> None:
    grant, token = await hall.grant("technician", room="hall")
    mine = await hall.everything(token, source="main")
    theirs = await hall.everything((await hall.grant("technician", room="hall"))[1], source="second")
    realtime = hall.app[REALTIME]
    assert (realtime.stats.sessions, len(list(realtime.hub.clients()))) == (0, 4), "sockets end in the front process"
    await hall.api("DELETE", f"/grants/{grant}")
    await mine.all_over()
    await theirs.all_open()
    hall.live.segment()
    assert await theirs.answered() == [200, 200, 200]


async def test_nobody_outside_speaks_for_a_front_process_or_learns_what_they_tell_each_other(hall: Venue) -> None:
    forged = {"Streamer-Client": "203.0.113.9", "Streamer-Scheme": "https"}
    async with hall.http.put("/~front", data=b"{}", headers=forged) as r:
        assert r.status == 404
    # A forged scheme is not believed, and wrong tokens are counted where they come from.
    for address in range(40):
        headers = {**forged, "Streamer-Client": f"203.0.113.{address}", "Authorization": "Bearer wrong"}
        async with hall.http.get("/api/v1/me", headers=headers) as r:
            status = r.status
            assert "Strict-Transport-Security" not in r.headers
    assert status == 429
    async with hall.http.get("/api/v1/me", headers=hall.admin) as r:
        assert r.status == 200
        assert not [name for name in r.headers if name.lower().startswith("streamer-")]


async def test_the_core_tells_a_front_process_who_is_of_the_crew(hall: Venue, settings: Settings) -> None:
    way = Core(settings.run_dir)
    await way.start()

    async def asks(request: web.Request) -> web.Response:
        return web.json_response(await way.is_crew(request))

    app = web.Application()
    app.router.add_get("/", asks)
    viewer = (await hall.grant("viewer", room="hall"))[1]
    async with TestClient(TestServer(app)) as client:
        for headers, crew in ((hall.admin, True), (viewer, False), ({}, False), ({"Authorization": "Bearer x"}, False)):
            async with client.get("/", headers=headers) as r:
                assert await r.json() is crew
    await way.close()


# --- beside others --------------------------------------------------------------------------------------


async def test_a_households_limits_hold_for_all_front_processes_together(tmp_path: Path) -> None:
    limits = {"web_processes": 2, "max_connections": 101, "max_connections_per_household": 7}
    whole = load_settings(None, data=tmp_path / "data", server=limits, hls={"max_held_per_address": 6})
    part = own_part(whole)
    assert (part.server.max_connections, part.server.max_connections_per_household) == (51, 4)
    assert part.hls.max_held_total * 2 == whole.hls.max_held_total
    link = on_air()
    live = FakeBroadcast(link.feed, room_dir=whole.room_dir("salle")).open()
    live.segments(2)
    wanted = f"/live/salle/{live.id}/v720.m3u8?_HLS_msn={live.msn}&_HLS_part=0"
    async with front(part, FakePlane(link)) as one, front(part, FakePlane(link)) as other:
        held = [asyncio.create_task(client.get(wanted)) for client in (one, other) for _ in range(4)]
        refused = {await next(asyncio.as_completed(held[:4])), await next(asyncio.as_completed(held[4:]))}
        assert [answer.status for answer in refused] == [429, 429]
        assert sum(not one.done() for one in held) == 6
        live.segment()
        assert sorted(answer.status for answer in await asyncio.gather(*held)) == [200] * 6 + [429] * 2


async def test_no_limit_stays_none_in_each_front_process(settings: Settings) -> None:
    assert own_part(settings).server.max_connections_per_household == 0


# --- without it -----------------------------------------------------------------------------------------


async def test_while_the_core_is_away_what_is_public_goes_on_and_the_rest_is_refused(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "WAIT_S", 0.1)
    link = on_air()
    async with front(settings, FakePlane(link)) as client:
        live = FakeBroadcast(link.feed, room_dir=settings.room_dir("salle")).open()
        live.segments(2)
        held = asyncio.create_task(client.get(f"/live/salle/{live.id}/v720.m3u8?_HLS_msn={live.msn}&_HLS_part=0"))
        for path, status in (
            ("/live/salle/index.m3u8", 200),
            (f"/live/salle/{live.id}/v720.m3u8", 200),
            (f"/live/salle/{live.id}/{live.interval.key}/v720/1.m4s", 200),
            ("/live/elsewhere/index.m3u8", 404),
            ("/livez", 200),
            ("/live/salle/~key/index.m3u8", 503),
            (f"/live/salle/~key/{live.id}/v720.m3u8", 503),
            ("/replay/talk/index.m3u8", 503),
            ("/api/v1/rooms", 503),
            ("/", 503),
        ):
            async with client.get(path) as r:
                assert (path, r.status) == (path, status)
                if status == 503:
                    assert (await r.json())["error"]["code"] == "core_unavailable"
        person = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "fr"}
        async with client.get("/watch/salle", headers=person) as r:
            page = await r.text()
            assert (r.status, r.content_type) == (503, "text/html")
            assert "Le serveur redémarre" in page
            assert 'http-equiv="refresh"' in page, "the page comes by itself once there is one"
        assert not held.done()
        live.segment()
        assert (await held).status == 200


async def test_a_command_that_may_have_reached_the_core_is_not_sent_twice_and_a_question_is(
    settings: Settings,
) -> None:
    asked: list[str] = []

    async def dies_once(request: web.Request) -> web.Response:
        asked.append(request.method)
        if asked.count(request.method) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="answered")

    app = web.Application()
    app.router.add_route("*", "/x", dies_once)
    async with front(settings, FakePlane(on_air()), app) as client:
        async with client.get("/x") as r:
            assert (r.status, await r.text()) == (200, "answered")
        for method in ("POST", "PUT", "DELETE"):
            async with client.request(method, "/x") as r:
                assert r.status == 503
                assert (await r.json())["error"]["code"] == "core_lost"
    assert asked == ["GET", "GET", "POST", "PUT", "DELETE"]


async def test_a_tap_with_a_key_is_sent_again_to_the_core_that_comes_and_nothing_else_is(settings: Settings) -> None:
    asked: list[tuple[str, str, str]] = []

    async def dies_once(request: web.Request) -> web.Response:
        asked.append((request.path, request.headers["Idempotency-Key"], await request.text()))
        if len([one for one in asked if one[0] == request.path]) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"action": "a"})

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", dies_once)
    key = {"Idempotency-Key": '"k1"', "Content-Type": "application/json"}
    start, hold, grants = "/api/v1/sessions/s/start", "/api/v1/venues/v/hold", "/api/v1/grants"
    large = "x" * (core.MOST_KEPT + 1)
    async with front(settings, FakePlane(on_air()), app) as client:
        for path, body in ((start, '{"at": 1}'), (hold, "")):
            async with client.post(path, data=body, headers=key) as r:
                assert (r.status, await r.json()) == (200, {"action": "a"})
        for path, body in ((grants, "{}"), ("/api/v1/rooms/r/forget", large)):
            async with client.post(path, data=body, headers=key) as r:
                assert (r.status, (await r.json())["error"]["code"]) == (503, "core_lost")
    assert asked[:4] == [(start, '"k1"', '{"at": 1}')] * 2 + [(hold, '"k1"', "")] * 2
    assert len(asked) == 6


# --- requests as they come ------------------------------------------------------------------------------


async def test_bodies_and_headers_pass_as_they_are_and_connections_headers_do_not(settings: Settings) -> None:
    proxies = Proxies((), fronts=True)
    seen: list[tuple[str, web.Request, bytes]] = []

    async def echo(request: web.Request) -> web.StreamResponse:
        body = await request.content.read()
        seen.append((proxies.client_address(request), request, body))
        answer = web.Response(body=body, headers={"X-Answer": "1", "Streamer-Holder": "1"})
        answer.set_cookie("a", "1")
        answer.set_cookie("b", "2")
        return answer

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", echo)
    packed = gzip.compress(b"a schedule" * 1000)
    large = bytes(range(256)) * 3000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 70_000):
            yield large[start : start + 70_000]

    async with front(settings, FakePlane(on_air()), app) as client:
        for body, headers in ((packed, {"Content-Encoding": "gzip"}), (large, {}), (chunks(), {}), (None, {})):
            sent = {**headers, "TE": "trailers", "Keep-Alive": "5", "X-Mine": "é", "X-Forwarded-For": "192.0.2.7"}
            async with client.post("/a%2Fb/~c?q=%20&q=2", data=body, headers=sent) as r:
                echoed = await r.read()
                assert r.status == 200
                assert r.headers["X-Answer"] == "1"
                assert r.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
                assert "Streamer-Holder" not in r.headers
            address, request, came = seen[-1]
            assert address == "127.0.0.1"
            assert request.raw_path == "/a%2Fb/~c?q=%20&q=2"
            assert request.headers["X-Mine"] == "é"
            assert request.headers["X-Forwarded-For"] == "192.0.2.7"
            assert request.headers["Host"] == f"127.0.0.1:{client.port}"
            assert not {"TE", "Keep-Alive"} & set(request.headers)
            assert echoed == came
            if isinstance(body, bytes):
                assert came == (b"a schedule" * 1000 if headers else body)
        async with client.head("/x") as r:
            assert r.status == 200
    assert seen[2][2] == large


async def test_a_websockets_bytes_go_both_ways_and_a_side_that_does_not_read_stops_the_other(
    settings: Settings,
) -> None:
    sent = 0

    async def talk(request: web.Request) -> web.WebSocketResponse:
        nonlocal sent
        socket = web.WebSocketResponse(compress=False, max_msg_size=0)
        await socket.prepare(request)
        await socket.send_str(f"hello {await socket.receive_str()}")
        for _ in range(40):
            await socket.send_bytes(bytes(MEGABYTE))
            sent += 1
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/socket.io/", talk)
    async with front(settings, FakePlane(on_air()), app) as client:
        socket = await client.ws_connect("/socket.io/", max_msg_size=0)
        await socket.send_str("you")
        assert await socket.receive_str() == "hello you"
        await until(lambda: sent > 0)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 20, "all was taken in for a client that does not read"
        sizes = [len(message.data) async for message in socket]
        assert sizes == [MEGABYTE] * 40
        async with client.get("/socket.io/") as r:
            assert r.status == 400


async def test_who_hangs_up_waits_for_nothing_in_the_core(settings: Settings) -> None:
    began, gone = asyncio.Event(), asyncio.Event()

    async def hold(request: web.Request) -> web.Response:
        began.set()
        while request.transport is not None and not request.transport.is_closing():
            await asyncio.sleep(0.01)
        gone.set()
        return web.Response()

    app = web.Application()
    app.router.add_get("/held", hold)
    async with front(settings, FakePlane(on_air()), app) as client:
        asking = asyncio.create_task(client.get("/held"))
        await began.wait()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await until(gone.is_set)


async def test_a_socket_that_the_core_refuses_is_refused_with_its_words(settings: Settings) -> None:
    async with front(settings, FakePlane(on_air()), web.Application()) as client:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await client.ws_connect("/socket.io/")
        assert refused.value.status == 404


# --- what they tell of themselves -----------------------------------------------------------------------


def report(number: int, pid: int, viewers: int, *, held: int = 0, parts: int = 0) -> FrontReport:
    delivery = DeliveryStats(held_now=held, parts_total=parts)
    realtime = Stats(sessions=held, deliveries_total=parts)
    return FrontReport(number, pid, {"hall": viewers}, delivery, ConnectionStats(open=held), realtime)


def test_figures_of_front_processes_add_up_and_never_go_back() -> None:
    now = [100.0]
    fronts = Fronts(clock=lambda: now[0])
    fronts.hear(report(1, 11, 3, held=2, parts=1000))
    fronts.hear(report(2, 12, 4, held=5, parts=500))
    assert fronts.viewers("hall", "public") == 7
    assert fronts.viewers("hall", "session-x") == fronts.viewers("elsewhere", "public") == 0
    assert (fronts.delivery.held_now, fronts.delivery.parts_total) == (7, 0), "counters begin with this process"
    fronts.hear(report(1, 11, 3, held=1, parts=1010))
    assert (fronts.delivery.held_now, fronts.delivery.parts_total) == (6, 10)
    # Another in its place begins with nothing.
    fronts.hear(report(1, 13, 1, held=3, parts=5))
    assert (fronts.delivery.held_now, fronts.delivery.parts_total, fronts.connections.open) == (8, 15, 8)
    assert (fronts.realtime.sessions, fronts.realtime.deliveries_total) == (8, 15)
    # After an upgrade a front process of before speaks to a core of today.
    fronts.hear(
        msgspec.json.decode(b'{"number":3,"pid":1,"viewers":{},"delivery":{"x":1},"connections":{}}', type=FrontReport)
    )
    now[0] += FRESH_S / 2
    fronts.hear(report(2, 12, 2, held=5, parts=500))
    now[0] += FRESH_S / 2 + 1
    assert fronts.viewers("hall", "public") == 2
