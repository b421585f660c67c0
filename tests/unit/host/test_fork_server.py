"""Rooms that are forked: real processes (fakes without media), real locks, real kills."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path
from types import ModuleType

import pytest

from streamer.control import process_files
from streamer.control.messages import RoomConfig
from streamer.host import fork_server, spawn
from streamer.room import forking
from tests.fakes.media_host import PROGRAM, ensure_over_socket, make_settings, running_host, start_host
from tests.fakes.waiting import until

MAIN = RoomConfig(id="main", name="Main")
SIDE = RoomConfig(id="side", name="Side")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_rooms_are_forked_and_are_processes_of_their_own(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        server = host._fork_server.pid
        assert server is not None
        entries = await asyncio.gather(host.ensure(MAIN), host.ensure(SIDE))
        assert len({server, *(entry.pid for entry in entries)}) == 3
        assert process_files.rooms_running(settings.run_dir) == ["main", "side"]
        for entry in entries:
            assert process_files.read_pid(process_files.room_pid_file(settings.run_dir, entry.room)) == entry.pid
            assert is_forked(entry.pid)
            assert os.getsid(entry.pid) == entry.pid
            assert entry.pid in children(os.getpid()), "its exit code is told to us"
            held = [os.readlink(link) for link in Path(f"/proc/{entry.pid}/fd").iterdir()]
            assert os.readlink(f"/proc/{entry.pid}/fd/0") == "/dev/null"
            assert [name for name in held if name.endswith(".pid")] == [f"{settings.run_dir}/room-{entry.room}.pid"]
        # A room that crashes is forked again; one that ends with code 0 is over.
        os.kill(entries[0].pid, signal.SIGKILL)
        await until(lambda: host.entries[0].restarts == 1 and host.entries[0].state == "up")
        assert is_forked(host.entries[0].pid)
        os.kill(entries[1].pid, signal.SIGTERM)
        await until(lambda: [entry.room for entry in host.entries] == ["main"])
        assert host._fork_server.pid == server
    assert not alive(server)
    assert process_files.rooms_running(settings.run_dir) == []


@pytest.mark.parametrize("how", ["killed", "stopped"])
async def test_a_fork_server_that_does_not_fork_costs_no_more_than_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(fork_server, "FORK_LIMIT_S", 0.2)
    monkeypatch.setattr(fork_server, "RETRY_S", 0.05)
    settings = make_settings(tmp_path, warm_spare=True)
    async with running_host(settings) as host:
        first = host._fork_server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        entry = await host.ensure(MAIN)
        assert (entry.state, entry.restarts) == ("up", 0)
        assert not is_forked(entry.pid)
        await until(lambda: host._fork_server.pid not in (None, first))
        assert not alive(first)
        monkeypatch.setattr(fork_server, "FORK_LIMIT_S", 10)
        assert is_forked((await host.ensure(SIDE)).pid)


@pytest.mark.parametrize("name", ["streamer.part", "library"])
def test_after_an_upgrade_nothing_is_forked_from_the_program_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    part = tmp_path / "part.py"
    part.touch()
    loaded = ModuleType(name)
    loaded.__file__ = str(part)
    monkeypatch.setitem(sys.modules, name, loaded)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    asker, answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def upgraded() -> dict[str, tuple[int, int, int]]:
        found = program_files()
        part.write_text("new")
        return found

    program_files = forking.program_files
    monkeypatch.setattr(forking, "program_files", upgraded)
    monkeypatch.setattr(forking, "_stdin", theirs.fileno)
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked"))
    with ours, theirs, asker, answers:
        socket.send_fds(ours, [b"main"], [os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), answers.fileno()])
        assert forking.fork_rooms() is None


async def test_nothing_is_forked_where_the_setting_says_so(tmp_path: Path) -> None:
    async with running_host(make_settings(tmp_path)) as host:
        assert host._fork_server.pid is None
        assert not is_forked((await host.ensure(MAIN)).pid)
        assert host._fork_server.pid is None


async def test_the_fork_server_ends_with_its_host_and_its_rooms_are_adopted(tmp_path: Path) -> None:
    settings = make_settings(tmp_path, warm_spare=True)
    first = start_host(settings)
    await until(lambda: process_files.read_pid(settings.run_dir / "media.pid") == first.pid)
    forked = int(str((await ensure_over_socket(settings, MAIN))["pid"]))
    (server,) = set(children(first.pid)) - {forked}
    first.kill()
    first.wait()
    await until(lambda: not alive(server))
    assert process_files.rooms_running(settings.run_dir) == ["main"]
    async with running_host(make_settings(tmp_path)) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        assert host.entries[0].pid == forked
    assert not alive(forked)


async def test_a_host_from_before_an_upgrade_is_given_a_spare(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    file = process_files.write_settings(settings)
    lock = process_files.try_lock(process_files.room_pid_file(settings.run_dir, "main"))
    assert lock is not None
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            command = [*PROGRAM, "--data", str(tmp_path), "--settings", str(file), "--spare"]
            spare = spawn.launch(command, stdin=theirs.fileno())
        socket.send_fds(ours, [b"main"], [lock])
    os.close(lock)
    async with running_host(settings) as host:
        await until(lambda: host.entries and host.entries[0].state == "up")
        assert host.entries[0].pid == spare.pid
    assert spare.wait() == 0


def is_forked(pid: int) -> bool:
    return b"--fork-server" in Path(f"/proc/{pid}/cmdline").read_bytes()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
