"""All viewers without rights in one room of a real server: HLS with DVR, WHEP, stills, and the public facts.

async with audience(server, "hall") as public:
    await public.edge_past(now_ms() + 3000)
    evidence = await public.evidence()
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from urllib.parse import urljoin

import av
import numpy as np
from aiohttp import ClientError, ClientSession, CookieJar

from streamer.publish.testcard import decode_strip
from tests.fakes import decoding
from tests.fakes.hls_client import HlsFollower
from tests.fakes.running import Running
from tests.fakes.waiting import LIMIT_S, until, until_answered
from tests.fakes.watching import Player, whep_player

STILL_EVERY_S = 0.25
LOUD = 0.02
LONGEST_S = 240.0


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass
class Evidence:
    """Everything of the camera that came out: the UTC milliseconds in its pictures, by the place where they were found,
    and media times of sound."""

    strips: dict[str, list[int]] = field(default_factory=dict)
    slates: dict[str, int] = field(default_factory=dict)
    """The number of pictures without the camera."""
    loud: dict[str, list[int]] = field(default_factory=dict)
    stray: list[str] = field(default_factory=list)
    """Parts that were answered to a hint and are not in their segment."""

    def between(self, from_ms: float, to_ms: float) -> dict[str, list[int]]:
        """The places where pictures of that time were found; empty if there are none."""
        found = {where: [ms for ms in strips if from_ms < ms < to_ms] for where, strips in self.strips.items()}
        return {where: strips for where, strips in found.items() if strips}

    def beeps_since(self, from_ms: float) -> dict[str, list[int]]:
        """The places where beeps that the camera made at ``from_ms`` or later were heard. It makes one at each whole
        second of its clock, and a busy machine's room gets it some 300 ms later."""
        found = {where: [ms for ms in times if ms - ms % 1000 >= from_ms] for where, times in self.loud.items()}
        return {where: times for where, times in found.items() if times}

    def loud_between(self, from_ms: float, to_ms: float) -> dict[str, list[int]]:
        """As :meth:`beeps_since`, and heard before ``to_ms``."""
        found = {where: [ms for ms in times if ms < to_ms] for where, times in self.beeps_since(from_ms).items()}
        return {where: times for where, times in found.items() if times}


@dataclass
class Audience:
    server: Running
    room: str
    hls: HlsFollower
    whep: Player | None = None
    stills: list[bytes] = field(default_factory=list)
    newest_still: int | None = None
    """The strip of the newest still."""

    async def edge_past(self, media_ms: float, *, limit_s: float = LIMIT_S) -> None:
        """Every rendition is followed past a media time."""
        await until(lambda: self.followed_ms() >= media_ms, limit_s=limit_s)

    def _is_over(self, name: str, msn: int) -> bool:
        """Whether a segment that was listed is not any more."""
        playlist = self.hls.tracks[name].playlist
        return playlist is not None and msn < playlist.first_msn

    def followed_ms(self) -> float:
        """The media time that every rendition has come to."""
        return min(self._edge_ms(name) for name in self.hls.tracks)

    def _edge_ms(self, name: str) -> float:
        known = self.hls.tracks[name].reader.known
        if not known:
            return 0.0
        last = known[max(known)]
        return (last.pdt_ms or 0) + float(last.known_duration) * 1000

    async def evidence(self) -> Evidence:
        """Decodes all that was listed, hinted, sent and shown so far."""
        found = Evidence()
        for name, track in self.hls.tracks.items():
            listed, last = b"", -1
            for msn, segment in sorted(track.reader.known.items()):
                if not segment.complete or segment.gap:
                    continue
                async with self.server.session.get(urljoin(track.url, segment.uri)) as response:
                    media = await response.read()
                    if response.status == 404:
                        # Not listed any more; the follower is told so with the next part.
                        await until(lambda name=name, msn=msn: self._is_over(name, msn))
                        continue
                    assert response.status == 200, segment.uri
                data = await self.hls.init_bytes(name, msn) + media
                listed, last = listed + media, msn
                if track.kind == "video":
                    await asyncio.to_thread(_see, found, f"hls {name}", data)
                else:
                    await asyncio.to_thread(_hear, found, f"hls {name}", data, segment.pdt_ms or 0)
            found.stray += [url for url, part in track.parts.items() if _msn(url) <= last and part not in listed]
        for still in self.stills:
            _note(found, "still", strip_of(still))
        for seen in self.whep.seen if self.whep is not None else ():
            _note(found, "whep", seen.strip)
        return found


