"""Followers of a held playlist at an edge beside the same followers at the server itself: what they cost the server,
and how soon all are answered. Then a segment read from the edge beside the same bytes as a file from the same cache
with its own rules. The clients are ``followers.c`` and ``reads.c``, on the same cores; the edge is Debian's Varnish
with our configuration, without TLS.

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
from tests.fakes.publishing import camera_process
from tests.fakes.running import Running, free_port, serving
from tests.fakes.shared import SMALL
from tests.fakes.varnish import varnish
from tests.fakes.waiting import until_answered

HERE = Path(__file__).parent
READERS = 16
ROUNDS = 3
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

    kilobytes: float
    edge_per_s: float
    static_per_s: float
    edge_cpu_us: float
    """Of the cache, for each answer."""
    static_cpu_us: float


async def measure(counts: tuple[int, ...], seconds: float, say: Callable[[str], None]) -> tuple[list[Run], Reads]:
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
                    await until_answered(lambda: _answers(server, f"http://127.0.0.1:{port}{playlist}"))
                    for followers in counts:
                        for where, at in (("server", origin), ("edge", port)):
                            # Requests that the last client left held would be counted as this one's. And a server
                            # that was behind may still be thought away by the edge, which then answers 503.
                            await until_answered(lambda: _at_rest(server), limit_s=60)
                            await until_answered(lambda: _answers(server, f"http://127.0.0.1:{port}{playlist}"))
                            run = await _run(server, cache.pid, client, where, at, playlist, followers, seconds)
                            say(str(run))
                            runs.append(run)
                    reads = await _reads(server, cache.pid, reader, port, playlist, seconds / 5, say)
    return runs, reads


async def _reads(
    server: Running, cache: int, reader: Path, port: int, playlist: str, seconds: float, say: Callable[[str], None]
) -> Reads:
    """Of the newest whole segment."""
    folder, beside, origin = reader.with_name("static"), free_port(), free_port()
    folder.mkdir()
    async with server.session.get(server.url + playlist) as response:
        listed = re.findall(r"^[^#\n]+\.m4s$", await response.text(), re.M)
    segment = playlist.rpartition("/")[0] + "/" + listed[-1]
    async with server.session.get(server.url + segment) as response:
        assert response.status == 200
        (folder / "segment.m4s").write_bytes(data := await response.read())
    files = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(folder), str(origin)]
    rounds: dict[int, list[tuple[float, float]]] = {port: [], beside: []}
    with (
        subprocess.Popen(files, stderr=subprocess.DEVNULL) as static,
        varnish(reader.with_name("plain"), port=beside, origin=origin, plain=True) as plain,
    ):
        places = ((port, segment, cache), (beside, "/segment.m4s", plain.pid))
        try:
            await until_answered(lambda: _answers(server, f"http://127.0.0.1:{beside}/segment.m4s"))
            for _ in range(ROUNDS):
                for at, path, pid in places:
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
    return Reads(len(data) / 1000, edge[0], file[0], edge[1], file[1])


async def _answers(server: Running, address: str) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with server.session.get(address) as response:
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


def table(runs: list[Run], reads: Reads) -> str:
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
    lines += [
        "",
        f"| A segment of {reads.kilobytes:.0f} kB, {READERS} readers | Answers | CPU of the cache for each |",
        "| --- | --- | --- |",
        f"| The edge | {reads.edge_per_s:.0f} /s | {reads.edge_cpu_us:.0f} µs |",
        f"| A file of the same bytes, by Varnish's own rules | {reads.static_per_s:.0f} /s "
        f"| {reads.static_cpu_us:.0f} µs |",
        f"| The edge beside it (at least 0.95) | {reads.edge_per_s / reads.static_per_s:.2f} |"
        f" {reads.static_cpu_us / reads.edge_cpu_us:.2f} |",
    ]
    return "\n".join(lines)
