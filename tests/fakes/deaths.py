"""kill -9 of web process, media host and room process at random points, again and again, with a room on air."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import Camera, smallest_camera
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALLEST
from tests.fakes.stored import read_stored
from tests.fakes.waiting import LIMIT_S, until, until_answered

PART_MS = 334
LOST_MS = 3 * PART_MS + 300
"""One part may be lost and one is always in the making; the rest is the time between the look and the kill."""
ROOM = "a"
_SEQUENCE = re.compile(rb"mfhd....(....)", re.DOTALL)


@dataclass
class Tally:
    """The findings. ``seen``: (rendition, number) -> digest of a segment's bytes, as a viewer had them."""

    deaths: Counter[str] = field(default_factory=Counter)
    lost_ms: list[float] = field(default_factory=list)
    seen: dict[tuple[str, int], str] = field(default_factory=dict)
    back_s: list[float] = field(default_factory=list)


async def die_again_and_again(data: Path, rounds: int, chance: random.Random) -> Tally:
    """Raises AssertionError."""
    tally = Tally()
    async with serving(data=data, environment=SMALLEST) as server:
        await server.room(ROOM, start="auto")
        url = f"{server.url}/live/{ROOM}/index.m3u8"
        async with (
            smallest_camera(server, ROOM) as source,
            HlsFollower(url, retry_s=LIMIT_S) as follower,
        ):
            await server.wait_state(ROOM, "live")
            await follower.open()
            broadcast = _address(follower)
            await follower.follow(until=all_past(1))
            for number in range(rounds):
                await _remember(follower, tally)
                await asyncio.sleep(chance.uniform(0, 1.5))
                # Both planes first: nobody is left who knows anything.
                names = ["web", "media", f"room-{ROOM}"]
                victims = names if number == 0 else chance.sample(names, chance.randint(1, 3))
                await _one_death(server, source, follower, victims, tally)
                async with HlsFollower(f"{url}?dvr=1", retry_s=LIMIT_S) as newcomer:
                    await newcomer.open()
                    assert _address(newcomer) == broadcast, "another broadcast"
                    await _compare(newcomer, tally)
            _rules(follower, tally.deaths[f"room-{ROOM}"])
    stored = await asyncio.to_thread(read_stored, data / "rooms" / ROOM)
    assert await asyncio.to_thread(stored.play_everything) > 0
    for rendition, segments in stored.segments.items():
        numbers = [segment.msn for segment in segments]
        assert numbers == sorted(set(numbers)), f"{rendition}: a number was given twice"
        found = b"".join(stored.bytes_of[rendition, number] for number in numbers)
        sequence = [int.from_bytes(match, "big") for match in _SEQUENCE.findall(found)]
        assert sequence == sorted(set(sequence)), f"{rendition}: a fragment's sequence number repeats"
    return tally


async def _one_death(server: Running, source: Camera, follower: HlsFollower, victims: list[str], tally: Tally) -> None:
    room = f"room-{ROOM}"
    pids = {name: server.pid(name) for name in victims}
    connections = source.publisher.state.connections
    edges = {name: follower.edge(name)[0] for name in follower.tracks}
    killed_ms = time.time() * 1000
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    tally.deaths.update(victims)

    async def back() -> bool:
        with contextlib.suppress(OSError, ValueError):
            return all(server.pid(name) != pid for name, pid in pids.items())
        return False

    await until_answered(back, what=lambda: server.logged()[-3000:])
    if room in victims:
        await until(lambda: source.publisher.state.connections > connections)
    await server.wait_state(ROOM, "live")
    await follower.follow(until=all_past(1))
    tally.back_s.append(time.time() - killed_ms / 1000)
    if room not in victims:
        return
    for name, edge in edges.items():
        known = follower.tracks[name].reader.known
        cut = [msn for msn, segment in sorted(known.items()) if msn >= edge and segment.discontinuity]
        assert cut, f"{name}: no discontinuity after the room's death"
        whole = [msn for msn in sorted(known) if msn < cut[0] and not known[msn].gap]
        last = known[whole[-1]]
        assert last.pdt_ms is not None
        lost_ms = killed_ms - (last.pdt_ms + float(last.known_duration) * 1000)
        tally.lost_ms.append(lost_ms)


async def _remember(follower: HlsFollower, tally: Tally) -> None:
    for name, track in follower.tracks.items():
        whole = [m for m, s in track.reader.known.items() if s.complete and not s.gap and (name, m) not in tally.seen]
        for msn in sorted(whole)[-2:]:
            data = await follower.segment_bytes(name, msn)
            if data:
                tally.seen[name, msn] = hashlib.sha256(data).hexdigest()


async def _compare(newcomer: HlsFollower, tally: Tally) -> None:
    """All segments that a viewer ever had are unchanged."""
    for (name, msn), digest in tally.seen.items():
        data = await newcomer.segment_bytes(name, msn)
        assert hashlib.sha256(data).hexdigest() == digest, f"{name} {msn} is another than it was"
    assert not newcomer.violations, newcomer.violations


def _rules(follower: HlsFollower, deaths: int) -> None:
    """At most one part is lost of each rendition with each death of the room: it is a gap then."""
    lost = [text for text in dict.fromkeys(follower.violations) if text.endswith("gap was False, is True")]
    for name, count in Counter(text.partition(":")[0] for text in lost).items():
        assert count <= deaths, f"{name}: {count} gaps after {deaths} deaths"
    if not lost:
        faultless(follower)


def _address(follower: HlsFollower) -> str:
    return next(iter(follower.tracks.values())).url.partition("?")[0]
