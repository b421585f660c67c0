"""Followers of a held playlist at an edge beside the same followers at the server itself: what they cost the server,
and how soon all are answered. The client is ``followers.c``, on the same cores; the edge is Debian's Varnish with our
configuration, without TLS.

    python -m tests.bench edge [--quick]
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
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

CLIENT = Path(__file__).with_name("followers.c")
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


async def measure(counts: tuple[int, ...], seconds: float, say: Callable[[str], None]) -> list[Run]:
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        client = Path(folder) / "followers"
        subprocess.run(["cc", "-O2", "-o", str(client), str(CLIENT)], check=True)
        port = free_port()
        async with serving(environment=SETTINGS) as server:
            await server.room("hall", start="auto")
            origin = int(server.url.rpartition(":")[2])
            async with camera_process(server, "hall"):
                await server.wait_state("hall", "live")
                playlist = await _playlist(server)
                with varnish(Path(folder) / "varnish", port=port, origin=origin) as cache:

                    async def up() -> bool:
                        with contextlib.suppress(aiohttp.ClientError):
                            async with server.session.get(f"http://127.0.0.1:{port}{playlist}") as response:
                                return response.status == 200
                        return False

                    await until_answered(up)
                    for followers in counts:
                        for where, at in (("server", origin), ("edge", port)):
                            run = await _run(server, cache.pid, client, where, at, playlist, followers, seconds)
                            say(str(run))
                            runs.append(run)
    return runs


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
    async with server.session.get(f"{server.url}/metrics") as response:
        lines = dict(line.rsplit(" ", 1) for line in (await response.text()).splitlines() if not line.startswith("#"))
    playlists, parts = (float(lines[f"streamer_delivery_{kind}_total"]) for kind in ("playlists", "parts"))
    return playlists, parts


def table(runs: list[Run]) -> str:
    lines = [
        "| Held playlists | Playlists, parts a state | Woken p50 / p95 / max | Stale | Errors | Web process | Edge |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for run in runs:
        told = run.told
        delays = f"{told['p50_ms']:.0f} / {told['p95_ms']:.0f} / {told['max_ms']:.0f} ms"
        edge = f"{run.edge_cpu:.2f} cores" if run.where == "edge" else ""
        answered = f"{run.playlists:.2f}, {run.parts:.2f}"
        lines.append(
            f"| {run.followers} followers and {FULL} of parts, at the {run.where} | {answered} | {delays} |"
            f" {told['breaches']} | {told['errors']} | {run.web_cpu:.2f} cores | {edge} |"
        )
    return "\n".join(lines)
