"""aiohttp's server with our deadlines and bounds, over real sockets: who keeps us waiting is cut, others go on."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvloop
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from streamer.api.addresses import HOLDER
from streamer.api.middlewares import error_response
from streamer.descriptors import DescriptorBudget
from streamer.settings import ServerSettings, Settings
from streamer.store.directors import DirectorHolder
from streamer.web import http_server
from streamer.web.connections import ConnectionKind, Connections, ConnectionStats
from streamer.web.http_server import ARRIVING_LOOK_S, ARRIVING_S, Connection, HttpServer
from streamer.web.process import _take
from tests.fakes.certificates import write_certificate
from tests.fakes.slow_reader import SlowReader
from tests.fakes.waiting import LIMIT_S, in_time, until

CREW = {"Authorization": "Bearer crew"}


@dataclass
class Served:
    server: HttpServer
    runner: web.AppRunner
    stats: ConnectionStats
    url: str
    port: int
    local: bytes
    """The address of its Unix socket."""

    def open(self, at: str = "127.0.0.1") -> SlowReader:
        return SlowReader(self.url, at=at)

    async def end(self) -> None:
        await self.server.close()
        await self.runner.cleanup()


async def proof(request: web.BaseRequest) -> bool:
    return request.headers.get("Authorization") == CREW["Authorization"]


async def hello(request: web.Request) -> web.Response:
    if await proof(request):
        request[HOLDER] = True
    return web.Response(text="hello")


async def held(_request: web.Request) -> web.Response:
    await asyncio.sleep(60)
    return web.Response(text="late")


async def large(_request: web.Request) -> web.Response:
    return web.Response(body=bytes(8_000_000))


async def body(request: web.Request) -> web.Response:
    return web.Response(text=str(len(await request.read())))


async def talk(request: web.Request) -> web.WebSocketResponse:
    response = web.WebSocketResponse()
    await response.prepare(request)
    async for message in response:
        await response.send_str(message.data)
    return response


@asynccontextmanager
async def serving(
    places: int = 200, crew: int = 4, context: ssl.SSLContext | None = None, **settings: Any
) -> AsyncIterator[Served]:
    app = web.Application(client_max_size=20_000_000)
    app.add_routes([web.get("/", hello), web.get("/held", held), web.get("/large", large), web.post("/body", body)])
    app.router.add_get("/talk", talk)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    stats = ConnectionStats()
    made = ServerSettings(**{"headers_s": 1, "body_s": 1, "idle_s": 1, "slow_reader_s": 2, **settings})
    connections = Connections(DescriptorBudget(places, crew), stats)
    server = HttpServer(
        runner, made, connections, is_proxy=lambda peer: peer == "127.0.0.9", proof=proof, refuse=error_response
    )
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    local = socket.socket(socket.AF_UNIX)
    local.bind("")  # unix(7): the system finds a name
    server.start([sock, local], context, backlog=128)
    port = sock.getsockname()[1]
    url = f"http{'s' if context else ''}://127.0.0.1:{port}"
    served = Served(server, runner, stats, url, port, local.getsockname())
    try:
        yield served
    finally:
        await served.end()
        sock.close()
        local.close()


Test = Callable[[], Coroutine[Any, Any, None]]
Run = Callable[[Test], None]


@pytest.fixture
def run() -> Run:
    """Runs a test on uvloop, which is what serves."""

    def on_loop(test: Test) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test())

    return on_loop


async def get(served: Served, path: str = "/", **headers: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, ssl=False)) as session,
        session.get(served.url + path, headers=headers) as response,
    ):
        return response.status, await response.text()


def test_connections_that_give_way_before_they_are_opened_are_closed(run: Run) -> None:
    """A household's burst, each of which takes the place of the one before in the same turn of the loop."""

    async def test() -> None:
        async with serving(places=2, headers_s=60) as served:
            # A connection that is left to the collector would keep its descriptor until then.
            gc.disable()
            clients = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(8)]
            try:
                for client in clients:
                    client.setblocking(False)
                await until(lambda: served.stats.opened_total == 8)
                await until(lambda: sum(map(has_ended, clients)) == 7)
                assert served.stats.open == 1
            finally:
                gc.enable()
                for client in clients:
                    client.close()

    run(test)


