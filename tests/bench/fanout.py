"""Fan-out of a chat: a real web process beside Node's ``socket.io`` server, windows in turn, one crowd for each.

Ours does the whole command: schema, limits, rules, the database, the acknowledgement. Node's has a chat as its
documentation shows one, and stores nothing. CPU seconds are those of the server's process alone, user and system.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.bench import machine
from tests.fakes.crowd import Crowd, talk
from tests.fakes.ordeals import ALL_AT_ONCE
from tests.fakes.running import serving

WEB = Path(__file__).resolve().parents[2] / "web"
NODE_SERVER = Path(__file__).parent / "node" / "server.mjs"
ROOM = "hall"
SPEAKERS = 100
"""Members of the crowd who write, in turn."""


@dataclass
class Window:
    """The measurements of one server. ``events``: sent to all clients together; ``messages``: the frames with these
    events."""

    events: int
    messages: int
    cpu_s: float
    delays_ms: list[float]
    lost: int
    refused: int


@dataclass
class Figures:
    """Of all windows of one server."""

    name: str
    kb_per_client: float = 0.0
    windows: list[Window] = field(default_factory=list)

    @property
    def per_cpu_s(self) -> float:
        return sum(w.events for w in self.windows) / max(0.001, sum(w.cpu_s for w in self.windows))

    @property
    def messages_per_cpu_s(self) -> float:
        return self.per_cpu_s / self.events_per_message

    @property
    def events_per_message(self) -> float:
        return sum(w.events for w in self.windows) / max(1, sum(w.messages for w in self.windows))

    @property
    def lost(self) -> int:
        return sum(window.lost + window.refused for window in self.windows)

    def delay_ms(self, percent: float) -> float:
        return machine.percentile([delay for window in self.windows for delay in window.delays_ms], percent)


@dataclass
class Measured:
    """A server under a crowd of its own."""

    figures: Figures
    pids: list[int]
    crowd: Crowd
    said: int = 0

    async def window(self, seconds: float, per_s: float, gaps_s: Callable[[], float]) -> Window:
        crowd = self.crowd
        crowd.forget()
        before = machine.cpu_seconds(self.pids)
        first, count = self.said, round(seconds * per_s)
        self.said += count
        answers, _ = await talk(crowd.members[:SPEAKERS], count, gaps_s, first=first)
        await asyncio.sleep(0.5)
        cpu_s = sum(machine.spent(before, machine.cpu_seconds(self.pids)).values())
        good = [number for number, answer in answers.items() if isinstance(answer, dict) and answer["ok"]]
        lost, delays_ms = crowd.missing(good), crowd.delays_ms()
        return Window(crowd.deliveries, crowd.messages, cpu_s, delays_ms, lost, count - len(good))


@contextlib.asynccontextmanager
async def node() -> AsyncIterator[tuple[str, int]]:
    """(address, process id). Raises FileNotFoundError without Node."""
    process = await asyncio.create_subprocess_exec("node", str(NODE_SERVER), str(WEB), stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        port = int(await asyncio.wait_for(process.stdout.readline(), 30))
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.kill()
        await process.wait()


async def gather_crowd(name: str, url: str, pids: list[int], clients: int) -> Measured:
    crowd = Crowd(url)
    # The first few make what a process makes once.
    await crowd.come([{"room": ROOM, "name": f"W{number}"} for number in range(10)])
    before_mb = sum(map(machine.resident_mb, pids))
    await crowd.come([{"room": ROOM, "name": f"N{number}"} for number in range(clients - 10)])
    grown_kb = (sum(map(machine.resident_mb, pids)) - before_mb) * 1000 / (clients - 10)
    return Measured(Figures(name, grown_kb), pids, crowd)


async def compare(
    clients: int, per_s: float, rounds: int, window_s: float, say: Callable[[str], None], *, beside: bool = True
) -> tuple[Figures, Figures | None]:
    """Ours and Node's, windows in turn, messages at random times (a Poisson process, the same for both). ``beside``:
    whether there is a Node to compare with."""
    async with contextlib.AsyncExitStack() as stack:
        running = await stack.enter_async_context(serving(environment=ALL_AT_ONCE))
        await running.room(ROOM, start="auto")
        servers = [await gather_crowd("streamer", running.url, [running.pid("web")], clients)]
        if beside:
            address, pid = await stack.enter_async_context(node())
            servers.append(await gather_crowd("socket.io (Node)", address, [pid], clients))
        try:
            for number in range(rounds):
                for server in servers if number % 2 == 0 else servers[::-1]:
                    gaps_s = partial(random.Random(number).expovariate, per_s)
                    window = await server.window(window_s, per_s, gaps_s)
                    server.figures.windows.append(window)
                    say(
                        f"fan-out, {server.figures.name}, round {number + 1}: {window.events} deliveries in"
                        f" {window.messages} messages, {window.cpu_s:.2f} CPU s,"
                        f" {window.events / max(0.01, window.cpu_s):.0f} per CPU s,"
                        f" p99 {machine.percentile(window.delays_ms, 99):.0f} ms, lost {window.lost},"
                        f" refused {window.refused}, load {machine.load():.1f}"
                    )
        finally:
            for server in servers:
                await server.crowd.leave()
    return servers[0].figures, servers[1].figures if beside else None
