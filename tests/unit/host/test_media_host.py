"""The media host with real room processes (fakes), real kills and real sockets."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from streamer.control import process_files, run_folder
from streamer.control.channel import Channel
from streamer.control.messages import RoomConfig, RoomEntry
from streamer.errors import StreamerError
from streamer.host import media_host as host_module
from streamer.host.media_host import EXIT_ALREADY_RUNNING, MediaHost, run_host
from streamer.settings import Settings
from tests.fakes.media_host import PROGRAM, ensure_over_socket, make_settings, running_host, start_host
from tests.fakes.waiting import until


@pytest.fixture(autouse=True)
def no_room_outlives_the_test(tmp_path: Path) -> object:
    yield
    for path in (tmp_path / "run").glob("room-*.pid"):
        pid = process_files.read_pid(path)
        if pid is not None and process_files.is_locked(path):
            os.kill(pid, signal.SIGKILL)
    return None


def pid_of(settings: Settings, room: str) -> int | None:
    return process_files.read_pid(process_files.room_pid_file(settings.run_dir, room))


async def test_ensure_starts_a_room_once_for_any_number_of_callers(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running_host(settings) as host:
        config = RoomConfig(id="main", name="Main hall")
        entries = await asyncio.gather(*(host.ensure(config) for _ in range(10)))
        assert {entry.state for entry in entries} == {"up"}
        assert {entry.pid for entry in entries} == {pid_of(settings, "main")}
        assert process_files.load_room(settings, "main") == config
        assert oct((settings.run_dir / "settings.json").stat().st_mode & 0o777) == "0o600"
        assert "sesame" not in (settings.run_dir / "settings.json").read_text()
        assert process_files.read_settings(settings.run_dir / "settings.json").room == settings.room
    assert pid_of(settings, "main") is None
    assert run_folder.rooms_with_sockets(settings.run_dir) == []


async def test_a_killed_room_is_restarted_and_the_other_is_not_touched(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        first = await host.ensure(RoomConfig(id="main", name="Main"))
        other = await host.ensure(RoomConfig(id="side", name="Side"))
        os.kill(first.pid, signal.SIGKILL)
        await until(lambda: pid_of(settings, "main") not in (None, first.pid))
        again = await host.ensure(RoomConfig(id="main", name="Main"))
        assert (again.restarts, again.state) == (1, "up")
        assert pid_of(settings, "side") == other.pid


async def test_a_room_that_closes_is_not_restarted_but_opens_again_on_demand(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        first = await host.ensure(RoomConfig(id="main", name="Main"))
        channel = await Channel.open(settings.run_dir, run_folder.control_socket("main"))
        await channel.request("close")
        again = await host.ensure(RoomConfig(id="main", name="Main"))
        await channel.close()
        if again.pid == first.pid:  # asked before its end was seen
            await until(lambda: not host.entries)
            again = await host.ensure(RoomConfig(id="main", name="Main"))
        assert again.pid != first.pid
        assert again.restarts == 0


async def test_a_room_that_crashes_at_start_backs_off_and_ensure_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    settings.room_dir("main").mkdir(parents=True)
    (settings.room_dir("main") / "behaviour").write_text("crash")
    monkeypatch.setattr(host_module, "ENSURE_LIMIT_S", 1.5)
    async with running_host(settings) as host:
        with pytest.raises(StreamerError) as caught:
            await host.ensure(RoomConfig(id="main", name="Main"))
        assert (caught.value.code, caught.value.status) == ("room_start_failed", 503)
        assert "Retry-After" in caught.value.headers
        await until(lambda: host.entries[0].restarts >= 2)
        (settings.room_dir("main") / "behaviour").unlink()
        await until(lambda: host.entries[0].state == "up")


async def test_a_room_that_stops_answering_is_killed_and_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamer.host import supervisor

    monkeypatch.setattr(supervisor, "PING_EVERY_S", 0.1)
    monkeypatch.setattr(supervisor, "PING_LIMIT_S", 0.5)
    settings = make_settings(tmp_path)
    settings.room_dir("main").mkdir(parents=True)
    (settings.room_dir("main") / "behaviour").write_text("fade")
    async with running_host(settings) as host:
        first = await host.ensure(RoomConfig(id="main", name="Main"))
        await until(lambda: host.entries[0].restarts == 1)
        assert pid_of(settings, "main") != first.pid


async def test_a_room_that_never_listens_is_killed_and_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamer.host import supervisor

    monkeypatch.setattr(supervisor, "START_LIMIT_S", 0.5)
    settings = make_settings(tmp_path)
    settings.room_dir("main").mkdir(parents=True)
    (settings.room_dir("main") / "behaviour").write_text("deaf")
    async with running_host(settings) as host:
        asking = asyncio.create_task(host.ensure(RoomConfig(id="main", name="Main")))
        await until(lambda: host.entries and host.entries[0].restarts == 1)
        monkeypatch.setattr(supervisor, "START_LIMIT_S", 10)
        (settings.room_dir("main") / "behaviour").unlink()
        assert (await asking).state == "up"


async def test_rooms_are_bounded(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, max_rooms=1)
    async with running_host(settings) as host:
        await host.ensure(RoomConfig(id="main", name="Main"))
        with pytest.raises(StreamerError) as caught:
            await host.ensure(RoomConfig(id="side", name="Side"))
        assert (caught.value.code, caught.value.status) == ("too_many_rooms", 503)
        with pytest.raises(StreamerError) as caught:
            await host.ensure(RoomConfig(id="../../etc", name="x"))
        assert caught.value.code == "bad_room_id"


async def test_a_new_config_reaches_the_room_and_the_disk(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running_host(settings) as host:
        await host.ensure(RoomConfig(id="main", name="Main"))
        statuses: list[object] = []
        channel = await Channel.open(
            settings.run_dir, run_folder.control_socket("main"), lambda event: statuses.append(event.data["alarms"])
        )
        await host.ensure(RoomConfig(id="main", name="Renamed"))
        await until(lambda: ["named_Renamed"] in statuses)
        kept = process_files.load_room(settings, "main")
        assert kept is not None
        assert kept.name == "Renamed"
        await channel.close()


async def test_stop_closes_the_broadcast(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running_host(settings) as host:
        await host.ensure(RoomConfig(id="main", name="Main"))
        events: list[RoomEntry] = []
        channel = await Channel.open(settings.run_dir, run_folder.MEDIA_SOCKET, lambda event: events.append(event.data))
        await channel.request("stop", {"room": "main"})
        await until(lambda: not host.entries)
        await until(lambda: events and events[-1]["state"] == "closed")  # type: ignore[index]
        assert not (settings.room_dir("main") / "broadcast").exists()
        with pytest.raises(StreamerError) as caught:
            await channel.request("stop", {"room": "main"})
        assert caught.value.code == "no_such_room"
        await channel.close()


# --- whole processes -----------------------------------------------------------------------------------


async def test_a_room_survives_its_host_and_the_next_host_adopts_it(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    config = RoomConfig(id="main", name="Main")
    first = start_host(settings)
    entry = await ensure_over_socket(settings, config)
    first.kill()
    first.wait()
    assert process_files.rooms_running(settings.run_dir) == ["main"]
    assert not process_files.host_is_running(settings.run_dir)

    second = start_host(settings)
    again = await ensure_over_socket(settings, config)
    assert again["pid"] == entry["pid"]
    assert again["restarts"] == 0
    assert process_files.host_is_running(settings.run_dir)
    assert process_files.read_pid(settings.run_dir / "media.pid") == second.pid

    # An adopted room is watched like a child: it is restarted when it is killed ...
    os.kill(int(str(entry["pid"])), signal.SIGKILL)
    await until(lambda: pid_of(settings, "main") not in (None, entry["pid"]))
    # ... and SIGTERM drains all of it.
    await ensure_over_socket(settings, config)
    second.terminate()
    assert second.wait(10) == 0
    assert process_files.rooms_running(settings.run_dir) == []
    assert not (settings.run_dir / "media.pid").exists()
    assert not (settings.run_dir / "media.sock").exists()


async def test_an_adopted_room_that_closes_stays_closed(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    first = start_host(settings)
    await ensure_over_socket(settings, RoomConfig(id="main", name="Main"))
    first.kill()
    first.wait()
    async with running_host(settings) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        channel = await Channel.open(settings.run_dir, run_folder.control_socket("main"))
        await channel.request("close")
        await until(lambda: not host.entries)
        await channel.close()
    assert process_files.rooms_running(settings.run_dir) == []


async def test_a_room_without_a_written_pid_is_found_by_its_lock(tmp_path: Path) -> None:
    """The host was killed between starting the room and writing its pid."""
    settings = make_settings(tmp_path)
    first = start_host(settings)
    entry = await ensure_over_socket(settings, RoomConfig(id="main", name="Main"))
    first.kill()
    first.wait()
    process_files.room_pid_file(settings.run_dir, "main").write_text("")
    async with running_host(settings) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        assert host.entries[0].pid == entry["pid"]


async def test_a_restarted_host_opens_again_what_it_had_to_drain(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    async with running_host(settings) as host:
        await host.ensure(RoomConfig(id="main", name="Main"))
        broadcast = (settings.room_dir("main") / "broadcast").read_text()
    async with running_host(settings) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        assert (settings.room_dir("main") / "broadcast").read_text() == broadcast


async def test_a_room_that_was_open_too_long_ago_stays_closed(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    run_folder.make_run_dir(settings.run_dir)
    process_files.save_room(settings, RoomConfig(id="main", name="Main"))
    process_files.mark_open(settings, "main")
    os.utime(settings.run_dir / "room-main.open", (1, 1))
    async with running_host(settings) as host:
        assert host.entries == []


async def test_a_second_host_gives_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = make_settings(tmp_path)
    monkeypatch.setattr(host_module, "LOCK_ATTEMPTS", 2)
    run_folder.make_run_dir(settings.run_dir)
    lock = process_files.try_lock(settings.run_dir / process_files.HOST_LOCK)
    assert lock is not None
    assert await run_host(settings, program=PROGRAM) == EXIT_ALREADY_RUNNING
    os.close(lock)


async def test_a_host_may_leave_its_rooms_to_the_next(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    host = MediaHost(settings, program=PROGRAM)
    await host.start()
    task = asyncio.create_task(host.run())
    entry = await host.ensure(RoomConfig(id="main", name="Main"))
    channel = await Channel.open(settings.run_dir, run_folder.MEDIA_SOCKET)
    await channel.request("shutdown", {"rooms": False})
    await task
    await channel.close()
    assert process_files.rooms_running(settings.run_dir) == ["main"]
    async with running_host(settings) as successor:
        await until(lambda: successor.entries and successor.entries[0].state == "up")
        assert successor.entries[0].pid == entry.pid