def _msn(url: str) -> int:
    return int(url.rpartition("/")[2].partition(".")[0])


def _note(found: Evidence, where: str, strip: int | None) -> None:
    found.strips.setdefault(where, [])
    if strip is None:
        found.slates[where] = found.slates.get(where, 0) + 1
    else:
        found.strips[where].append(strip)


def _see(found: Evidence, where: str, data: bytes) -> None:
    for picture in decoding.pictures(data):
        _note(found, where, picture.strip)


def _hear(found: Evidence, where: str, data: bytes, pdt_ms: int) -> None:
    heard = decoding.sound(data)
    times = found.loud.setdefault(where, [])
    step = 480
    mono = heard.mono[: len(heard.mono) // step * step].reshape(-1, step)
    times += [pdt_ms + index * 10 for index, peak in enumerate(np.abs(mono).max(axis=1)) if peak > LOUD]


def strip_of(jpeg: bytes) -> int | None:
    with av.open(io.BytesIO(jpeg)) as container:
        frame = next(container.decode(video=0))
        return decode_strip(decoding.luma_of(frame))


@contextlib.asynccontextmanager
async def audience(server: Running, room: str, *, whep: bool = True) -> AsyncIterator[Audience]:
    """Viewers who watch from now on. The room must be open."""
    path = f"/live/{room}/index.m3u8"

    async def open_now() -> bool:
        async with server.session.get(server.url + path) as response:
            return response.status == 200

    await until_answered(open_now, limit_s=LIMIT_S)
    async with contextlib.AsyncExitStack() as stack:
        follower = HlsFollower(f"{server.url}{path}?dvr=1", prefetch=True, retry_s=LIMIT_S)
        await stack.enter_async_context(follower)
        await follower.open()
        there = Audience(server, room, follower)
        stop = asyncio.Event()
        tasks = [
            asyncio.create_task(follower.follow(until=lambda _: stop.is_set(), limit_s=LONGEST_S), name="hls"),
            asyncio.create_task(_stills(there, stop), name="stills"),
        ]
        try:
            if whep:
                there.whep = await stack.enter_async_context(whep_player(server, room))
            yield there
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            stop.set()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _stills(there: Audience, stop: asyncio.Event) -> None:
    last = b""
    while not stop.is_set():
        with contextlib.suppress(ClientError, TimeoutError):
            async with there.server.session.get(f"{there.server.url}/live/{there.room}/still.jpg") as response:
                data = await response.read()
                if response.status == 200 and data != last:
                    last = data
                    there.stills.append(data)
                    there.newest_still = strip_of(data)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STILL_EVERY_S):
                await stop.wait()


async def told(server: Running, room: str, *, sessions: Iterable[str] = ()) -> dict[str, str]:
    """All that the server tells to somebody without a grant, by address: API, pages, exports, playlists."""
    addresses = [
        "/api/v1/rooms",
        f"/api/v1/rooms/{room}",
        "/api/v1/sessions",
        f"/api/v1/sessions?room={room}",
        "/api/v1/events",
        "/api/v1/venues",
        "/api/v1/recordings",
        *(f"/api/v1/sessions/{session}" for session in sessions),
        *(f"/session/{session}" for session in sessions),
        "/schedule.xml",
        "/schedule.json",
        "/schedule.ics",
        f"/schedule.xml?room={room}",
        f"/schedule.json?room={room}",
        f"/schedule.ics?room={room}",
        "/streams/v2.json",
        "/",
        f"/watch/{room}",
        f"/embed/{room}",
        f"/live/{room}/index.m3u8",
        f"/live/{room}/index.m3u8?dvr=1",
        "/api/v1/openapi.json",
        "/metrics",
    ]
    out = {}
    async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as stranger:
        for address in addresses:
            async with stranger.get(server.url + address) as response:
                headers = " ".join(f"{name}: {value}" for name, value in response.headers.items())
                out[address] = f"{response.status} {headers} {await response.text()}"
    return out
