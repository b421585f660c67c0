"""Of all web processes on one database one directs: it alone writes and orders, whoever stops, dies or comes back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from streamer.conference.rooms import Room
from streamer.director.directorship import Directorship, Watch, folder_id
from streamer.store import revision
from streamer.store.database import Database, NotTheDirector, StoreUnavailable, database_url
from streamer.store.directors import DirectorHolder, Directors
from streamer.store.rooms import Rooms
from tests.fakes.chance import dice
from tests.fakes.stores import postgres, store_url
from tests.fakes.waiting import until, until_answered

__all__ = ["postgres", "store_url"]

ABSENT_S = 0.6


@dataclass
class Server:
    """A web process on a database: it takes the direction, gives signs and writes. ``written``: (revision, epoch)."""

    database: Database
    directorship: Directorship
    written: list[tuple[int, int]] = field(default_factory=list)
    ordered: list[int] = field(default_factory=list)
    refused: int = 0
    stopped: bool = False
    signs: asyncio.Task[None] | None = None
    saw: list[DirectorHolder] = field(default_factory=list)

    async def begin(self) -> None:
        await self.directorship.take(self.saw.append)
        self.go_on()

    def go_on(self) -> None:
        self.stopped = False
        self.signs = asyncio.create_task(self.directorship.run(), name="signs")

    async def stop(self) -> None:
        """As SIGSTOP: no more signs, and what it does after that it does as if nothing had happened."""
        self.stopped = True
        if self.signs is not None:
            self.directorship.halt()
            await self.signs

    async def work(self, number: int) -> None:
        try:
            async with self.database.write() as connection:
                # Also while it lets go: what has passed the guard is of its epoch.
                epoch = self.directorship._me.epoch
                await Rooms(connection).add(Room(f"r{number}", "x"))
                at = await revision.current(connection)
            self.written.append((at, epoch))
        except StoreUnavailable:
            self.refused += 1

    async def order(self) -> None:
        try:
            self.ordered.append(await self.directorship.order_epoch())
        except NotTheDirector:
            self.refused += 1


@contextlib.asynccontextmanager
async def server(store_url: str, name: str, *, floor: int = 0, absent_s: float = ABSENT_S) -> AsyncIterator[Server]:
    database = Database(database_url(store_url, Path("/nowhere")), busy_limit_s=2)
    await database.start()
    me = DirectorHolder(holder=name, host=name, pid=1, folder=f"/{name}")
    one = Server(database, Directorship(database, me, absent_s=absent_s, floor=floor))
    try:
        yield one
    finally:
        await one.stop()
        await database.close()


async def row(database: Database) -> DirectorHolder:
    async with database.read() as connection:
        return await Directors(connection).holder()


async def test_the_second_waits_says_who_directs_and_takes_over_when_that_one_ends(store_url: str) -> None:
    async with server(store_url, "a") as first, server(store_url, "b") as second:
        await first.begin()
        waiting = asyncio.create_task(second.begin())
        await until(lambda: len(second.saw) > 20)
        assert not waiting.done(), "longer than it would wait for one that is gone"
        assert {(seen.host, seen.epoch) for seen in second.saw} == {("a", 1)}
        await second.work(1)
        assert second.refused == 1, "who waits writes nothing"
        await first.work(2)
        await first.stop()
        await first.directorship.release()
        looks = len(second.saw)
        await waiting
        assert len(second.saw) <= looks + 1, "at once: at most one look was under way, and showed the first"
        await second.work(3)
        assert [epoch for _, epoch in (*first.written, *second.written)] == [1, 2]
        assert (await row(second.database)).host == "b"


async def test_one_that_was_stopped_writes_and_orders_nothing_after_another_took_over(store_url: str) -> None:
    async with server(store_url, "a") as first, server(store_url, "b") as second:
        await first.begin()
        await first.work(1)
        await first.stop()
        await second.begin()
        # Without an answer it would go on; a busy machine's comes late.
        first.directorship._answer_s = 30
        await first.order()
        await first.work(2)
        assert (first.refused, first.ordered) == (2, [])
        assert first.directorship.lost is not None
        assert first.directorship.lost.host == "b"
        await first.directorship.release()
        assert (await row(second.database)).host == "b", "it lets go of nothing that it has not got"


async def test_a_write_alone_finds_out_and_a_writer_in_the_middle_is_waited_for(store_url: str) -> None:
    """No order was given and nobody looked: the transaction itself sees the row."""
    async with server(store_url, "a") as first, server(store_url, "b") as second:
        await first.begin()
        await first.stop()
        async with first.database.write() as connection:
            await Rooms(connection).add(Room("half", "x"))
            taking = asyncio.create_task(second.begin())
            await until(lambda: len(second.saw) > 5)
            await asyncio.sleep(2 * ABSENT_S)
            assert not taking.done()
        await taking
        async with second.database.read() as connection:
            assert await Rooms(connection).find("half") is not None, "it was written under its own epoch"
        with pytest.raises(NotTheDirector):
            async with first.database.write():
                pass


async def test_a_loop_that_was_late_does_not_take_the_database_for_absent(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stands still for longer than an answer may take, just after it has asked."""
    stalls, stalled = [0.4], asyncio.Event()
    holder = Directors.holder

    async def stall(self: Directors) -> DirectorHolder:
        if stalls and one.directorship._looking.locked():
            asyncio.get_running_loop().call_soon(time.sleep, stalls.pop())
            stalled.set()
        return await holder(self)

    async with server(store_url, "a", absent_s=1.5) as one:
        await one.directorship.take()
        async with one.database.read():
            monkeypatch.setattr(Directors, "holder", stall)
            one.go_on()
            await stalled.wait()
            for number in range(20):
                await one.work(number)
        assert one.refused == 0, "neither what was going on nor what came after was refused"
        assert len(one.written) == 20


