"""The cost and the limits of an audience: fan-out beside Node's server, a burst, a stalled reader, a restart, kills, a
troll among three hundred. Each is a row with its figure, its target and whether it is met.

    python -m tests.bench audience [--quick]
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.bench import fanout
from tests.fakes import ordeals
from tests.fakes.audience_lives import Lives
from tests.fakes.crowd import Crowd
from tests.fakes.ordeals import ALL_AT_ONCE, MIB, percentile
from tests.fakes.running import serving

CLIENTS = 1000
PER_S = 10.0
BEHIND_ONE_ADDRESS = 299
RETURNS = 5

Say = Callable[[str], None]


@dataclass(frozen=True)
class Row:
    what: str
    figure: str
    target: str
    met: bool | None
    """None: there is no target, or there is no value to compare with."""

    @property
    def verdict(self) -> str:
        return "" if self.met is None else "met" if self.met else "NOT met"


def measure(*, quick: bool, say: Say) -> list[Row]:
    """Blocks; on a loop of its own, as fast as the web process' is."""
    clients = 200 if quick else CLIENTS
    rows = uvloop.run(fan_out_rows(clients, 1 if quick else 4, 5.0 if quick else 10.0, say))
    say("\n".join(f"{row.what}: {row.figure}" for row in rows))
    for part in (
        ordeal_rows(clients),
        stalled_rows(1000 if quick else 5000),
        kill_rows(3 if quick else 50, say),
    ):
        new = uvloop.run(part)
        say("\n".join(f"{row.what}: {row.figure}" for row in new))
        rows += new
    return rows


async def fan_out_rows(clients: int, rounds: int, window_s: float, say: Say) -> list[Row]:
    what = f"Fan-out, {clients} clients, {PER_S:g} messages/s"
    node = shutil.which("node") is not None and (fanout.WEB / "node_modules" / "socket.io").exists()
    if not node:
        say("fan-out: neither Node nor its socket.io is there to compare with")
    ours, theirs = await fanout.compare(clients, PER_S, rounds, window_s, say, beside=node)
    rows = [
        Row(
            f"{what}: deliveries per CPU second",
            f"{ours.per_cpu_s:.0f} ({ours.events_per_message:.2f} events a message)",
            "1.0x Node's",
            None if theirs is None else ours.per_cpu_s >= theirs.per_cpu_s,
        )
    ]
    if theirs is not None:
        rows += [
            Row("The same, `socket.io` on Node, which stores nothing", f"{theirs.per_cpu_s:.0f}", "", None),
            Row("Ratio", f"{ours.per_cpu_s / theirs.per_cpu_s:.2f}", "1.0", ours.per_cpu_s >= theirs.per_cpu_s),
            Row(
                "Ratio of messages written per CPU second (without what batching saves)",
                f"{ours.messages_per_cpu_s / theirs.messages_per_cpu_s:.2f}",
                "",
                None,
            ),
        ]
    beside = "" if theirs is None else f" (Node: {theirs.delay_ms(50):.0f} / {theirs.delay_ms(99):.0f} ms)"
    rows.append(
        Row(
            "Latency of it, p50 / p99",
            f"{ours.delay_ms(50):.0f} / {ours.delay_ms(99):.0f} ms{beside}",
            "p99 < 250 ms",
            ours.delay_ms(99) < 250,
        )
    )
    beside = "" if theirs is None else f" (Node: {theirs.kb_per_client:.0f} kB)"
    rows.append(Row("Server memory a client", f"{ours.kb_per_client:.0f} kB{beside}", "", None))
    rows.append(Row("Messages lost in it", str(ours.lost), "0", ours.lost == 0))
    return rows


async def ordeal_rows(clients: int) -> list[Row]:
    async with serving(environment=ALL_AT_ONCE) as running:
        for room in ("hall", "troll"):
            await running.room(room)
        crowd = Crowd(running.url)
        await crowd.come([{"room": "hall", "name": f"N{number}"} for number in range(clients)])
        burst = await ordeals.burst(crowd, 200, first=0)
        back = await ordeals.killed_and_back(running, crowd, before=60, after=20, first=1000)
        await crowd.leave()
        troll = await ordeals.one_troll(running, "troll", BEHIND_ONE_ADDRESS, RETURNS)
    p99_ms, last_s = percentile(burst.delays_ms, 99), max(back.back_s, default=0.0)
    whole = burst.acknowledged == burst.said and not burst.missing and not burst.doubled
    return [
        Row(
            f"Burst of {burst.said} messages in a second to {clients} clients",
            f"{burst.missing} missing, {burst.doubled} doubled, {burst.orders} order, p99 {p99_ms:.0f} ms,"
            f" {burst.deliveries / max(1, burst.messages):.0f} events a message",
            "none lost, one order, p99 < 1 s",
            whole and burst.orders == 1 and not burst.disordered and p99_ms < 1000,
        ),
        Row(
            f"{clients} clients come back at once after kill -9 of the web process",
            f"{len(back.back_s)} back, the last after {last_s:.1f} s, {back.missing} missing, {back.doubled} doubled",
            "all within 30 s, nothing missed or doubled",
            len(back.back_s) == back.clients and last_s < 30 and not back.missing and not back.doubled,
        ),
        Row(
            f"{troll.others + 1} behind one address, one banned, back under {troll.returns} new names",
            f"{troll.unaffected} unaffected, {troll.held} held, {troll.seen} seen",
            f"{troll.others} unaffected, none seen",
            troll.unaffected == troll.others and troll.held == troll.returns and not troll.seen,
        ),
    ]


async def stalled_rows(count: int) -> list[Row]:
    stalled = await ordeals.one_stalled(count, 20_000, 250, 10)
    p95_ms = percentile(stalled.delays_ms, 95)
    return [
        Row(
            f"One stalled reader, {count} messages of 20 kB",
            f"{stalled.grown / MIB:.1f} MiB more, {stalled.cut} cut off, others' p95 {p95_ms:.0f} ms,"
            f" {stalled.missing} missing",
            "< 8 MiB, p95 < 100 ms",
            stalled.grown < 8 * MIB and stalled.cut == 1 and p95_ms < 100 and not stalled.missing,
        )
    ]


async def kill_rows(kills: int, say: Say) -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="streamer-bench-"))
    seed = random.randrange(2**32)
    say(f"kills: seed {seed}")
    try:
        lives = Lives(folder, random.Random(seed))
        await lives.begin()
        for _ in range(kills):
            await lives.live()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    told = ", ".join(f"{lives.kinds[kind]} {kind}" for kind in ("chat", "vote", "deleted"))
    return [
        Row(
            f"kill -9 {kills} times at 200 writes/s",
            f"{len(lives.lost)} lost of {len(lives.acknowledged)} acknowledged ({told})",
            "none lost",
            not lives.lost and bool(lives.acknowledged),
        )
    ]


def table(rows: list[Row]) -> str:
    lines = ["| Audience | Measured | Target | |", "| --- | --- | --- | --- |"]
    return "\n".join(lines + [f"| {row.what} | {row.figure} | {row.target} | {row.verdict} |" for row in rows])
