"""A spare room process: real processes (fakes without media), real locks, real kills."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from streamer.control import process_files
from streamer.control.messages import RoomConfig
from streamer.host import spare as spare_module
from tests.fakes.media_host import ensure_over_socket, make_settings, running_host, start_host
from tests.fakes.waiting import until

MAIN = RoomConfig(id="main", name="Main")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_the_spare_becomes_the_room_and_the_next_one_is_made_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare_module, "REFILL_S", 0.1)
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        waiting = host.spare_pid
        assert waiting is not None
        entry = await host.ensure(MAIN)
        assert entry.pid == waiting
        assert process_files.read_pid(process_files.room_pid_file(settings.run_dir, "main")) == waiting
        assert process_files.rooms_running(settings.run_dir) == ["main"]
        await until(lambda: host.spare_pid not in (None, waiting))
        following = host.spare_pid
        assert (await host.ensure(RoomConfig(id="side", name="Side"))).pid == following
        await until(lambda: host.spare_pid not in (None, following))
        last = host.spare_pid
    assert last is not None
    assert not alive(last)
    assert process_files.rooms_running(settings.run_dir) == []


async def test_a_room_that_was_a_spare_is_restarted_from_the_next_spare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spare_module, "REFILL_S", 0.1)
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        first = await host.ensure(MAIN)
        await until(lambda: host.spare_pid not in (None, first.pid))
        following = host.spare_pid
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: host.entries[0].restarts == 1 and host.entries[0].state == "up")
        assert host.entries[0].pid == following


async def test_a_spare_that_was_killed_costs_a_cold_start_and_no_more(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        waiting = host.spare_pid
        assert waiting is not None
        os.kill(waiting, signal.SIGKILL)
        await until(lambda: not alive(waiting))
        entry = await host.ensure(MAIN)
        assert entry.pid != waiting
        assert (entry.state, entry.restarts) == ("up", 0)


async def test_no_spare_where_the_setting_says_so(tmp_path: Path) -> None:
    async with running_host(make_settings(tmp_path)) as host:
        assert host.spare_pid is None
        assert (await host.ensure(MAIN)).state == "up"
        assert host.spare_pid is None


async def test_an_idle_spare_ends_with_its_host_and_a_used_one_is_adopted(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    first = start_host(settings)
    await until(lambda: process_files.read_pid(settings.run_dir / "media.pid") == first.pid)
    await until(lambda: bool(children(first.pid)))
    spare = children(first.pid)[0]
    first.kill()
    first.wait()
    await until(lambda: not alive(spare))

    second = start_host(settings)
    await until(lambda: process_files.read_pid(settings.run_dir / "media.pid") == second.pid)
    used = int(str((await ensure_over_socket(settings, MAIN))["pid"]))
    second.kill()
    second.wait()
    assert process_files.rooms_running(settings.run_dir) == ["main"]
    async with running_host(make_settings(tmp_path)) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        assert host.entries[0].pid == used
    assert not alive(used)


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
