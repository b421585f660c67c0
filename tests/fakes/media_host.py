"""Media hosts whose rooms are fakes (tests/fakes/room.py), in the test's loop or as processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamer
from streamer.control import process_files, run_folder
from streamer.control.channel import Channel
from streamer.control.messages import RoomConfig
from streamer.host.media_host import MediaHost
from streamer.settings import Settings
from tests.fakes.waiting import until

REPOSITORY = Path(streamer.__file__).parent.parent
PROGRAM = (sys.executable, str(REPOSITORY / "tests/fakes/room.py"))


def make_settings(tmp_path: Path, **room: float) -> Settings:
    return Settings.model_validate(
        {
            "data": tmp_path,
            "admin_token": "sesame" * 6,
            "room": {"restart_backoff_s": 0.05, "warm_spare": False, **room},
        }
    )


HOST_SCRIPT = """
import asyncio, sys, pathlib
from streamer.control import process_files
from streamer.host.media_host import run_host
settings = process_files.read_settings(pathlib.Path(sys.argv[1]))
sys.exit(asyncio.run(run_host(settings, program=sys.argv[2:])))
"""


def start_host(settings: Settings) -> subprocess.Popen[bytes]:
    file = process_files.write_settings(settings)
    return subprocess.Popen([sys.executable, "-c", HOST_SCRIPT, str(file), *PROGRAM], cwd=REPOSITORY)


async def ensure_over_socket(settings: Settings, config: RoomConfig) -> dict[str, object]:
    await until(lambda: reachable(settings))
    channel = await Channel.open(settings.run_dir, run_folder.MEDIA_SOCKET)
    try:
        result: dict[str, object] = await channel.request("ensure", config)
        return result
    finally:
        await channel.close()


def reachable(settings: Settings) -> bool:
    try:
        run_folder.connect(settings.run_dir, run_folder.MEDIA_SOCKET).close()
    except OSError:
        return False
    return True


@asynccontextmanager
async def running_host(settings: Settings) -> AsyncIterator[MediaHost]:
    host = MediaHost(settings, program=PROGRAM)
    await host.start()
    task = asyncio.create_task(host.run())
    try:
        yield host
    finally:
        host.leave()
        await task
