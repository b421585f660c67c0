"""Clients that are kept out, and clients that are put out."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from streamer.errors import TooMany
from streamer.realtime.engine import MOST_UNSENT_BYTES
from streamer.realtime.limits import ConnectionPlaces
from streamer.realtime.packets import ACK, pack
from streamer.realtime.service import origins_of
from tests.fakes.attendees import RawClient
from tests.fakes.talking import PUBLIC_URL, Visitor, served
from tests.fakes.waiting import in_time, until

POLL = "/socket.io/?EIO=4&transport=polling"


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ({}, True),
        ({"Origin": PUBLIC_URL}, True),
        ({"Origin": "https://other.test"}, True),
        ({"Origin": "https://evil.test"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://streamer.test"}, False),
        ({"Origin": "https://streamer.test.evil.test"}, False),
        ({"Origin": "https://evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https"}, False),
        ({"Origin": "https://evil.test", "Host": "evil.test"}, False),
        ({"Origin": "https://evil.test", "Forwarded": "host=evil.test;proto=https"}, False),
    ],
)
async def test_pages_of_other_sites_are_refused_whatever_they_claim(headers: dict[str, str], allowed: bool) -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        async with http.get(service.url + POLL, headers=headers) as response:
            assert response.status == (200 if allowed else 400)
            if not allowed:
                assert (await response.json())["error"]["code"] == "origin_not_allowed"
                assert "Access-Control-Allow-Origin" not in response.headers
        if allowed:
            async with http.ws_connect(f"{service.url}/socket.io/?EIO=4&transport=websocket", headers=headers) as ws:
                assert (await ws.receive_str()).startswith("0")
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await http.ws_connect(f"{service.url}/socket.io/?EIO=4&transport=websocket", headers=headers)


def test_the_own_origin_is_the_public_address_and_loopback_has_three_names() -> None:
    assert origins_of("https://live.example.org/stream", ["https://a.org/"]) == {
        "https://live.example.org",
        "https://a.org",
    }
    assert origins_of("http://127.0.0.1:8080", []) == {
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
    }


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]])
async def test_a_frame_of_64_kib_is_answered(transports: list[str]) -> None:
    async with served() as service:
        client = await service.connect(transports=transports, room="a")
        answer = await client.command("nothing", {"text": "x" * 65_536})
        assert answer["error"]["code"] == "unknown_command"


async def test_a_larger_one_costs_the_connection_and_nothing_else() -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        other = await service.connect(room="a")
        client = await RawClient.open(http, service.url)
        await client.message()
        await client.socket.send_str('42/audience,1["nothing","' + "x" * 200_000 + '"]')
        await until(lambda: service.sockets.stats.audience == 1)
        async with http.get(service.url + POLL) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        async with http.post(f"{service.url}{POLL}&sid={sid}", data="4" + "x" * 200_000) as response:
            assert response.status == 413
        assert (await other.command("nothing"))["error"]["code"] == "unknown_command"


@pytest.mark.parametrize(
    "frame",
    [
        b"binary",
        '451-/audience,["x",{"_placeholder":true,"num":0}]',
        '42/audience,{"no":"list"}',
        "42/audience,[]",
        "42/audience,[5]",
        "42/audience,[NaN]",
        "42/audience," + "[" * 60_000,
        "49",
        "4",
        "4{}",
        "44/audience,",
        "",
        "hello",
        "b!",
        "b4AAA",
        "²",
        "4" + "[" * 60_000,
        "3" + "[" * 60_000,
        "9",
    ],
)
async def test_malformed_packets_cost_the_connection(frame: str | bytes) -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        client = await RawClient.open(http, service.url)
        await client.message()
        if isinstance(frame, bytes):
            await client.socket.send_bytes(frame)
        else:
            await client.socket.send_str(frame)
        await until(lambda: service.sockets.stats.audience == 0)
        await until(lambda: service.sockets.stats.sessions == 0)
        assert service.sockets.server.engine.malformed == 1


@pytest.mark.parametrize("body", ["2x", "6", "2probe", "9", "x", "", "4{}\x1e2", "3[[", "4" + "[" * 60_000, "b!"])
async def test_a_wrong_packet_in_a_body_is_answered_at_once(body: str) -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        async with http.get(service.url + POLL) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        async with asyncio.timeout(30):
            async with http.post(f"{service.url}{POLL}&sid={sid}", data=body) as response:
                assert response.status in (200, 400)


async def test_a_body_that_comes_in_pieces_is_read_whole() -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        async with http.get(service.url + POLL) as response:
            sid = json.loads((await response.text())[1:])["sid"]

        async def pieces() -> Any:
            for piece in ("40/audi", 'ence,{"ro', 'om":"a"}'):
                yield piece.encode()
                await asyncio.sleep(0.02)

        async with http.post(f"{service.url}{POLL}&sid={sid}", data=pieces()) as response:
            assert response.status == 200
        async with http.get(f"{service.url}{POLL}&sid={sid}") as response:
            assert (await response.text()).startswith("40/audience,")


async def test_connections_are_limited_per_address_and_given_back() -> None:
    async with served(max_connections_per_address=2) as service, aiohttp.ClientSession() as http:
        hall, home = {"X-Test-Address": "192.0.2.1"}, {"X-Test-Address": "192.0.2.2"}
        url = f"{service.url}/socket.io/?EIO=4&transport=websocket"
        # A connection that nobody keeps is closed.
        first, second = [await http.ws_connect(url, headers=hall) for _ in range(2)]
        await until(lambda: service.sockets.stats.sessions == 2)
        async with http.get(service.url + POLL, headers=hall) as response:
            assert response.status == 429
            assert response.headers["Retry-After"]
        elsewhere = await http.ws_connect(url, headers=home)
        await first.close()
        await until(lambda: service.sockets.stats.sessions == 2)
        again = await http.ws_connect(url, headers=hall)
        assert not any(one.closed for one in (second, elsewhere, again))


async def test_who_joins_nothing_is_let_go() -> None:
    async with served(join_s=1) as service, aiohttp.ClientSession() as http:
        idle = await http.ws_connect(f"{service.url}/socket.io/?EIO=4&transport=websocket")
        await service.connect(room="a")
        await idle.receive_str()
        received = await idle.receive(timeout=5)
        assert received.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.ERROR)
        assert service.sockets.stats.cut_idle_total == 1
        assert service.sockets.stats.audience == 1


@pytest.mark.usefixtures("either_way")
async def test_a_grant_that_is_taken_back_closes_its_connections_within_a_second() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        service.access.admit("bob", "technician", room="a")
        clients = [
            await service.connect("/studio", transports=transports, room="a", token="anna")
            for transports in (["websocket"], ["polling"])
        ]
        bob = await service.connect("/studio", room="a", token="bob")
        del service.access.known["anna"]
        with in_time(1):
            await service.realtime.close_grant("anna")
            for client in clients:
                await until(client.disconnected.is_set)
                assert client.closed[0]["error"]["code"] == "revoked"
        assert (await bob.command("air.slate", {"on": True}))["ok"]
        await until(lambda: service.sockets.stats.sessions == 1)
        assert await service.refused("/studio", room="a", token="anna") == "invalid_token"


@pytest.mark.usefixtures("either_way")
async def test_a_login_that_ends_closes_only_what_it_opened() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        service.access.known["by-cookie"] = Visitor(service.access.known["anna"].grant, b"digest")
        by_cookie = await service.connect("/studio", headers={"Cookie": "streamer_session=by-cookie"}, room="a")
        by_token = await service.connect("/studio", room="a", token="anna")
        await service.realtime.close_grant("anna", b"digest")
        await until(by_cookie.disconnected.is_set)
        assert by_cookie.closed[0]["error"]["code"] == "logged_out"
        assert (await by_token.command("air.slate", {"on": True}))["ok"]


@pytest.mark.usefixtures("either_way")
async def test_grants_that_end_or_reach_no_more_are_noticed() -> None:
    async with served() as service:
        access = service.access
        access.admit("short", "technician", room="a", expires_ms=service.director.now_ms() + 2_000)
        ends = await service.connect("/studio", room="a", token="short")
        viewer = await service.connect("/audience", room="a", token="short")
        await until(lambda: ends.closed)
        assert ends.closed[0]["error"]["code"] == "grant_ended"
        # The look that ends the one has come to the other, too.
        service.realtime.hub.post("/audience", "a", "test", "still here")
        await viewer.told("test")
        assert not viewer.disconnected.is_set()
        access.admit("moved", "technician", room="a")
        moved = await service.connect("/studio", room="a", token="moved")
        access.admit("moved", "technician", room="b")
        for client in service.realtime.hub.clients("/studio"):
            client.renewed_at = 0.0
        await until(lambda: moved.closed)
        assert moved.closed[0]["error"]["code"] == "out_of_reach"


@pytest.mark.usefixtures("either_way")
async def test_a_database_that_does_not_answer_puts_nobody_out() -> None:
    async with served() as service:
        service.access.admit("anna", "technician", room="a")
        anna = await service.connect("/studio", room="a", token="anna")
        service.access.failing = True
        [client] = service.realtime.hub.clients("/studio")
        client.renewed_at = 0.0
        answer = await anna.command("air.slate", {"on": True})
        assert answer["error"]["code"] == "store_unavailable"
        service.access.failing = False
        assert (await anna.command("air.slate", {"on": True}))["ok"]


@pytest.mark.usefixtures("either_way")
async def test_two_namespaces_on_one_connection_are_let_in_and_out_apart() -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        service.access.admit("anna", "technician", room="a")
        client = await RawClient.open(http, service.url)
        await client.message()
        await client.socket.send_str('40/studio,{"room":"a","token":"anna"}')
        await until(lambda: service.sockets.stats.studio == 1)
        await client.socket.send_str('40/studio,{"room":"a","token":"anna"}')
        # If it came after the grant's end, it would be let in.
        while not (told := await client.text()).startswith("44/studio,"):
            pass
        assert "already_connected" in told
        await service.realtime.close_grant("anna")
        await until(lambda: service.sockets.stats.studio == 0)
        service.realtime.hub.post("/audience", "a", "test", 1)
        name, data = await client.message()
        assert (name, data[0]["data"]) == ("events", 1)
        assert service.sockets.stats.sessions == 1


async def test_the_server_ends_without_waiting_for_its_clients() -> None:
    async with served() as service:
        clients = [
            await service.connect(transports=transports, room="a") for transports in (["websocket"], ["polling"])
        ]
        with in_time(2):
            await service.realtime.close()
            for client in clients:
                await until(client.disconnected.is_set)
                assert not client.closed, "they are to come back"


def test_a_household_has_so_many_places() -> None:
    places = ConnectionPlaces(10, 2)
    places.take("2001:db8::1")
    places.take("2001:db8:0:ff::2")
    with pytest.raises(TooMany):
        places.check("2001:db8:0:7::3")
    places.leave("2001:db8::1")
    places.check("2001:db8::3")


@pytest.mark.usefixtures("either_way")
async def test_a_participant_is_in_so_often_and_no_more() -> None:
    async with served(max_connections_per_participant=2) as service:
        first = await service.connect(room="a")
        key = first.snapshots[0]["you"]["key"]
        await service.connect(room="a", participant=key)
        assert await service.refused(room="a", participant=key) == "rate_limited"
        await service.connect(room="a")
        await first.close()
        await until(lambda: service.sockets.stats.audience == 2)
        await service.connect(room="b", participant=key)


@pytest.mark.usefixtures("either_way")
async def test_who_comes_and_goes_all_the_time_gets_no_snapshots_for_it() -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        client = await RawClient.open(http, service.url)
        for _ in range(40):
            await client.socket.send_str("41/audience,")
            await client.socket.send_str('40/audience,{"room":"a"}')
        refused = 0
        while refused < 20:
            refused += (await client.text()).startswith("44/audience,")
        assert service.realtime.stats.connections_total <= 13


async def test_what_waits_for_a_client_that_never_polls_is_bounded() -> None:
    async with served(commands_burst=10**6, address_commands_burst=10**6) as service, aiohttp.ClientSession() as http:
        async with http.get(service.url + POLL) as response:
            sid = json.loads((await response.text())[1:])["sid"]
        own = f"{service.url}{POLL}&sid={sid}"
        async with http.post(own, data='40/audience,{"room":"a"}') as response:
            assert response.status == 200
        wire = service.realtime.server.engine.wires[sid]
        queue = service.realtime.server.engine.sockets[sid].queue
        text = "x" * 20_000
        for _ in range(400):
            service.realtime.hub.post("/audience", "a", "test", text)
            await asyncio.sleep(0)
        assert queue.size < MOST_UNSENT_BYTES / 2
        while not wire.closed:
            # Answers are written in any case, and cost the connection when there are too many.
            wire.write(pack(ACK, "/audience", [text], 1))
            assert queue.size <= MOST_UNSENT_BYTES + 20_100
            await asyncio.sleep(0)
