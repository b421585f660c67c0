"""Readers that keep up, readers that do not, and what they cost."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import time
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.attendees import RawClient
from tests.fakes.talking import served
from tests.fakes.waiting import in_time, until

MIB = 1024 * 1024


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


async def _deaf(url: str) -> asyncio.StreamWriter:
    """A WebSocket client that joins the room and never reads what it is told."""
    host, port = url.removeprefix("http://").split(":")
    # The kernel takes megabytes for a reader; the fewer, the sooner the server has to keep them.
    wire = socket.socket()
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    wire.setblocking(False)
    await asyncio.get_running_loop().sock_connect(wire, (host, int(port)))
    reader, writer = await asyncio.open_connection(sock=wire, limit=1024)
    writer.write(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\n"
        b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    payload = b'40/audience,{"room":"a"}'
    # Masked with zeros: the payload is what it is.
    writer.write(bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload)
    await writer.drain()
    return writer


async def test_a_stalled_reader_costs_little_and_is_cut_off_and_nobody_else_notices() -> None:
    messages, size = 5000, 20_000
    async with served() as service, aiohttp.ClientSession() as http:
        deaf = await _deaf(service.url)
        client = await RawClient.open(http, service.url)
        await client.message()
        await until(lambda: service.sockets.stats.audience == 2)
        text = "x" * size
        delays: list[float] = []
        gc.collect()
        before = most = _resident()
        number = 0
        while number < messages:
            # The reader beside it: each event as it comes.
            sent = time.perf_counter()
            for _ in range(10):
                service.realtime.hub.post("/audience", "a", "test", [number, text])
                number += 1
            got = 0
            while got < 10:
                name, events = await client.message()
                assert name == "events"
                assert events[-1]["data"][0] == number - 10 + got + len(events) - 1
                got += len(events)
            delays.append(time.perf_counter() - sent)
            if number % 500 == 0:
                most = max(most, _resident())
        stats = service.sockets.stats
        assert stats.cut_behind_total + stats.cut_stalled_total == 1
        assert stats.audience == 1
        # The log of what may be resumed (4 MiB) is part of it.
        assert most - before < 12 * MIB, f"{(most - before) / MIB:.1f} MiB"
        delays.sort()
        assert delays[len(delays) * 95 // 100] < 0.1
        deaf.close()


@pytest.mark.usefixtures("either_way")
async def test_a_reader_that_takes_nothing_for_too_long_is_cut_off_even_if_little_waits() -> None:
    async with served(stall_s=1, max_behind_bytes=100 * MIB, log_bytes=100 * MIB) as service:
        deaf = await _deaf(service.url)
        await until(lambda: service.sockets.stats.audience == 1)
        while service.sockets.stats.lagging == 0:
            service.realtime.hub.post("/audience", "a", "test", "x" * 50_000)
            await asyncio.sleep(0.001)
        await until(lambda: service.sockets.stats.cut_stalled_total == 1)
        await until(lambda: service.sockets.stats.sessions == 0)
        deaf.close()


@pytest.mark.usefixtures("either_way")
async def test_a_slow_reader_gets_all_of_it_late_and_only_the_newest_reading() -> None:
    async with served(max_behind_bytes=100 * MIB, log_bytes=100 * MIB) as service, aiohttp.ClientSession() as http:
        service.access.admit("anna", "technician", room="a")
        client = await RawClient.open(http, service.url, "/studio", room="a", token="anna")
        await client.message()
        hub, posted = service.realtime.hub, 0
        while service.sockets.stats.lagging == 0:
            hub.post("/studio", "a", "test", [posted, "x" * 50_000])
            posted += 1
            await asyncio.sleep(0)
        for number in range(100):
            hub.post("/studio", "a", "meters", {"room": "a", "meters": number}, replaces="meters:a")
        hub.post("/studio", "a", "test", [posted, "last"])
        events = []
        while not events or events[-1]["data"] != [posted, "last"]:
            events.extend((await client.message())[1])
        told = [event["data"][0] for event in events if event["type"] == "test"]
        assert told == list(range(posted + 1))
        meters = [event["data"]["meters"] for event in events if event["type"] == "meters"]
        assert meters == [99]


@pytest.mark.usefixtures("either_way")
async def test_who_commands_and_never_reads_the_answers_is_cut_off() -> None:
    async with served(commands_burst=10**6, max_message_bytes=10**6) as service:
        deaf = await _deaf(service.url)
        await until(lambda: service.sockets.stats.audience == 1)
        name = "n" * 100
        payload = f'42/audience,1["{name}"]'.encode()
        frame = bytes((0x81, 0x80 | 126)) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload
        if len(payload) < 126:
            frame = bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload
        try:
            async with asyncio.timeout(60):
                while service.sockets.stats.sessions:
                    deaf.write(frame * 500)
                    await deaf.drain()
        except ConnectionError:
            pass
        finally:
            # The end may be counted before it is heard here.
            deaf.close()
        await until(lambda: service.sockets.stats.sessions == 0)


async def test_under_load_events_travel_together_and_when_it_is_quiet_at_once() -> None:
    async with served() as service, aiohttp.ClientSession() as http:
        clients = [await RawClient.open(http, service.url) for _ in range(20)]
        for client in clients:
            await client.message()
        with in_time(0.1):
            service.realtime.hub.post("/audience", "a", "test", "alone")
            assert (await clients[0].message())[1][0]["data"] == "alone"
        for number in range(1000):
            service.realtime.hub.post("/audience", "a", "test", number)
        for client in clients:
            seen, messages = [], 0
            while len(seen) < (1000 if client is clients[0] else 1001):
                seen.extend(event["data"] for event in (await client.message())[1])
                messages += 1
            assert seen[-1000:] == list(range(1000))
            assert messages <= 20
        assert json.dumps(seen)
