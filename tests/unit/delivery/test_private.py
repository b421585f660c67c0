"""Outputs of closed sessions: served for their key, told of to nobody else, kept by no cache."""

from __future__ import annotations

import re

import pytest
from aiohttp import ClientSession

from streamer.broadcast.media_events import (
    PROGRAMME_OUTPUT,
    IntervalOpened,
    PartMade,
    SegmentDone,
    SegmentOpened,
)
from streamer.broadcast.programme import Chunk, Interval, Part, Segment
from tests.fakes.broadcast import FakeBroadcast
from tests.fakes.delivery_server import Served

KEY = "grant.q7Yk-unguessable_0"
OUTPUT = "~inner-name-of-it"


def begin(served: Served, output: str = OUTPUT, *, public: bool = False) -> FakeBroadcast:
    """A public broadcast of two segments, and three of another output, which are told apart by their bytes."""
    served.keys.known[KEY] = output
    fake = served.broadcast().open()
    fake.segments(2)
    fake.still(b"\xff\xd8 public \xff\xd9")
    interval = Interval(0, f"secret-interval-{output}", True, 0, public)
    fake.send(IntervalOpened(output=output, interval=interval))
    for msn in range(3):
        for r in fake.renditions:
            at = msn * 30_000
            fake.send(
                SegmentOpened(output=output, rendition=r.name, segment=Segment(msn, at, fake.init[r.name], False, 0))
            )
            data = f"{output} {r.name} {msn}".encode()
            chunk = Chunk(f"secret-{output}-{r.name}", msn * 1000, len(data))
            fake.send(
                PartMade(
                    output=output,
                    rendition=r.name,
                    msn=msn,
                    index=0,
                    part=Part(at, 30_000, True, chunk),
                    data=data,
                )
            )
            fake.send(SegmentDone(output=output, rendition=r.name, msn=msn))
    fake.output = output
    fake.still(f"\xff\xd8 {output} \xff\xd9".encode())
    return fake


async def body_of(http: ClientSession, path: str) -> tuple[int, str, bytes]:
    async with http.get(path) as r:
        return r.status, r.headers.get("Cache-Control", ""), await r.read()


async def test_whoever_has_the_key_plays_it_from_the_address_alone(served: Served, http: ClientSession) -> None:
    begin(served)
    base = f"/live/salle/~{KEY}/"
    status, cache, text = await body_of(http, f"{base}index.m3u8")
    assert (status, cache) == (200, "private, no-store")
    media_uri = next(line for line in text.decode().splitlines() if line.endswith("v720.m3u8"))
    for query in ("", "?_HLS_msn=2&_HLS_part=0", "?dvr=1"):
        status, cache, text = await body_of(http, base + media_uri + query)
        assert (status, cache) == (200, "private, no-store")
        assert KEY not in text.decode()
        assert OUTPUT not in text.decode().replace(f"secret-interval-{OUTPUT}", "")
    listed = re.findall(r'^[^#\n].*|(?<=URI=")[^"?]+', text.decode(), re.M)
    folder = media_uri.rpartition("/")[0]
    seen = set()
    for uri in listed:
        if uri.endswith((".m4s", ".mp4")) and "/3.0.m4s" not in uri:
            status, cache, data = await body_of(http, f"{base}{folder}/{uri}")
            assert (status, cache) == (200, "private, no-store"), uri
            seen.add(data)
    assert {f"{OUTPUT} v720 {msn}".encode() for msn in range(3)} <= seen
    status, cache, picture = await body_of(http, f"{base}still.jpg")
    assert (status, cache) == (200, "private, no-store")
    assert OUTPUT.encode() in picture


@pytest.mark.parametrize(
    "key", ["", "x", KEY[:-1], KEY + "x", KEY.upper(), OUTPUT, OUTPUT[1:], "public", "programme", "%00", "é"]
)
async def test_another_key_is_like_a_room_that_is_not_there(served: Served, http: ClientSession, key: str) -> None:
    fake = begin(served)
    for path in ("index.m3u8", "still.jpg", f"{fake.id}/v720.m3u8", f"{fake.id}/k/v720/0.m4s", "anything/else"):
        asked = await body_of(http, f"/live/salle/~{key}/{path}")
        nowhere = await body_of(http, f"/live/nowhere/~{KEY}/{path}")
        assert asked == nowhere
        assert asked[:2] == (404, "no-store")


async def test_public_addresses_serve_nothing_of_it(served: Served, http: ClientSession) -> None:
    fake = begin(served)
    interval = f"secret-interval-{OUTPUT}"
    for rendition in ("v720", "a128"):
        for name in ("0.m4s", "0.0.m4s", "2.m4s", f"init-{fake.init[rendition]}.mp4"):
            status, _, data = await body_of(http, f"/live/salle/{fake.id}/{interval}/{rendition}/{name}")
            assert status == 404
            assert OUTPUT.encode() not in data
    for path in ("index.m3u8", "still.jpg", f"{fake.id}/v720.m3u8", f"{fake.id}/v720.m3u8?dvr=1"):
        status, cache, data = await body_of(http, f"/live/salle/{path}")
        assert status == 200
        assert cache.startswith("public")
        assert OUTPUT.encode() not in data


async def test_an_interval_that_is_not_public_is_not_served_in_public(served: Served, http: ClientSession) -> None:
    """The guard works alone, whatever output lists it."""
    fake = served.broadcast().open()
    fake.segments(1)
    fake.interval = Interval(1, "closed-interval", True, fake.at, False)
    fake.send(IntervalOpened(output="public", interval=fake.interval))
    fake.segments(1)
    for name in ("1.m4s", "1.0.m4s", f"init-{fake.init['v720']}.mp4"):
        status, _, _ = await body_of(http, served.media(fake, f"v720/{name}"))
        assert status == 404


@pytest.mark.parametrize("key", [PROGRAMME_OUTPUT, f"~{PROGRAMME_OUTPUT}", ""])
async def test_the_programme_has_no_address(served: Served, http: ClientSession, key: str) -> None:
    fake = begin(served, PROGRAMME_OUTPUT, public=True)
    interval = f"secret-interval-{PROGRAMME_OUTPUT}"
    for path in ("index.m3u8", "still.jpg", f"{fake.id}/v720.m3u8", f"{fake.id}/{interval}/v720/0.m4s"):
        for prefix in (f"~{key}", PROGRAMME_OUTPUT):
            status, _, data = await body_of(http, f"/live/salle/{prefix}/{path}")
            assert status == 404
            assert f"{PROGRAMME_OUTPUT} v720".encode() not in data
    assert (await body_of(http, f"/live/salle/{fake.id}/{interval}/v720/0.m4s"))[0] == 404


async def test_a_session_that_is_over_leaves_nothing_behind(served: Served, http: ClientSession) -> None:
    fake = begin(served)
    base = f"/live/salle/~{KEY}/"
    assert (await body_of(http, f"{base}{fake.id}/v720.m3u8"))[0] == 200
    del served.link.view.outputs[OUTPUT]
    for path in ("index.m3u8", f"{fake.id}/v720.m3u8", f"{fake.id}/secret-interval-{OUTPUT}/v720/0.m4s"):
        assert (await body_of(http, base + path))[0] == 404
    assert (await body_of(http, served.playlist(fake)))[0] == 200
