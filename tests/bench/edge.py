"""Followers of a held playlist at an edge beside the same followers at the server itself: what they cost the server,
and how soon all are answered. Then parts read from the edge beside the same bytes as files from the same cache with its
own rules. The clients are ``followers.c`` and ``reads.c``, on the same cores; the edge is Debian's Varnish with our
configuration, without TLS.

    python -m tests.bench edge [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.bench import machine
from tests.fakes.delivery_server import serve
from tests.fakes.ports import free_port
from tests.fakes.publishing import camera_process
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALL
from tests.fakes.varnish import varnish
from tests.fakes.waiting import until_answered

HERE = Path(__file__).parent
READERS = 16
ROUNDS = 15
PARTS = (26_000, 200_000)
"""Bytes of a part: of sound or a small picture, and of video at 4.5 Mbit/s."""
FULL = 100
SETTINGS = SMALL | {
    "STREAMER_HLS__SEGMENT_S": "2",
    "STREAMER_HLS__TARGET_DURATION_S": "3",
    "STREAMER_HLS__MAX_HELD_PER_ADDRESS": "20000",
    "STREAMER_HLS__CACHE_BYTES_PER_ROOM": "96000000",
    "STREAMER_SERVER__MAX_CONNECTIONS_PER_HOUSEHOLD": "10000",
}


@dataclass(frozen=True)
class Run:
    where: str
    followers: int
    told: dict[str, Any]
    """The client's figures."""
    playlists: float
    """Playlists that the server answered for each state, without the sentinel's."""
    parts: float
    web_cpu: float
    """Cores of the web process."""
    edge_cpu: float
    load: float


@dataclass(frozen=True)
class Reads:
    """Medians of some rounds, one after the other in turn."""

    part_bytes: int
    edge_per_s: float
    static_per_s: float
    edge_cpu_us: float
    """Of the cache, for each answer."""
    static_cpu_us: float


async def measure(counts: tuple[int, ...], seconds: float, say: Callable[[str], None]) -> tuple[list[Run], list[Reads]]:
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        client, reader = Path(folder) / "followers", Path(folder) / "reads"
        for program in (client, reader):
            subprocess.run(["cc", "-O2", "-o", str(program), str(HERE / f"{program.name}.c")], check=True)
        port = free_port()
        async with serving(environment=SETTINGS) as server:
            await server.room("hall", start="auto")
            origin = int(server.url.rpartition(":")[2])
            async with camera_process(server, "hall"):
                await server.wait_state("hall", "live")
                playlist = await _playlist(server)
                with varnish(Path(folder) / "varnish", port=port, origin=origin) as cache:
                    await until_answered(lambda: _answers(server.session, f"http://127.0.0.1:{port}{playlist}"))
                    for followers in counts:
                        for where, at in (("server", origin), ("edge", port)):
                            # Requests that the last client left held would be counted as this one's. And a server
                            # that was behind may still be thought away by the edge, which then answers 503.
                            await until_answered(lambda: _at_rest(server), limit_s=60)
                            await until_answered(lambda: _answers(server.session, f"http://127.0.0.1:{port}{playlist}"))
                            run = await _run(server, cache.pid, client, where, at, playlist, followers, seconds)
                            say(str(run))
                            runs.append(run)
        reads = [await _reads(reader, size, seconds / 20, say) for size in PARTS]
    return runs, reads


