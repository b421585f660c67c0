"""The bus over a Unix socket, where it differs from others; test_contract.py has the rest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from streamer.bus.local import LocalCore, LocalFront
from tests.fakes.waiting import until


class Said(msgspec.Struct):
    text: str
    data: bytes = b""


@asynccontextmanager
async def core(run_dir: Path) -> AsyncIterator[LocalCore]:
    made = LocalCore(run_dir)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def front(
    run_dir: Path, subject: str = "front.1", hear: Callable[[Said], None] = lambda said: None
) -> AsyncIterator[LocalFront]:
    made = LocalFront(run_dir)
    made.subscribe(subject, Said, hear)
    await made.start()
    try:
        yield made
    finally:
        await made.close()


async def test_after_a_restart_of_the_core_a_front_hears_the_next_one(tmp_path: Path) -> None:
    heard: list[str] = []
    async with front(tmp_path, "front.1", lambda said: heard.append(said.text)) as one:
        for text in ("first", "second"):
            async with core(tmp_path) as bus:
                await until(lambda: one.up)
                bus.publish("front.1", Said(text))
                await until(lambda text=text: heard[-1:] == [text])
            await until(lambda: not one.up)
    assert heard == ["first", "second"]


async def test_the_core_learns_at_once_that_a_front_has_gone(tmp_path: Path) -> None:
    gone: list[str] = []
    async with core(tmp_path) as bus:
        stop = bus.on_gone(gone.append)
        async with front(tmp_path, "front.1") as one, front(tmp_path, "front.2") as two:
            await until(lambda: one.up and two.up)
            await one.close()
            await until(lambda: gone == ["front.1"])
        await until(lambda: gone == ["front.1", "front.2"])
        stop()
        later: list[str] = []
        bus.on_gone(later.append)
        async with front(tmp_path, "front.3") as three:
            await until(lambda: three.up)
        await until(lambda: later == ["front.3"])
        assert gone == ["front.1", "front.2"]


async def test_a_front_that_does_not_read_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    heard: list[str] = []
    gone: list[str] = []
    states: list[bool] = []
    async with (
        core(tmp_path) as bus,
        front(tmp_path, "front.1", lambda said: heard.append(said.text)) as one,
    ):
        bus.on_gone(gone.append)
        await until(lambda: one.up)
        one.listen(states.append)
        for number in range(5):
            bus.publish("front.1", Said(str(number), bytes(10_000_000)))
        assert one.up
        await until(lambda: gone == ["front.1"])
        # The core knows first that it is cut off.
        await until(lambda: states == [False, True])
        bus.publish("front.1", Said("again"))
        await until(lambda: heard[-1:] == ["again"])
