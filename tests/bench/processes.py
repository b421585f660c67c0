"""Deliveries of a chat by one web process, and by front processes before their core: latency, losses, order, and what a
delivery costs, all processes together and the core alone.

    python -m tests.bench processes [--quick]
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from streamer.descriptors import raise_limit
from tests.bench import machine
from tests.bench.fanout import ROOM, Figures, gather_crowd
from tests.fakes.ordeals import ALL_AT_ONCE
from tests.fakes.running import serving

FRONTS = 4
PER_S = 10.0
ONE_ADDRESS = {
    "STREAMER_REALTIME__MAX_CONNECTIONS_PER_ADDRESS": "20000",
    "STREAMER_SERVER__MAX_CONNECTIONS_PER_HOUSEHOLD": "20000",
}

Say = Callable[[str], None]


@dataclass
class Row:
    clients: int
    fronts: int
    figures: Figures
    core_cpu_s: float
    orders: int
    disordered: int


async def measure(sizes: tuple[int, ...], rounds: int, window_s: float, say: Say) -> list[Row]:
    raise_limit()
    return [await _one(clients, fronts, rounds, window_s, say) for clients in sizes for fronts in (0, FRONTS)]


async def _one(clients: int, fronts: int, rounds: int, window_s: float, say: Say) -> Row:
    environment = ALL_AT_ONCE | ONE_ADDRESS | {"STREAMER_SERVER__WEB_PROCESSES": str(fronts)}
    async with serving(environment=environment) as running:
        await running.room(ROOM, start="auto")
        core = running.pid("web")
        pids = [core, *(running.pid(f"front-{number}") for number in range(1, fronts + 1))]
        server = await gather_crowd(f"{fronts} fronts" if fronts else "alone", running.url, pids, clients)
        crowd, core_cpu_s, orders = server.crowd, 0.0, 0
        try:
            for number in range(rounds):
                before = machine.cpu_seconds([core])
                window = await server.window(window_s, PER_S, partial(random.Random(number).expovariate, PER_S))
                core_cpu_s += sum(machine.spent(before, machine.cpu_seconds([core])).values())
                server.figures.windows.append(window)
                orders = max(orders, crowd.orders())
                say(
                    f"processes, {clients} clients, {server.figures.name}, round {number + 1}: {window.events}"
                    f" deliveries, {window.cpu_s:.2f} CPU s, p99 {machine.percentile(window.delays_ms, 99):.0f} ms,"
                    f" lost {window.lost}, refused {window.refused}, {orders} order, load {machine.load():.1f}"
                )
            disordered = sum(member.disordered for member in crowd.members)
        finally:
            await crowd.leave()
    return Row(clients, fronts, server.figures, core_cpu_s, orders, disordered)


def table(rows: list[Row]) -> str:
    lines = [
        f"| Sockets, {PER_S:g} messages/s | Front processes | p50 / p99, ms | Lost | Orders | CPU of a delivery, us"
        " | Of the core alone, us |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        figures = row.figures
        events = max(1, sum(window.events for window in figures.windows))
        delays = f"{figures.delay_ms(50):.0f} / {figures.delay_ms(99):.0f}"
        lines.append(
            f"| {row.clients} | {row.fronts or 'none'} | {delays} | {figures.lost} | {row.orders + row.disordered}"
            f" | {1e6 / max(0.001, figures.per_cpu_s):.1f} | {1e6 * row.core_cpu_s / events:.2f} |"
        )
    return "\n".join(lines)
