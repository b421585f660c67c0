"""Schedules from addresses: what is fetched, what is refused, and that nobody gets into the network that way."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import ValidationError

from streamer.outgoing import may_reach
from streamer.planning.fetch import Fetched, NotFetched, fetch
from streamer.settings import ScheduleSettings

LOCAL = ScheduleSettings(allow_networks=("127.0.0.1",), fetch_timeout_s=5)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    try:
        yield server
    finally:
        await server.close()


async def local(_host: str, _port: int) -> list[str]:
    return ["127.0.0.1"]


async def code_of(fetching: Awaitable[Fetched]) -> str:
    with pytest.raises(NotFetched) as caught:
        await fetching
    assert caught.value.status == 422
    return caught.value.code


async def test_a_schedule_is_fetched_and_the_next_time_only_asked_after() -> None:
    seen: list[tuple[str | None, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.headers.get("If-None-Match"), request.headers.get("If-Modified-Since")))
        if request.headers.get("If-None-Match") == '"a"':
            return web.Response(status=304, headers={"ETag": '"a"'})
        return web.Response(body=b"x", headers={"ETag": '"a"', "Last-Modified": "Mon, 04 May 2026 08:00:00 GMT"})

    async with serving(handler) as server:
        url = str(server.make_url("/s.xml"))
        first = await fetch(url, LOCAL)
        assert first == Fetched(200, b"x", '"a"', "Mon, 04 May 2026 08:00:00 GMT", url)
        second = await fetch(url, LOCAL, etag=first.etag, last_modified=first.last_modified)
    assert (second.status, second.body) == (304, b"")
    assert seen == [(None, None), ('"a"', "Mon, 04 May 2026 08:00:00 GMT")]


async def test_the_connection_is_made_to_what_was_checked_under_the_name_that_was_asked_for() -> None:
    hosts: list[str] = []
    asked: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        hosts.append(request.host)
        return web.Response(body=b"x")

    async def resolve(host: str, _port: int) -> list[str]:
        # A name server that says something else the second time gets no second question.
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    async with serving(handler) as server:
        await fetch(f"http://Schedule.Example:{server.port}/a", LOCAL, resolve=resolve)
        assert hosts == [f"schedule.example:{server.port}"]
    assert len(asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a.org/x", "file:///etc/passwd", "//a.org", "http://", "http://u:p@a.org/", "http://a.org:99999/",
        "gopher://x", "http://a b/",
    ],
)  # fmt: skip
async def test_only_plain_web_addresses_are_fetched(url: str) -> None:
    assert await code_of(fetch(url, LOCAL)) == "bad_address"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.2", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "240.0.0.1", "[::1]", "[::]", "[fe80::1]", "[fc00::1]", "[ff02::1]", "[::ffff:10.0.0.1]",
        "[64:ff9b::10.0.0.1]", "[2002:0a00:0001::1]", "[::10.0.0.1]", "198.18.0.1", "192.0.2.1", "[2001:db8::1]",
    ],
)  # fmt: skip
async def test_private_and_odd_addresses_are_refused(host: str) -> None:
    assert await code_of(fetch(f"http://{host}/", LOCAL)) == "address_refused"

    async def resolve(_host: str, _port: int) -> list[str]:
        return [host.strip("[]")]

    assert await code_of(fetch("http://innocent.example/", LOCAL, resolve=resolve)) == "address_refused"


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "017700000001", "127.1", "localhost"])
async def test_other_spellings_of_the_own_machine_are_refused(host: str) -> None:
    strict = ScheduleSettings()
    assert await code_of(fetch(f"http://{host}:1/", strict)) in ("address_refused", "unreachable")


def test_public_addresses_and_allowed_networks_are_reached() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8")]
    for text in ("1.1.1.1", "2606:4700::1111", "10.1.2.3", "::ffff:10.1.2.3", "fd00::5"):
        assert may_reach(ipaddress.ip_address(text), allowed), text
    for text in ("10.2.0.1", "fe80::1", "::ffff:127.0.0.1"):
        assert not may_reach(ipaddress.ip_address(text), allowed), text


async def test_each_redirect_is_checked_anew_and_five_are_followed() -> None:
    async def handler(request: web.Request) -> web.Response:
        match request.path.split("/"):
            case [_, "inside"]:
                raise web.HTTPFound("http://10.0.0.1/secret")
            case [_, "scheme"]:
                raise web.HTTPFound("file:///etc/passwd")
            case [_, "to", number] if int(number):
                raise web.HTTPFound(f"/to/{int(number) - 1}")
        return web.Response(body=b"there")

    async with serving(handler) as server:
        assert await code_of(fetch(str(server.make_url("/inside")), LOCAL)) == "address_refused"
        assert await code_of(fetch(str(server.make_url("/scheme")), LOCAL)) == "bad_address"
        arrived = await fetch(str(server.make_url("/to/5")), LOCAL)
        assert (arrived.body, arrived.url) == (b"there", str(server.make_url("/to/0")))
        assert await code_of(fetch(str(server.make_url("/to/6")), LOCAL)) == "refused_by_server"


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
async def test_a_bomb_is_stopped_at_the_limit_and_packed_answers_are_unpacked(encoding: str) -> None:
    pack = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding]

    async def handler(request: web.Request) -> web.Response:
        size = 100_000 if request.path == "/fits" else 3_000_000
        return web.Response(body=pack(b"a" * size), headers={"Content-Encoding": encoding})

    small = LOCAL.model_copy(update={"max_bytes": 100_000})
    async with serving(handler) as server:
        assert (await fetch(str(server.make_url("/fits")), small)).body == b"a" * 100_000
        assert await code_of(fetch(str(server.make_url("/bomb")), small)) == "too_large"


async def test_an_answer_that_never_ends_costs_the_time_that_is_set() -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"a")
            await asyncio.sleep(0.05)
        return response

    quick = LOCAL.model_copy(update={"fetch_timeout_s": 0.3})
    async with serving(handler) as server:
        async with asyncio.timeout(15):
            assert await code_of(fetch(str(server.make_url("/")), quick)) == "too_slow"


async def test_errors_of_the_server_and_hosts_that_are_not_there_are_told() -> None:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=404)

    async def nobody(_host: str, _port: int) -> list[str]:
        raise OSError("no such name")

    async with serving(handler) as server:
        assert await code_of(fetch(str(server.make_url("/")), LOCAL)) == "refused_by_server"
        port = server.port
    assert await code_of(fetch(f"http://127.0.0.1:{port}/", LOCAL)) == "unreachable"
    assert await code_of(fetch("http://nowhere.example/", LOCAL, resolve=nobody)) == "unreachable"


def test_allowed_networks_are_networks() -> None:
    with pytest.raises(ValidationError):
        ScheduleSettings(allow_networks=("intranet",))
