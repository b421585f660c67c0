"""The promises of the bus's port, over each adapter: a Unix socket, and a real NATS server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from streamer.bus.local import LocalCore, LocalFront
from streamer.bus.nats_connection import Access
from streamer.bus.over_nats import NatsCore, NatsFront
from streamer.bus.port import UNAVAILABLE, CoreBus, FrontBus
from streamer.errors import Conflict, StreamerError
from tests.fakes.nats_server import NatsServer, needs_nats, running_nats
from tests.fakes.waiting import LIMIT_S, until


class Said(msgspec.Struct, frozen=True):
    n: int
    text: str = ""


class Sides:
    """Makes the sides of one adapter; all are closed at the end."""

    def __init__(self, folder: Path, nats: NatsServer | None) -> None:
        self.folder, self.nats = folder, nats
        self.made: list[Any] = []

    def core(self) -> CoreBus:
        return self._kept(LocalCore(self.folder) if self.nats is None else NatsCore(self._access("core")))

    def front(self) -> FrontBus:
        return self._kept(LocalFront(self.folder) if self.nats is None else NatsFront(self._access("front")))

    def _access(self, role: Any) -> Access:
        assert self.nats is not None
        return Access.of(self.nats.settings(), role)

    def _kept(self, side: Any) -> Any:
        self.made.append(side)
        return side


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    with running_nats(tmp_path_factory.mktemp("nats") / "server") as server:
        yield server


@pytest_asyncio.fixture(params=["local", pytest.param("nats", marks=needs_nats)])
async def sides(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sides]:
    over = request.getfixturevalue("nats") if request.param == "nats" else None
    made = Sides(tmp_path, over)
    yield made
    for side in made.made:
        await side.close()


@dataclass
class Pair:
    core: CoreBus
    front: FrontBus
    heard: list[Said]


@pytest_asyncio.fixture
async def pair(sides: Sides) -> Pair:
    """A core and one front, which hears ``front.1``."""
    core, front = sides.core(), sides.front()
    heard: list[Said] = []
    front.subscribe("front.1", Said, heard.append)
    await core.start()
    await front.start()
    await until(lambda: core.up and front.up)
    return Pair(core, front, heard)


async def doubled(asked: Said) -> Said:
    return Said(asked.n * 2, asked.text)


async def test_what_is_published_arrives_in_order_at_the_front_that_it_is_for(sides: Sides, pair: Pair) -> None:
    other, elsewhere = sides.front(), list[Said]()
    other.subscribe("front.2", Said, elsewhere.append)
    await other.start()
    await until(lambda: other.up)
    for n in range(1000):
        pair.core.publish("front.1", Said(n))
    pair.core.publish("front.2", Said(0, "x" * 300_000))
    await until(lambda: len(pair.heard) == 1000 and elsewhere)
    assert [said.n for said in pair.heard] == list(range(1000))
    assert [len(said.text) for said in elsewhere] == [300_000]


async def test_requests_begin_in_the_order_in_which_they_were_sent_and_each_gets_its_answer(pair: Pair) -> None:
    begun: list[int] = []
    go_on = asyncio.Event()

    async def slow(asked: Said) -> Said:
        begun.append(asked.n)
        await go_on.wait()
        return await doubled(asked)

    pair.core.answer("core.double", Said, slow)
    asking = [asyncio.create_task(pair.front.request("core.double", Said(n), Said, LIMIT_S)) for n in range(100)]
    await until(lambda: len(begun) == 100)
    assert begun == list(range(100))
    go_on.set()
    assert [said.n for said in await asyncio.gather(*asking)] == [2 * n for n in range(100)]


async def test_answers_are_structs_builtins_or_none(pair: Pair) -> None:
    async def builtins(asked: Said) -> dict[str, Any]:
        return {"n": asked.n, "bytes": b"\x00\xff"}

    async def none(_asked: Said) -> None:
        return None

    pair.core.answer("core.builtins", Said, builtins)
    pair.core.answer("core.none", Said, none)
    assert await pair.front.request("core.builtins", Said(3), dict[str, Any], LIMIT_S) == {"n": 3, "bytes": b"\x00\xff"}
    assert await pair.front.request("core.none", Said(3), type(None), LIMIT_S) is None


async def test_an_error_of_the_core_is_the_same_error_in_the_front(pair: Pair) -> None:
    async def refuses(_asked: Said) -> None:
        raise Conflict("Taken.", code="taken", details={"by": "Ann"}, headers={"Retry-After": "3"})

    async def breaks(_asked: Said) -> None:
        raise ValueError("secret")

    pair.core.answer("core.refuses", Said, refuses)
    pair.core.answer("core.breaks", Said, breaks)
    pair.core.answer("core.double", Said, doubled)
    error = await refusal(pair, "core.refuses")
    assert (error.code, error.status, error.message) == ("taken", 409, "Taken.")
    assert (error.details, error.headers) == ({"by": "Ann"}, {"Retry-After": "3"})
    error = await refusal(pair, "core.breaks")
    assert (error.code, error.status, "secret" in error.message) == ("internal", 500, False)
    error = await refusal(pair, "core.double", Wrong("no number"))
    assert (error.code, error.status) == ("bad_params", 400)
    assert (await refusal(pair, "core.nothing")).code == "unknown_method"


class Wrong(msgspec.Struct):
    n: str


async def refusal(pair: Pair, subject: str, message: msgspec.Struct = Said(1)) -> StreamerError:  # noqa: B008
    with pytest.raises(StreamerError) as caught:
        await pair.front.request(subject, message, type(None), LIMIT_S)
    return caught.value


async def test_what_a_front_cannot_read_is_dropped_and_the_next_is_heard(pair: Pair) -> None:
    pair.core.publish("front.1", Wrong("no number"))
    pair.core.publish("front.1", Said(2))
    await until(lambda: pair.heard)
    assert pair.heard == [Said(2)]


async def test_a_request_that_takes_too_long_ends_and_its_answer_disturbs_no_other(pair: Pair) -> None:
    go_on = asyncio.Event()

    async def slow(asked: Said) -> Said:
        await go_on.wait()
        return asked

    pair.core.answer("core.slow", Said, slow)
    pair.core.answer("core.double", Said, doubled)
    with pytest.raises(StreamerError) as caught:
        await pair.front.request("core.slow", Said(1), Said, 0.05)
    assert (caught.value.code, caught.value.status) == (UNAVAILABLE, 503)
    go_on.set()
    assert await pair.front.request("core.double", Said(4), Said, LIMIT_S) == Said(8)


async def test_without_a_core_requests_fail_at_once_and_what_is_published_is_lost(sides: Sides) -> None:
    core, front = sides.core(), sides.front()
    states: list[bool] = []
    core.listen(states.append)
    heard: list[Said] = []
    front.subscribe("front.1", Said, heard.append)
    core.publish("front.1", Said(1))
    await front.start()
    async with asyncio.timeout(LIMIT_S):
        with pytest.raises(StreamerError, match="starts again"):
            await front.request("core.double", Said(1), Said, 3600)
    core.answer("core.double", Said, doubled)
    await core.start()
    await until(lambda: core.up and front.up)
    assert states == [True]
    assert await front.request("core.double", Said(1), Said, LIMIT_S) == Said(2)
    core.publish("front.1", Said(2))
    await until(lambda: heard)
    assert heard == [Said(2)]


async def _asking_in_vain(pair: Pair) -> asyncio.Task[None]:
    begun = asyncio.Event()

    async def never(_asked: Said) -> None:
        begun.set()
        await asyncio.Event().wait()

    pair.core.answer("core.never", Said, never)
    asking = asyncio.create_task(pair.front.request("core.never", Said(1), type(None), 3600))
    await begun.wait()
    return asking


async def _is_unavailable(asking: asyncio.Task[None]) -> None:
    with pytest.raises(StreamerError) as caught:
        await asyncio.wait_for(asking, LIMIT_S)
    assert caught.value.code == UNAVAILABLE


async def test_what_waits_for_an_answer_ends_where_its_own_side_is_closed(pair: Pair) -> None:
    asking = await _asking_in_vain(pair)
    states: list[bool] = []
    pair.front.listen(states.append)
    await pair.front.close()
    await _is_unavailable(asking)
    assert (states, pair.front.up) == ([False], False)


async def test_what_waits_for_an_answer_ends_where_the_core_is_closed(pair: Pair) -> None:
    asking = await _asking_in_vain(pair)
    await pair.core.close()
    await _is_unavailable(asking)
    assert not pair.core.up


async def test_what_was_published_goes_out_before_the_core_ends(pair: Pair) -> None:
    for n in range(100):
        pair.core.publish("front.1", Said(n))
    await pair.core.close()
    await until(lambda: len(pair.heard) == 100)


async def test_what_was_stopped_is_heard_no_more(sides: Sides, pair: Pair) -> None:
    other, heard = sides.front(), list[Said]()
    stop = other.subscribe("front.2", Said, heard.append)
    states: list[bool] = []
    deaf = other.listen(states.append)
    deaf()
    await other.start()
    await until(lambda: other.up)
    stop()
    pair.core.publish("front.2", Said(1))
    pair.core.publish("front.1", Said(2))
    await until(lambda: pair.heard)
    with contextlib.suppress(StreamerError):
        await other.request("core.nothing", Said(1), Said, LIMIT_S)
    assert (heard, states) == ([], [])