async def _reads(reader: Path, size: int, seconds: float, say: Callable[[str], None]) -> Reads:
    folder = reader.with_name(f"{size}")
    port, beside, files_port = (free_port() for _ in range(3))
    async with serve(folder / "data") as origin, aiohttp.ClientSession() as session:
        fake = origin.broadcast(id="read", part_bytes=size).open()
        fake.segments(3)
        part = origin.media(fake, "v720/2.0.m4s")
        (folder / "static").mkdir()
        (folder / "static" / "part.m4s").write_bytes(fake.data["v720", 2, 0])
        files = ["http.server", "--bind", "127.0.0.1", "--directory", str(folder / "static"), str(files_port)]
        asked = int(origin.url.rpartition(":")[2])
        rounds: dict[int, list[tuple[float, float]]] = {port: [], beside: []}
        with (
            subprocess.Popen(
                [sys.executable, "-m", *files], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as static,
            varnish(folder / "varnish", port=port, origin=asked) as cache,
            varnish(folder / "plain", port=beside, origin=files_port, plain=True) as plain,
        ):
            try:
                for at, path in ((port, part), (beside, "/part.m4s")):
                    address = f"http://127.0.0.1:{at}{path}"
                    await until_answered(lambda address=address: _answers(session, address))  # type: ignore[misc]
                for _ in range(ROUNDS):
                    for at, path, pid in ((port, part, cache.pid), (beside, "/part.m4s", plain.pid)):
                        before = machine.cpu_seconds(machine.family(pid))
                        process = await asyncio.create_subprocess_exec(
                            *(str(reader), str(at), path, str(READERS), str(seconds)), stdout=asyncio.subprocess.PIPE
                        )
                        told = json.loads((await process.communicate())[0])
                        say(f"{path} {told}")
                        assert told["errors"] == 0
                        spent = sum(machine.spent(before, machine.cpu_seconds(machine.family(pid))).values())
                        rounds[at].append((told["reads"] / told["seconds"], spent / told["reads"] * 1e6))
            finally:
                static.terminate()
    edge, file = ([machine.median(values) for values in zip(*rounds[at], strict=True)] for at in (port, beside))
    return Reads(size, edge[0], file[0], edge[1], file[1])


async def _answers(session: aiohttp.ClientSession, address: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(address) as response:
            return response.status == 200
    return False


async def _run(
    server: Running, cache: int, client: Path, where: str, port: int, playlist: str, followers: int, seconds: float
) -> Run:
    web, edge = server.pid("web"), machine.family(cache)
    origin = server.url.rpartition(":")[2]
    before, served = machine.cpu_seconds([web, *edge]), await _answered(server)
    process = await asyncio.create_subprocess_exec(
        *(str(client), str(port), origin, playlist, str(followers), str(FULL), str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    told = json.loads(output)
    after = machine.cpu_seconds([web, *edge])
    spent = {pid: cpu.seconds - before[pid].seconds for pid, cpu in after.items()}
    web_cpu, edge_cpu = spent[web] / seconds, sum(spent[pid] for pid in edge) / seconds
    states = max(1, told["states"])
    playlists, parts = (now - was for now, was in zip(await _answered(server), served, strict=True))
    return Run(where, followers, told, playlists / states - 1, parts / states, web_cpu, edge_cpu, machine.load())


async def _playlist(server: Running) -> str:
    """The path of the top rendition's playlist."""
    async with server.session.get(f"{server.url}/live/hall/index.m3u8") as response:
        lines = (await response.text()).splitlines()
    return "/live/hall/" + next(line for line in lines if line and not line.startswith("#"))


async def _answered(server: Running) -> tuple[float, float]:
    """Playlists and parts that the server has answered."""
    figures = await _figures(server)
    return figures["playlists_total"], figures["parts_total"]


async def _at_rest(server: Running) -> bool:
    return (await _figures(server))["held_now"] == 0


async def _figures(server: Running) -> dict[str, float]:
    """Of delivery, by their names without the first words."""
    async with server.session.get(f"{server.url}/metrics") as response:
        found = re.findall(r"^streamer_delivery_(\w+) (\S+)$", await response.text(), re.M)
    return {name: float(value) for name, value in found}


def table(runs: list[Run], reads: list[Reads]) -> str:
    lines = [
        "| Held playlists | Playlists, parts a state | Woken p50 / p95 / max | Stale | Late | Errors | Web process "
        "| Edge |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        told = run.told
        delays = f"{told['p50_ms']:.0f} / {told['p95_ms']:.0f} / {told['max_ms']:.0f} ms"
        edge = f"{run.edge_cpu:.2f} cores" if run.where == "edge" else ""
        answered = f"{run.playlists:.2f}, {run.parts:.2f}"
        lines.append(
            f"| {run.followers} followers and {FULL} of parts, at the {run.where} | {answered} | {delays} |"
            f" {told['breaches']} | {told['late']} | {told['errors']} | {run.web_cpu:.2f} cores | {edge} |"
        )
    for read in reads:
        lines += [
            "",
            f"| A part of {read.part_bytes // 1000} kB, {READERS} readers | Answers | CPU of the cache for each |",
            "| --- | --- | --- |",
            f"| The edge | {read.edge_per_s:.0f} /s | {read.edge_cpu_us:.1f} µs |",
            f"| A file of the same bytes, by Varnish's own rules | {read.static_per_s:.0f} /s "
            f"| {read.static_cpu_us:.1f} µs |",
            f"| The edge beside it (at least 0.95) | {read.edge_per_s / read.static_per_s:.2f} |"
            f" {read.static_cpu_us / read.edge_cpu_us:.2f} |",
        ]
    return "\n".join(lines)
