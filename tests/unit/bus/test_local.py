"""Both sides of the bus over real Unix sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from streamer.bus.local import LocalCore, LocalFront
from streamer.bus.port import UNAVAILABLE
from streamer.errors import Conflict, StreamerError
from tests.fakes.waiting import until


class Said(msgspec.Struct):
    text: str
    data: bytes = b""


class Heard(msgspec.Struct):
    text: str


class Unlike(msgspec.Struct):
    number: int


@asynccontextmanager
async def core(run_dir: Path) -> AsyncIterator[LocalCore]:
    made = LocalCore(run_dir)

    async def echo(said: Said) -> Heard:
        return Heard(said.text + said.data.decode())

    async def refuse(said: Said) -> None:
        raise Conflict("Not now.", code="not_now", details={"said": said.text}, headers={"Retry-After": "3"})

    async def hang(_said: Said) -> None:
        await asyncio.Event().wait()

    made.answer("core.echo", Said, echo)
    made.answer("core.refuse", Said, refuse)
    made.answer("core.hang", Said, hang)
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


async def test_a_request_is_answered_or_refused_as_the_core_says(tmp_path: Path) -> None:
    async with core(tmp_path), front(tmp_path) as one:
        await until(lambda: one.up)
        assert await one.request("core.echo", Said("a", b"b"), Heard, 10.0) == Heard("ab")
        with pytest.raises(StreamerError) as caught:
            await one.request("core.refuse", Said("a"), Heard, 10.0)
        error = caught.value
        assert (error.code, error.status, error.details) == ("not_now", 409, {"said": "a"})
        assert error.headers == {"Retry-After": "3"}
        with pytest.raises(StreamerError) as caught:
            await one.request("core.echo", Unlike(1), Heard, 10.0)
        assert caught.value.code == "bad_params"


async def test_each_front_hears_its_own_subject_in_order(tmp_path: Path) -> None:
    mine: list[str] = []
    theirs: list[str] = []
    async with (
        core(tmp_path) as bus,
        front(tmp_path, "front.1", lambda said: mine.append(said.text)) as one,
        front(tmp_path, "front.2", lambda said: theirs.append(said.text)) as two,
    ):
        await until(lambda: one.up and two.up)
        bus.publish("front.1", Unlike(5))  # logged and dropped
        for number in range(500):
            bus.publish(f"front.{1 + number % 2}", Said(str(number)))
        bus.publish("front.3", Said("to nobody"))
        await until(lambda: len(mine) + len(theirs) == 500)
    assert mine == [str(number) for number in range(0, 500, 2)]
    assert theirs == [str(number) for number in range(1, 500, 2)]


async def test_a_bus_that_carries_nothing_says_so_at_once_and_when_it_is_lost(tmp_path: Path) -> None:
    told: list[bool] = []
    async with front(tmp_path) as one:
        one.listen(told.append)
        with pytest.raises(StreamerError) as caught:
            await one.request("core.echo", Said("a"), Heard, 60.0)
        assert (caught.value.code, told) == (UNAVAILABLE, [])
        async with core(tmp_path):
            await until(lambda: one.up)
            with pytest.raises(StreamerError) as caught:
                await one.request("core.hang", Said("a"), Heard, 0.01)
            assert caught.value.code == UNAVAILABLE
            lost = asyncio.create_task(one.request("core.hang", Said("a"), Heard, 60.0))
            assert await one.request("core.echo", Said("a"), Heard, 10.0) == Heard("a")
        with pytest.raises(StreamerError) as caught:
            await lost
        assert caught.value.code == UNAVAILABLE
        await until(lambda: told == [True, False])


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
        async with front(tmp_path, "front.3") as three:
            await until(lambda: three.up)
        assert gone == ["front.1", "front.2"]


async def test_a_front_that_does_not_read_is_cut_off_and_comes_back(tmp_path: Path) -> None:
    heard: list[str] = []
    gone: list[str] = []
    async with (
        core(tmp_path) as bus,
        front(tmp_path, "front.1", lambda said: heard.append(said.text)) as one,
    ):
        bus.on_gone(gone.append)
        await until(lambda: one.up)
        for number in range(5):
            bus.publish("front.1", Said(str(number), bytes(10_000_000)))
        assert one.up
        await until(lambda: gone == ["front.1"])
        await until(lambda: one.up)
        bus.publish("front.1", Said("again"))
        await until(lambda: heard[-1:] == ["again"])
