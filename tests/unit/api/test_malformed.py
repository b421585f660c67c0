"""Requests that are broken below HTTP or in their bytes: our error shape, and never a 5xx."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable

import pytest

from streamer.settings import Settings
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import ADMIN, Api, Client

ROOM = b"POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer " + ADMIN.encode()
OFFER = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    b"a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=sendonly\r\n"
)


async def _answer(client: Client, request: bytes) -> tuple[int, str]:
    """Status and error code of the answer to these bytes; the code is empty where there is no error."""
    assert client.port is not None
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(client.host, client.port)
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = re.search(r"content-length: ([0-9]+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        writer.close()
        await writer.wait_closed()
    status = int(head.split(" ", 2)[1])
    if status < 400:
        return status, ""
    assert "content-type: application/json" in head
    error = json.loads(body)["error"]
    assert error["message"]
    return status, error["code"]


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nno header\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /api/v1/rooms HTTP/1.1\r\nHost: a\r\nContent-Length: ten\r\n\r\n",
    ],
    ids=["a TLS hello", "a bad header", "an endless address", "a bad length"],
)
async def test_what_is_no_http_is_refused_in_our_shape(client: Client, request_bytes: bytes) -> None:
    assert await _answer(client, request_bytes) == (400, "bad_request")


async def test_a_token_of_wild_bytes_is_no_token(client: Client) -> None:
    request = b"GET /api/v1/rooms HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer \xff\xfe\r\n\r\n"
    assert await _answer(client, request) == (401, "invalid_token")


async def test_a_body_that_belies_its_encoding_is_the_clients_error(client: Client) -> None:
    head = ROOM + b"\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n"
    assert await _answer(client, head + b"abc") == (400, "bad_body")


@pytest.mark.parametrize(
    "head",
    [
        ROOM + b"\r\nContent-Type: application/json",
        ROOM.replace(b"/api/v1/rooms", b"/whip/a") + b"\r\nContent-Type: application/sdp",
    ],
    ids=["REST", "WHIP"],
)
async def test_a_body_that_never_ends_is_given_up(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, head: bytes
) -> None:
    server = settings.server.model_copy(update={"body_s": 0.2})
    client = await serve(settings.model_copy(update={"server": server}))
    await Api(client)("POST", "/rooms", {"id": "a", "name": "A"})
    assert await _answer(client, head + b"\r\nContent-Length: 1000\r\n\r\nv=0") == (408, "timeout")


async def test_a_client_with_an_unreadable_name_publishes(client: Client, api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    head = ROOM.replace(b"/api/v1/rooms", b"/whip/a") + b"\r\nUser-Agent: Cam\xe9ra\r\nContent-Type: application/sdp"
    status, _ = await _answer(client, head + b"\r\nContent-Length: %d\r\n\r\n" % len(OFFER) + OFFER)
    assert status == 201
    assert plane.rooms["a"].offers[0].client == "Cam?ra"
