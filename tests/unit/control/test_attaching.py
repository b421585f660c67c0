"""``python -m streamer.control``: what an open room tells of itself."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from pathlib import Path

from streamer.control import run_folder
from tests.fakes.media_host import REPOSITORY
from tests.fakes.room import FakeRoom


async def _attach(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer.control", *arguments, cwd=REPOSITORY, stdout=-1, stderr=-1
    )


async def test_a_rooms_status_is_printed_and_followed(tmp_path: Path) -> None:
    room = FakeRoom(run_folder.make_run_dir(tmp_path / "run"), "a", broadcast="b1")
    await room.start()
    try:
        once = await _attach(str(tmp_path), "a")
        status, _ = await once.communicate()
        assert json.loads(status)["broadcast"] == "b1"
        attached = await _attach("--follow", str(tmp_path), "a")
        assert attached.stdout is not None
        async with asyncio.timeout(30):
            assert json.loads(await attached.stdout.readline())["status"]["alarms"] == []
            room.status.alarms = ["disk_full"]
            room.control.publish("status", room.status)
            assert json.loads(await attached.stdout.readline())["status"]["alarms"] == ["disk_full"]
            attached.send_signal(signal.SIGINT)
            assert await attached.wait() == 0
    finally:
        await room.stop()


async def test_a_room_that_is_not_open_is_said(tmp_path: Path) -> None:
    run_folder.make_run_dir(tmp_path / "run")
    attached = await _attach(str(tmp_path), "a")
    _, told = await attached.communicate()
    assert attached.returncode == 1
    assert told.decode().startswith("The room a does not answer in ")
