"""One room out of memory: it ends alone and is opened again, its neighbour loses no packet, host and web plane live."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from streamer.control import process_files, run_folder
from streamer.control.client import MediaPlaneClient
from streamer.control.messages import Answer, Offer, RoomConfig
from streamer.host.media_host import MediaHost
from streamer.host.memory import RoomGroups
from streamer.room import memory_limit
from streamer.settings import Settings
from tests.fakes.hostile_room import Honest
from tests.fakes.media_host import HOST_SCRIPT, REPOSITORY
from tests.fakes.waiting import until

EATING = (sys.executable, str(REPOSITORY / "tests/fakes/eating_room.py"))


def small_settings(folder: Path, memory_mb: int) -> Settings:
    made = {
        "data": folder,
        "ice": {"host_addresses": ["127.0.0.1"]},
        "media": {"rungs": [{"height": 90, "bitrate_kbps": 100}]},
        "room": {"memory_mb": memory_mb, "restart_backoff_s": 0.05},
    }
    return Settings.model_validate(made)


@asynccontextmanager
async def two_rooms(settings: Settings) -> AsyncIterator[tuple[MediaPlaneClient, Honest]]:
    """A room that will eat and its neighbour, which is published to; somebody else runs the media host."""
    plane = MediaPlaneClient(settings)
    await plane.start()
    honest = Honest()
    try:
        await plane.ensure(RoomConfig(id="eater", name="Eater"))
        link = await plane.ensure(RoomConfig(id="neighbour", name="Neighbour"))
        answer = await link.offer(Offer("publish", await honest.offer(), "main", grant="g"))
        await honest.accept(msgspec.convert(answer, Answer) if isinstance(answer, dict) else answer)
        await until(
            lambda: link.status is not None and "main" in link.status.sources and link.status.sources["main"].up
        )
        yield plane, honest
    finally:
        await honest.stop()
        await honest.pc.close()
        await plane.close()


async def the_eater_ends(settings: Settings, plane: MediaPlaneClient) -> None:
    """Make it eat, until its next process is there."""
    pid = plane.entries["eater"].pid
    (settings.room_dir("eater") / "eat").touch()
    await until(lambda: plane.entries["eater"].pid not in (0, pid) and plane.entries["eater"].state == "up")
    assert plane.entries["eater"].restarts == 1


async def the_eater_ends_alone(settings: Settings, plane: MediaPlaneClient, honest: Honest) -> None:
    other = plane.entries["neighbour"].pid
    await the_eater_ends(settings, plane)
    sent = honest.frames
    await until(lambda: honest.frames > sent + 40)
    entry, status = plane.entries["neighbour"], plane.rooms["neighbour"].status
    assert (entry.pid, entry.restarts) == (other, 0)
    assert status is not None
    main = status.sources["main"]
    assert main.up
    assert main.video is not None
    assert main.audio is not None
    assert (main.video.lost, main.audio.lost) == (0, 0)
    assert plane.host_up


async def test_a_room_that_takes_more_memory_than_it_may_is_restarted_alone(tmp_path: Path) -> None:
    settings = small_settings(tmp_path, 300)
    host = MediaHost(settings, program=EATING)
    run_folder.make_run_dir(settings.run_dir)
    await host.start()
    running = asyncio.create_task(host.run())
    try:
        async with two_rooms(settings) as (plane, honest):
            await the_eater_ends_alone(settings, plane, honest)
            # The crew reads why, whichever web process asks; the neighbour's does not.
            link = plane.rooms["eater"]
            await until(lambda: link.status is not None and "room_out_of_memory" in link.status.alarms)
            neighbour = plane.rooms["neighbour"].status
            assert neighbour is not None
            assert "room_out_of_memory" not in neighbour.alarms
            adjusted = Path(f"/proc/{plane.entries['eater'].pid}/oom_score_adj").read_text()
            assert int(adjusted) == memory_limit.OOM_SCORE_ADJ
    finally:
        host.leave()
        await running


@contextlib.contextmanager
def memory_group(limit: int) -> Iterator[Path]:
    """A cgroup with a limit for a media host and its rooms, of either version. Skips where none can be made."""
    for root, name in (
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
        (Path("/sys/fs/cgroup"), "memory.max"),
    ):
        group = root / f"streamer-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            if not (group / name).exists():
                continue
            (group / name).write_text(str(limit))
            yield group
            return
        finally:
            with contextlib.suppress(OSError):
                group.rmdir()
    pytest.skip("no cgroup with a memory limit can be made here (not root, or without the controller)")


async def test_the_kernel_takes_the_room_and_leaves_the_host(tmp_path: Path) -> None:
    """The service's group is full before the host has looked: that room goes, not the host.

    The kernel may take the neighbour as well if it asks for memory before the first room's is free again. Only a group
    for each room prevents that (below).
    """
    settings = small_settings(tmp_path, 4096)
    run_folder.make_run_dir(settings.run_dir)
    with memory_group(900 * 1024 * 1024) as group:
        file = process_files.write_settings(settings)
        host = await asyncio.create_subprocess_exec(
            sys.executable, "-c", HOST_SCRIPT, str(file), *EATING, cwd=REPOSITORY, start_new_session=True
        )
        (group / "cgroup.procs").write_text(str(host.pid))
        try:
            async with two_rooms(settings) as (plane, _):
                await the_eater_ends(settings, plane)
                await until(lambda: plane.entries["neighbour"].state == "up")
                assert plane.entries["neighbour"].restarts <= 1
                assert host.returncode is None
        finally:
            with contextlib.suppress(ProcessLookupError):
                host.send_signal(signal.SIGTERM)
            await host.wait()
            await until(lambda: not (group / "cgroup.procs").read_text())


def test_a_service_that_may_divide_its_group_gives_each_room_one(tmp_path: Path) -> None:
    """A made-up file system of cgroups, as the kernel's would be written to."""
    service = tmp_path / "system.slice/streamer.service"
    service.mkdir(parents=True)
    (service / "cgroup.controllers").write_text("cpu memory pids")
    (service / "cgroup.procs").write_text("11\n12\n")
    own = tmp_path / "own"
    own.write_text("0::/system.slice/streamer.service\n")
    groups = RoomGroups.of_service(500, root=tmp_path, own=own, delegated=lambda group: group == service)
    # The processes of the group move down first, or the kernel refuses to divide it.
    assert (service / "service/cgroup.procs").read_text() == "12"
    assert (service / "cgroup.subtree_control").read_text() == "+memory"
    groups.confine("hall", 4711)
    room = service / "room-hall"
    assert {path.name: path.read_text() for path in room.iterdir()} == {
        "memory.max": str(500 * 1024 * 1024),
        "memory.oom.group": "1",
        "cgroup.procs": "4711",
    }
    (room / "memory.events").write_text("low 0\nhigh 0\nmax 20\noom 1\noom_kill 2\n")
    assert groups.release("hall")
    # The group was not empty yet and stays: what it counted is not the next process's.
    groups.confine("hall", 4712)
    assert not groups.release("hall")
    groups.confine("hall", 4713)
    (room / "memory.events").write_text("low 0\nhigh 0\nmax 40\noom 2\noom_kill 4\n")
    assert groups.release("hall")
    # The next host stands in the group below.
    own.write_text("0::/system.slice/streamer.service/service\n")
    below = RoomGroups.of_service(500, root=tmp_path, own=own, delegated=lambda group: group == service)
    below.confine("yard", 4714)
    assert (service / "room-yard/cgroup.procs").read_text() == "4714"


@pytest.mark.parametrize("own", ["0::/user.slice/session-1.scope\n", "0::/\n", "4:memory:/x\n", ""])
def test_a_group_that_is_not_left_to_us_is_left_alone(own: str, tmp_path: Path) -> None:
    (tmp_path / "own").write_text(own)
    groups = RoomGroups.of_service(500, root=tmp_path, own=tmp_path / "own")
    groups.confine("hall", 4711)
    assert not groups.release("hall")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]
