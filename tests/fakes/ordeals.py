"""Ordeals of an audience on a real server: a burst, a reader that stalls, a web process that is killed, a troll among
three hundred. Each returns its findings; benches print them, tests check them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.attendees import Attendee
from tests.fakes.crowd import Crowd, Member, talk
from tests.fakes.running import ADMIN_TOKEN, Running
from tests.fakes.waiting import until

ROOT = Path(__file__).resolve().parents[2]
ALL_AT_ONCE = {"STREAMER_REALTIME__NEWCOMER_S": "0"}
"""For a crowd that has just come from one address and speaks at once: how newcomers are held back is no matter here."""
MIB = 1024 * 1024
PACE_S = 0.1


def percentile(values: Sequence[float], percent: float) -> float:
    """By the nearest rank; 0 for no values."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent * 10) // 1000) - 1)] if ordered else 0.0


def resident(pid: int) -> int:
    """Bytes, shared pages included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _good(answers: dict[int, Any]) -> list[int]:
    return [number for number, answer in answers.items() if isinstance(answer, dict) and answer["ok"]]


@dataclass
class Burst:
    """``missing``: of acknowledged messages, all members' together. ``orders``: 1 where all heard the same."""

    said: int
    acknowledged: int
    missing: int
    doubled: int
    orders: int
    disordered: int
    delays_ms: list[float]
    messages: int
    deliveries: int


async def burst(crowd: Crowd, count: int, *, first: int) -> Burst:
    """This many messages in a second, each by another member."""
    crowd.forget()
    answers, _ = await talk(crowd.members, count, lambda: 1 / count, first=first)
    good = _good(answers)
    with contextlib.suppress(AssertionError):
        await until(lambda: crowd.deliveries >= len(good) * len(crowd.members))
    return Burst(
        count,
        len(good),
        crowd.missing(good),
        crowd.doubled(),
        crowd.orders(),
        sum(member.disordered for member in crowd.members),
        crowd.delays_ms(),
        crowd.messages,
        crowd.deliveries,
    )


@dataclass
class Stalled:
    """``grown``: the most additional resident bytes of the server. ``cut``: readers that were cut off."""

    grown: int
    cut: int
    missing: int
    delays_ms: list[float]


@contextlib.asynccontextmanager
async def loud_hall() -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A process with the Socket.IO service and its address."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fakes.loud_hall", cwd=ROOT, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        await process.communicate()


async def one_stalled(count: int, size: int, per_s: int, others: int) -> Stalled:
    """One of a crowd does not read; the others do."""
    async with loud_hall() as (process, url):
        assert process.stdin is not None
        assert process.stdout is not None
        crowd, deaf = Crowd(url), Crowd(url, receive_buffer=4096)
        await crowd.come([{"room": "a"}] * others)

        async def post(number: int) -> int:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{number} {size} {per_s}\n".encode())
            return int(await process.stdout.readline())

        # A server that has been on for a while has a full log.
        await post(300)
        await deaf.come([{"room": "a"}])
        deaf.members[0].stall()
        await until(lambda: crowd.deliveries == 300 * others)
        crowd.forget()
        before = most = resident(process.pid)
        posting = asyncio.create_task(post(count), name="post")
        while not posting.done():
            most = max(most, resident(process.pid))
            await asyncio.wait({posting}, timeout=PACE_S)
        cut = await posting
        with contextlib.suppress(AssertionError):
            await until(lambda: crowd.deliveries >= count * others)
        missing = crowd.missing(range(300, 300 + count))
        delays_ms = crowd.delays_ms()
        await crowd.leave()
        await deaf.leave()
        return Stalled(most - before, cut, missing, delays_ms)


@dataclass
class Restart:
    """``back_s``: after the kill, for each member."""

    clients: int
    back_s: list[float]
    acknowledged: int
    missing: int
    doubled: int
    resumed: int


async def killed_and_back(
    server: Running, crowd: Crowd, *, before: int, after: int, first: int, limit_s: float = 60.0
) -> Restart:
    """People talk, the web process is killed, all come back at once and talk on."""
    loop = asyncio.get_running_loop()
    chance = random.Random(1)
    crowd.forget()
    per_s = 20.0
    talking = asyncio.create_task(
        talk(crowd.members, before + round(per_s), lambda: chance.expovariate(per_s), first=first)
    )
    await until(lambda: crowd.deliveries >= before // 2 * len(crowd.members), limit_s=60)
    await server.kill("web")
    killed_at = loop.time()
    back_s: list[float] = []

    async def return_one(member: Member) -> None:
        await member.over.wait()
        await member.come_back(chance, limit_s)
        back_s.append(loop.time() - killed_at)

    results = await asyncio.gather(*(return_one(member) for member in crowd.members), return_exceptions=True)
    answers, _ = await talking
    good = _good(answers)
    later: dict[int, Any] = {}
    if not any(isinstance(result, BaseException) for result in results):
        later, _ = await talk(crowd.members, after, lambda: 1 / per_s, first=first + before + round(per_s))
    good += _good(later)
    with contextlib.suppress(AssertionError):
        await until(lambda: not crowd.missing(good), limit_s=10)
    resumed = sum(member.resumed[-1] for member in crowd.members)
    return Restart(len(crowd.members), back_s, len(good), crowd.missing(good), crowd.doubled(), resumed)


@dataclass
class Troll:
    """``unaffected``: of the others, who wrote after the ban and were seen at once. ``held``: names of the troll whose
    message waits for a moderator; ``seen``: those that anybody saw."""

    others: int
    unaffected: int
    returns: int
    refused: int
    held: int
    seen: int


async def one_troll(server: Running, room: str, others: int, returns: int) -> Troll:
    """All from one address; one is banned and comes back under new names, and once as who it was."""
    crowd = Crowd(server.url)
    await crowd.come([{"room": room, "name": f"P{number}"} for number in range(others)])
    moderator = Attendee("/moderation")
    await moderator.connect(server.url, {"room": room, "token": ADMIN_TOKEN}, ["websocket"], {})
    trolls = Crowd(server.url)
    await trolls.come([{"room": room, "name": "Troll"}])
    first = trolls.members[0]
    said = await first.ask("chat.send", {"text": "noise"})
    banned = await moderator.command("participant.ban", {"id": said["id"], "remove": True})
    assert banned["ok"], banned
    await asyncio.wait_for(first.over.wait(), 10)
    refused = 0
    try:
        await first.connect(participant=first.key)
    except OSError:
        refused = 1
    await trolls.come([{"room": room, "name": f"Someone {number}"} for number in range(returns)])
    noise = [
        await member.ask("chat.send", {"text": f"noise n{9_000_000 + number} at 1"})
        for number, member in enumerate(trolls.members[1:])
    ]
    crowd.forget()
    answers = await asyncio.gather(*(member.say(number) for number, member in enumerate(crowd.members)))
    good = [number for number, answer in enumerate(answers) if answer["ok"] and answer["state"] == "visible"]
    with contextlib.suppress(AssertionError):
        await until(lambda: not crowd.missing(good))
    seen_by_all = [number for number in good if all(number in set(member.numbers) for member in crowd.members[:20])]
    heard = {number for member in crowd.members for number in member.numbers if number >= 9_000_000}
    await moderator.close()
    await crowd.leave()
    await trolls.leave()
    held = sum(answer["ok"] and answer["state"] == "held" for answer in noise)
    return Troll(others, len(seen_by_all), returns, refused, held, len(heard))
