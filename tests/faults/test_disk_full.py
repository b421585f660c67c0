"""A disk, or its inodes, full in the middle of a talk: live goes on, what is not recorded rings, and all comes back."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from pathlib import Path

import aiohttp
import pytest

from tests.fakes.following import all_past, faultless
from tests.fakes.hls_client import HlsFollower
from tests.fakes.publishing import smallest_camera
from tests.fakes.running import ADMIN_TOKEN, Running, serving
from tests.fakes.shared import PATIENT, SMALLEST
from tests.fakes.small_disk import needs_mounts, seen_by, with_disks
from tests.fakes.waiting import until, until_answered

pytestmark = [pytest.mark.asyncio, pytest.mark.slow, needs_mounts]

SETTINGS = SMALLEST | PATIENT | {"STREAMER_MEDIA__STILL_INTERVAL_S": "60"}
DISK = "size=128m,nr_inodes=400"
"""Twice as much as a server must have free to be ready."""
BLOCK = bytes(1 << 20)


def fill_bytes(folder: Path) -> Path:
    """Take all that is free, to the last page."""
    file = folder / "ballast"
    with file.open("ab", buffering=0) as out:
        for block in (BLOCK, bytes(4096)):
            with contextlib.suppress(OSError):
                while out.write(block) == len(block):
                    pass
    return file


def fill_inodes(folder: Path) -> list[Path]:
    made = []
    with contextlib.suppress(OSError):
        for number in range(10_000):
            file = folder / f"ballast-{number}"
            file.touch()
            made.append(file)
    assert len(made) < 10_000
    return made


async def alarms(server: Running) -> set[str]:
    return {alarm["code"] for alarm in (await server.api("GET", "/alarms?room=hall", status=200))["items"]}


async def writing(server: Running, name: str) -> tuple[int, str]:
    """Status and code of a write that makes something."""
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    body = {"id": name.lower().replace(" ", "-"), "name": name}
    async with server.session.post(f"{server.url}/api/v1/venues", json=body, headers=headers) as response:
        answer = await response.json()
        return response.status, answer.get("error", {}).get("code", "")


def recorded_bytes(rooms: Path) -> int:
    return sum(file.stat().st_size for file in rooms.glob("hall/*/*.m4s"))


def pids(server: Running) -> list[int]:
    return [server.pid(name) for name in ("web", "media", "room-hall")]


async def goes_on(follower: HlsFollower, segments: int) -> None:
    await follower.follow(until=all_past(segments))


async def test_live_goes_on_while_disk_and_inodes_are_full_and_all_comes_back_without_a_restart() -> None:
    with tempfile.TemporaryDirectory(prefix="streamer-") as temporary:
        data = Path(temporary) / "data"
        async with serving(data=data, environment=SETTINGS, before=with_disks({data: DISK})) as server:
            server.data = folder = seen_by(server.process.pid, data)
            await server.room("hall", start="auto")
            async with (
                smallest_camera(server, "hall"),
                HlsFollower(f"{server.url}/live/hall/index.m3u8", retry_s=5) as follower,
            ):
                await server.wait_state("hall", "live")
                await follower.open()
                await follower.follow(until=all_past(1))
                before = pids(server)

                ballast = await asyncio.to_thread(fill_bytes, folder)
                numbers = iter(range(10_000))

                async def refused() -> bool:
                    status, code = await writing(server, f"Venue {next(numbers)}")
                    assert (status, code) in ((201, ""), (503, "store_unavailable"))
                    return status == 503

                await until_answered(refused)
                await until_answered(lambda: rings(server, "disk_full"))
                await goes_on(follower, 1)
                assert (await server.state("hall"))["state"] == "live"

                ballast.unlink()
                await comes_back(server, follower, folder, "the disk")
                assert pids(server) == before

                many = await asyncio.to_thread(fill_inodes, folder)
                await goes_on(follower, 1)
                assert (await server.state("hall"))["state"] == "live"
                for file in many:
                    file.unlink()
                await comes_back(server, follower, folder, "the inodes")
                assert pids(server) == before
                faultless(follower)


async def rings(server: Running, kind: str) -> bool:
    return kind in await alarms(server)


async def comes_back(server: Running, follower: HlsFollower, folder: Path, what: str) -> None:
    """There is room again: writes succeed, nothing rings, parts reach the disk."""

    async def accepted() -> bool:
        with contextlib.suppress(aiohttp.ClientError):
            return (await writing(server, f"After {what}"))[0] == 201
        return False

    async def quiet() -> bool:
        return not {"disk_full", "disk_error"} & await alarms(server)

    await until_answered(accepted)
    await until_answered(quiet)
    size = recorded_bytes(folder / "rooms")
    await goes_on(follower, 0)
    await until(lambda: recorded_bytes(folder / "rooms") > size)
