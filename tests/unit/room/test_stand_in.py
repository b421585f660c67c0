"""The stand-in media plane of tests is as the real one: the same scenario, the same states, answers and errors."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from streamer.control.client import MediaPlaneClient
from streamer.control.link import RoomClient
from streamer.control.media_plane import MediaPlane, RoomLink
from streamer.control.messages import Answer, Candidates, Offer, RoomConfig
from streamer.delivery.state import public_state
from streamer.errors import StreamerError
from streamer.host.media_host import MediaHost
from streamer.rtc import aiortc_hooks as hooks
from tests.fakes.media_host import make_settings
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.fakes.peers import LOOPBACK
from tests.fakes.waiting import until

FAR_MS = 1_700_000_000_000
HALL = RoomConfig(id="hall", name="Hall")


@pytest.mark.parametrize(
    ("protocol", "kinds"), [(MediaPlane, (MediaPlaneClient, FakePlane)), (RoomLink, (RoomClient, FakeRoom))]
)
def test_both_have_the_methods_of_the_protocol(protocol: type, kinds: tuple[type, ...]) -> None:
    methods = {name: method for name, method in vars(protocol).items() if name[0] != "_" and callable(method)}
    assert len(methods) > 5
    for kind in kinds:
        for name, method in methods.items():
            wanted, there = inspect.signature(method), inspect.signature(getattr(kind, name))
            assert list(there.parameters)[: len(wanted.parameters)] == list(wanted.parameters), (kind, name)
            assert inspect.iscoroutinefunction(getattr(kind, name)) == inspect.iscoroutinefunction(method), (kind, name)


@asynccontextmanager
async def real(folder: Path) -> AsyncIterator[MediaPlaneClient]:
    """Over a real media host, whose rooms are real processes."""
    settings = make_settings(folder)
    host = MediaHost(settings)
    await host.start()
    running = asyncio.create_task(host.run())
    plane = MediaPlaneClient(settings, linger_s=0.5)
    await plane.start()
    try:
        await until(lambda: plane.host_up)
        yield plane
    finally:
        await plane.close()
        host.leave()
        await running


async def offer(**fields: Any) -> Offer:
    pc = hooks.new_peer(bundle=True)
    try:
        for kind, codec in (("video", ("H264", "42e01f")), ("audio", ("opus", ""))):
            hooks.offer_codecs(pc.addTransceiver(kind, "sendonly"), [codec])
        hooks.bind(pc, LOOPBACK)
        await pc.setLocalDescription(await pc.createOffer())
        return Offer("publish", str(pc.localDescription.sdp), client="a camera", **fields)
    finally:
        await pc.close()


async def refused(request: Awaitable[object]) -> tuple[str, int]:
    with pytest.raises(StreamerError) as caught:
        await request
    return caught.value.code, caught.value.status


def form(answer: Answer) -> tuple[bool, bool, bool]:
    return answer.sdp.startswith("v=0\r\n"), len(answer.resource) >= 20, bool(answer.etag)


async def play(plane: Any) -> dict[str, Any]:
    """A web process's observations of a room's life, step by step."""
    found: dict[str, Any] = {}
    told: list[str] = []
    end = plane.listen(lambda link, what: told.append(what))
    found["before"] = (list(plane.rooms), plane.host_up)
    found["bad id"] = await refused(plane.ensure(RoomConfig(id="../hall", name="")))
    await plane.configure(HALL)
    found["configured, closed"] = list(plane.rooms)
    found["stopped, closed"] = await refused(plane.stop("hall"))

    link = await plane.ensure(HALL)
    assert link is plane.rooms["hall"]
    assert link is await plane.ensure(HALL)
    found["told at first"] = sorted(set(told))
    found["opened"] = (list(plane.rooms), link.up, link.room, link.meters, link.view.broadcast, link.view.closed)
    found["status"] = (link.status.room, dict(link.status.sources), link.status.media_up, link.status.viewers_whep)
    found["shown"] = public_state(link.view, link.status)
    assert "room_reconnects_total" in link.counters()
    found["kept bytes"] = link.bytes.get(("nothing", 0))
    link.subscribe(lambda: None)()
    for name, request in {
        "candidates of none": link.candidates(Candidates(resource="none", fragment="")),
        "hangup of none": link.hangup("none"),
        "picture of nothing": link.picture(""),
        "picture of no source": link.picture("main"),
    }.items():
        found[name] = await refused(request)

    told.clear()
    first = await link.offer(await offer(grant="one"))
    await until(lambda: "main" in link.status.sources)
    source = link.status.sources["main"]
    found["answer"] = form(first)
    found["source"] = (source.name, source.client, bool(source.publication), "status" in told)
    found["occupied"] = await refused(link.offer(await offer(grant="two")))
    second = await link.offer(await offer(grant="two", takeover=True))
    found["taken over"] = (form(second), await link.hangup(first.resource), await refused(link.hangup(first.resource)))
    found["hung up"] = (await link.hangup(second.resource), await refused(link.hangup(second.resource)))
    await until(lambda: not any(source.up for source in link.status.sources.values()))
    forgotten = await link.forget(FAR_MS, FAR_MS + 1000)
    found["forgotten"] = (forgotten.bytes, forgotten.complete)

    await plane.configure(RoomConfig(id="hall", name="Another name"))
    assert plane.rooms["hall"] is link
    told.clear()
    await plane.stop("hall")
    await until(lambda: "hall" not in plane.rooms)
    found["told at last"] = (told[-1], "down" in told, link.up)
    found["stopped twice"] = await refused(plane.stop("hall"))
    end()
    told.clear()
    await plane.ensure(HALL)
    found["told when nobody listens"] = told
    return found


async def test_the_stand_in_is_as_the_real_media_plane(tmp_path: Path) -> None:
    async with real(tmp_path) as plane:
        expected = await play(plane)
    assert expected["occupied"] == ("source_occupied", 409)
    assert expected["opened"][:2] == (["hall"], True)
    assert await play(FakePlane()) == expected