async def test_a_crowd_that_takes_all_connections_ends_neither_signs_nor_answers(store_url: str) -> None:
    async with (
        server(store_url, "a", absent_s=2) as one,
        server(store_url, "b", absent_s=2) as second,
        contextlib.AsyncExitStack() as crowd,
    ):
        await one.directorship.take()
        for _ in range(15):
            await crowd.enter_async_context(one.database.read())
        one.go_on()
        before = (await row(second.database)).sign

        async def signs_on() -> bool:
            # Of a busy machine's database one question may go without an answer.
            with contextlib.suppress(StoreUnavailable):
                return (await row(second.database)).sign >= before + 5
            return False

        await until_answered(signs_on)
        await crowd.aclose()
        await one.work(1)
        assert (one.refused, one.directorship.epoch) == (0, 1)


async def test_the_same_folder_need_not_wait_for_its_dead_process(store_url: str, tmp_path: Path) -> None:
    async with server(store_url, "a") as first:
        await first.begin()
        await first.stop()
        async with server(store_url, "a") as again:
            await again.begin()
            assert (again.directorship.epoch, again.saw) == (2, []), "it did not wait"
    (tmp_path / "run").mkdir()
    known = folder_id(tmp_path / "run")
    assert folder_id(tmp_path / "run") == known
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "director.id").write_bytes((tmp_path / "run" / "director.id").read_bytes())
    assert folder_id(tmp_path / "copy") != known, "a copied folder proves nothing of the first one's processes"


async def test_rooms_that_obeyed_more_than_an_older_database_knows_obey_its_next_epoch(store_url: str) -> None:
    async with server(store_url, "a", floor=57) as one:
        await one.begin()
        assert one.directorship.epoch == 58


async def test_commands_beside_a_running_instance_write_without_directing(store_url: str) -> None:
    async with server(store_url, "a") as one:
        await one.begin()
        beside = Database(database_url(store_url, Path("/nowhere")))
        await beside.start()
        async with beside.write() as connection:
            await Rooms(connection).add(Room("imported", "x"))
        await beside.close()
        await one.work(1)
        assert one.written
        assert (await row(one.database)).epoch == 1


@pytest.mark.search
async def test_at_any_time_at_most_one_writes(store_url: str) -> None:
    """Three servers that stop and go on at random, and that go on writing and ordering whatever they believe."""
    chance = dice()
    numbers = iter(range(10_000))
    async with contextlib.AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(server(store_url, name)) for name in "abc"]
        over = asyncio.Event()

        async def live(one: Server) -> None:
            while not over.is_set():
                if not one.stopped:
                    await one.work(next(numbers))
                    await one.order()
                await asyncio.sleep(chance.uniform(0, 0.03))

        async def take_again(one: Server) -> None:
            """The supervisor starts one anew that has lost it."""
            while not over.is_set():
                if one.directorship.lost is not None:
                    await one.stop()
                    one.stopped = False
                    me = replace(one.directorship._me, epoch=0)
                    one.directorship = Directorship(one.database, me, absent_s=ABSENT_S)
                    await one.begin()
                await asyncio.sleep(0.05)

        def writer() -> Server | None:
            """The director, once it has written."""
            found = (one for one in servers if one.directorship.epoch)
            return next((one for one in found if one.directorship.epoch in [at for _, at in one.written]), None)

        async def wake(one: Server) -> None:
            """It knows nothing of what has happened."""
            assert one.directorship.lost is None
            before = one.refused
            one.stopped = False
            await until(lambda: one.refused > before)

        taking = [asyncio.create_task(one.begin()) for one in servers]
        lives = [asyncio.create_task(life(one)) for one in servers for life in (live, take_again)]
        for _ in range(4):
            # A holder that never wrote would be missing below.
            await until(writer)
            holder = writer()
            assert holder is not None
            await holder.stop()
            before = holder.directorship.epoch
            await until(
                lambda at=before: any(one.directorship.epoch > at for one in servers),
            )
            await wake(holder)
            await asyncio.sleep(chance.uniform(0, ABSENT_S / 2))
        over.set()
        # The last holder lets go, so that whoever waits ends.
        while not all(task.done() for task in (*taking, *lives)):
            for one in servers:
                if one.directorship.epoch:
                    await one.stop()
                    await one.directorship.release()
            await asyncio.sleep(0.05)
    written = sorted((at, epoch, number) for number, one in enumerate(servers) for at, epoch in one.written)
    epochs = [epoch for _, epoch, _ in written]
    assert len(set(epochs)) >= 4
    assert epochs == sorted(epochs), "somebody wrote after another had taken over"
    authors = {(epoch, number) for _, epoch, number in written}
    assert len(authors) == len(set(epochs)), "two wrote in one epoch"


def test_only_looks_that_follow_each_other_count() -> None:
    watch, holder = Watch(10, 3), DirectorHolder(1, "a", 5)
    assert not watch.is_idle(holder, 0, 0)
    assert not watch.is_idle(holder, 2, 2)
    # The watcher itself was stopped for a minute.
    assert not watch.is_idle(holder, 62, 62)
    for at in range(64, 72, 2):
        assert not watch.is_idle(holder, at, at)
    assert watch.is_idle(holder, 72, 72)
    assert not watch.is_idle(replace(holder, sign=6), 74, 74)
    watch.forget()
    assert not watch.is_idle(replace(holder, sign=6), 75, 75)
