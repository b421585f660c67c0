"""Deliveries of a chat by one web process, by front processes before their core, and by these with a standby,
PostgreSQL and NATS: latency, losses, order, and what a delivery costs, all processes together and the core alone.

    python -m tests.bench processes [--quick]
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from streamer.descriptors import raise_limit
from tests.bench import machine
from tests.bench.fanout import ROOM, Figures, gather_crowd
from tests.fakes.nats_server import running_nats
from tests.fakes.ordeals import ALL_AT_ONCE
from tests.fakes.postgres import binaries, running_postgres
from tests.fakes.running import Running, serving
from tests.fakes.waiting import until

FRONTS = 4
PER_S = 10.0
ONE_ADDRESS = {
    "STREAMER_REALTIME__MAX_CONNECTIONS_PER_ADDRESS": "20000",
    "STREAMER_SERVER__MAX_CONNECTIONS_PER_HOUSEHOLD": "20000",
}
FRONT_PROCESSES = {"STREAMER_SERVER__WEB_PROCESSES": str(FRONTS)}
AS_INSTALLED = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}
"""Acknowledged data is on disk, as an operator has it."""

Say = Callable[[str], None]


@dataclass
class Others:
    """Programs beside the server's own. ``pids``: their present processes."""

    environment: dict[str, str] = field(default_factory=dict)
    pids: Callable[[], list[int]] = list


@dataclass
class Row:
    """CPU seconds of the core, and of PostgreSQL and NATS; ``figures`` has those of all."""

    clients: int
    figures: Figures
    core_cpu_s: float = 0.0
    others_cpu_s: float = 0.0
    orders: int = 0
    disordered: int = 0
    doubled: int = 0


@contextmanager
def _alone() -> Iterator[Others]:
    yield Others()


@contextmanager
def _fronts() -> Iterator[Others]:
    yield Others(FRONT_PROCESSES)


@contextmanager
def _everything() -> Iterator[Others]:
    folder = binaries()
    if folder is None:
        raise SystemExit("PostgreSQL is not installed (apt-get install postgresql)")
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres(folder, **AS_INSTALLED))
        home = stack.enter_context(tempfile.TemporaryDirectory(prefix="streamer-nats-"))
        nats = stack.enter_context(running_nats(Path(home) / "nats", tls=True))
        store = {"STREAMER_STORE__URL": postgres.new_database(), "STREAMER_SERVER__STANDBY": "true"}
        yield Others(FRONT_PROCESSES | nats.environment() | store, lambda: [nats.pid, *postgres.pids()])


KINDS = {"one process": _alone, f"{FRONTS} fronts": _fronts, f"{FRONTS} fronts, standby, PostgreSQL, NATS": _everything}


async def measure(sizes: tuple[int, ...], rounds: int, window_s: float, say: Say) -> list[Row]:
    raise_limit()
    rows = []
    for clients in sizes:
        for name, kind in KINDS.items():
            with kind() as others:
                rows.append(await _one(name, others, clients, rounds, window_s, say))
    return rows


async def _one(name: str, others: Others, clients: int, rounds: int, window_s: float, say: Say) -> Row:
    async with serving(environment=ALL_AT_ONCE | ONE_ADDRESS | others.environment) as running:
        await running.room(ROOM, start="auto")
        core = running.pid("web")
        own = await _web_processes(running, others.environment)
        server = await gather_crowd(name, running.url, own, clients)
        crowd, row = server.crowd, Row(clients, server.figures)
        try:
            for number in range(rounds):
                beside = others.pids()
                server.pids = own + beside
                before, before_beside = machine.cpu_seconds([core]), machine.cpu_seconds(beside)
                window = await server.window(window_s, PER_S, partial(random.Random(number).expovariate, PER_S))
                row.core_cpu_s += sum(machine.spent(before, machine.cpu_seconds([core])).values())
                row.others_cpu_s += sum(machine.spent(before_beside, machine.cpu_seconds(beside)).values())
                server.figures.windows.append(window)
                row.orders = max(row.orders, crowd.orders())
                row.doubled += crowd.doubled()
                say(
                    f"processes, {clients} clients, {name}, round {number + 1}: {window.events}"
                    f" deliveries, {window.cpu_s:.2f} CPU s, p99 {machine.percentile(window.delays_ms, 99):.0f} ms,"
                    f" lost {window.lost}, refused {window.refused}, doubled {row.doubled}, {row.orders} order,"
                    f" load {machine.load():.1f}"
                )
            row.disordered = sum(member.disordered for member in crowd.members)
        finally:
            await crowd.leave()
    return row


async def _web_processes(running: Running, environment: dict[str, str]) -> list[int]:
    """The core, its front processes and its standby."""
    pids = [running.pid("web")]
    if FRONT_PROCESSES.items() <= environment.items():
        pids += [running.pid(f"front-{number}") for number in range(1, FRONTS + 1)]
    if "STREAMER_SERVER__STANDBY" in environment:
        await until(running.standby)
        standby = running.standby()
        assert standby is not None
        pids.append(standby)
    return pids


def table(rows: list[Row]) -> str:
    lines = [
        f"| Sockets, {PER_S:g} messages/s | Processes | p50 / p99, ms | Lost | Doubled | Orders | CPU of a delivery, us"
        " | Of the core alone, us | Of PostgreSQL and NATS, us |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        figures = row.figures
        events = max(1, sum(window.events for window in figures.windows))
        delays = f"{figures.delay_ms(50):.0f} / {figures.delay_ms(99):.0f}"
        lines.append(
            f"| {row.clients} | {figures.name} | {delays} | {figures.lost} | {row.doubled}"
            f" | {row.orders + row.disordered} | {1e6 / max(0.001, figures.per_cpu_s):.1f}"
            f" | {1e6 * row.core_cpu_s / events:.2f} | {1e6 * row.others_cpu_s / events:.2f} |"
        )
    return "\n".join(lines)