def has_ended(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_while_another_server_directs_nobody_keeps_this_one_waiting(run: Run, tmp_path: Path) -> None:
    """Half a request, with a second web process that waits for its turn; its socket stays for what comes after."""

    class Waits:
        async def take(self, waiting: Callable[[DirectorHolder], None]) -> None:
            waiting(DirectorHolder(1, "a", 5, host="studio"))
            await asyncio.sleep(60)

    async def test() -> None:
        settings = Settings(data=tmp_path, server={"headers_s": 1})
        leaving = asyncio.Event()
        with socket.socket() as sock:
            sock.bind(("127.0.0.1", 0))
            directorship: Any = Waits()
            taking = asyncio.create_task(_take(directorship, settings, [sock], leaving))
            port = sock.getsockname()[1]
            await until(lambda: sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1)
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: a\r\n")
            async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/readyz") as response:
                assert response.status == 503
                assert "studio" in await response.text()
            with contextlib.suppress(ConnectionError):
                async with asyncio.timeout(10):
                    assert await reader.read() == b""
            writer.close()
            leaving.set()
            assert not await taking
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1

    run(test)


def test_who_sends_half_of_anything_or_nothing_is_cut_in_time(run: Run) -> None:
    async def test() -> None:
        async with serving() as served:
            began = time.monotonic()
            silent, half, body, idle = (served.open() for _ in range(4))
            await silent.connect()
            await half.connect()
            await half.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
            await body.connect()
            await body.send(b"POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc")
            await idle.ask("/")
            assert await idle.first_line() == "HTTP/1.1 200 OK"
            kinds = {"silent": silent, "half": half, "body": body, "idle": idle}
            while not all(each.cut for each in kinds.values()):
                # A header by drops is no progress, nor is a body.
                for each, drop in ((half, b"X-A: b\r\n"), (body, b"x")):
                    with contextlib.suppress(OSError):
                        await each.send(drop)
                assert (await get(served))[0] == 200
                assert time.monotonic() - began < 12, [name for name, each in kinds.items() if not each.cut]
                await asyncio.sleep(0.1)
            stats = served.stats
            assert (stats.cut_headers_total, stats.cut_body_total, stats.cut_idle_total) == (2, 1, 1)
            await until(lambda: stats.open == 0)
            for each in kinds.values():
                each.close()

    run(test)


def test_a_reader_that_does_not_read_is_cut_and_one_that_is_slow_but_reads_or_is_a_front_process_is_not(
    run: Run,
) -> None:
    async def test() -> None:
        async with serving(slow_reader_bytes_per_s=20_000, idle_s=60) as served:
            deaf, slow = served.open(), served.open()
            for each in (deaf, slow):
                await each.ask("/large")
            loop = asyncio.get_running_loop()
            front = socket.socket(socket.AF_UNIX)
            front.setblocking(False)
            await loop.sock_connect(front, served.local)
            await loop.sock_sendall(front, b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            began, got = time.monotonic(), 0
            while not deaf.cut or time.monotonic() - began < 6:
                got += len(await loop.sock_recv(slow.sock, 4096))
                await asyncio.sleep(0.02)
                assert time.monotonic() - began < 15
            assert served.stats.cut_slow_total == 1
            assert got > 100_000
            assert not slow.cut
            passed = 0
            while passed < 8_000_000:
                passed += len(chunk := await loop.sock_recv(front, 1_000_000))
                assert chunk, "its client may be slow, and the front process judges that"
            front.close()
            deaf.close()
            slow.close()

    run(test)


def test_what_waits_for_all_together_is_bounded(run: Run) -> None:
    async def test() -> None:
        async with serving(max_unsent_bytes=40_000_000, slow_reader_s=60) as served:
            deaf = [served.open() for _ in range(20)]
            for each in deaf:
                await each.ask("/large")
            await until(lambda: served.stats.cut_unsent_total >= 10)
            assert sum(each.unsent_bytes for each in served.server._open) <= 50_000_000
            assert (await get(served))[0] == 200
            for each in deaf:
                each.close()

    run(test)


def test_a_household_displaces_its_own_and_the_crew_comes_in_past_all_that_is_taken(run: Run) -> None:
    async def test() -> None:
        async with serving(places=20, crew=4, headers_s=30, idle_s=30) as served:
            crowd = [served.open() for _ in range(30)]
            for each in crowd:
                await each.connect()
            await until(lambda: sum(each.cut for each in crowd) == 20)
            assert (await get(served))[0] == 200, "its own longest idle one goes"
            # Running answers are not cut: the household is full, other households are not.
            busy = [served.open() for _ in range(12)]
            for each in busy:
                await each.ask("/held")
            await until(lambda: not served.server.connections._pools[ConnectionKind.ANYBODY].idle)
            status, text = await get(served)
            assert (status, "full" in text) == (503, True)
            assert await get(served, **CREW) == (200, "hello")
            other = served.open("127.0.0.2")
            await other.ask("/")
            assert await other.first_line() == "HTTP/1.1 200 OK"
            for each in (*crowd, *busy, other):
                each.close()
            await until(lambda: served.stats.open == 0)
            assert served.stats.crew == 0

    run(test)


def test_a_silent_websocket_gives_way_and_one_that_speaks_stays(run: Run) -> None:
    upgrade = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: " + "A" * 22 + "==",
    )

    async def test() -> None:
        async with (
            serving(places=8, crew=4, headers_s=30, idle_s=30) as served,
            aiohttp.ClientSession() as session,
            session.ws_connect(served.url + "/talk") as speaking,
        ):
            await speaking.send_str("hello")
            assert await speaking.receive_str() == "hello"
            silent = [served.open() for _ in range(12)]
            for each in silent:
                await each.ask("/talk", upgrade)
            await until(lambda: sum(each.cut for each in silent) == 9)
            await speaking.send_str("still here")
            assert await speaking.receive_str() == "still here"
            for each in silent:
                each.close()

    run(test)


def test_a_trusted_proxys_connections_are_neither_counted_by_household_nor_cut_for_being_idle(run: Run) -> None:
    async def test() -> None:
        async with serving(places=8, crew=4) as served:
            proxied = [served.open("127.0.0.9") for _ in range(6)]
            for each in proxied:
                await each.ask("/")
                assert await each.first_line() == "HTTP/1.1 200 OK"
            direct = served.open()
            await direct.connect()
            await until(lambda: direct.cut)
            assert not any(each.cut for each in proxied)
            for each in (*proxied, direct):
                each.close()

    run(test)


def test_a_handshake_that_never_comes_is_given_up(run: Run, tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def test() -> None:
        async with serving(context=context) as served:
            silent = served.open()
            await silent.connect()
            assert (await get(served))[0] == 200
            await until(lambda: silent.cut)
            await until(lambda: served.stats.open == 0)
            assert served.stats.handshakes_failed_total == 1
            silent.close()

    run(test)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
def test_who_came_just_before_the_end_is_answered(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: bool
) -> None:
    # However long this machine takes from the connection to its first request.
    monkeypatch.setattr(http_server, "ARRIVING_S", LIMIT_S)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    write_certificate(certificate, key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=str(certificate))

    async def test() -> None:
        async with serving(context=context if tls else None, headers_s=60) as served:
            late = socket.create_connection(("127.0.0.1", served.port))
            late.setblocking(False)
            await until(lambda: served.stats.open == 1)
            ending = asyncio.create_task(served.end())
            await until(lambda: not served.server._listening)
            options: dict[str, Any] = {"ssl": trusting, "server_hostname": "localhost"} if tls else {}
            reader, writer = await asyncio.open_connection(sock=late, **options)
            writer.write(b"GET / HTTP/1.1\r\nHost: streamer.test\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            await ending
            writer.close()

    run(test)


def test_who_came_and_says_nothing_keeps_the_end_waiting_for_a_moment(run: Run) -> None:
    async def test() -> None:
        async with serving(headers_s=60) as served:
            silent = served.open()
            await silent.connect()
            await until(lambda: served.stats.open == 1)
            with in_time(ARRIVING_S + 0.5):
                await served.server.close()
            with in_time(ARRIVING_LOOK_S):
                await served.server.close()
            silent.close()

    run(test)


async def test_what_aiohttp_keeps_to_itself_is_still_as_we_use_it() -> None:
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    server = runner.server
    assert server is not None
    # Options for its own connections, which ours are made with.
    assert server._kwargs["access_log"] is None
    assert server.request_handler == app._handle
    # Calls that we put something before.
    for name in ("connection_made", "connection_lost", "data_received", "pause_writing"):
        assert getattr(Connection, name) is not getattr(RequestHandler, name)
    # The source of a connection's handler; bytes without an upgrade go to the parser at once.
    connection = server()
    assert connection._request_handler == server.request_handler
    assert connection._lingering_time == 10
    await runner.cleanup()


def test_the_kernel_tells_how_much_a_client_has_taken(run: Run) -> None:
    async def test() -> None:
        async with (
            serving() as served,
            aiohttp.ClientSession() as session,
            session.get(served.url + "/large") as response,
        ):
            assert len(await response.read()) == 8_000_000
            [connection] = served.server._open
            await until(lambda: connection._taken() >= 8_000_000)
            assert connection._taken() < 8_001_000

    run(test)
