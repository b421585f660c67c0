"""Sockets in front processes: a core that goes and comes, fronts that go, messages that are lost."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from streamer.bus.local import LocalFront
from streamer.bus.nats_connection import Access
from streamer.bus.over_nats import NatsCore, NatsFront
from streamer.bus.port import unavailable
from streamer.conference.sessions import Visibility
from streamer.realtime import bus_messages, for_fronts, in_front
from streamer.realtime.in_front import SocketsInFront
from streamer.realtime.service import Realtime
from tests.fakes.attendees import Attendee, RawClient, join
from tests.fakes.media_plane import FakePlane
from tests.fakes.nats_server import needs_nats, running_nats
from tests.fakes.talking import ListedAccess, QuietAudience, ScriptedDirector, audience_of, core_of, front_of
from tests.fakes.waiting import until


@dataclass
class Place:
    """A data folder with front processes, and at times a core."""

    run_dir: Path
    director: ScriptedDirector
    audience: Any = field(default_factory=QuietAudience)
    plane: FakePlane = field(default_factory=FakePlane)
    access: ListedAccess = field(default_factory=ListedAccess)

    @contextlib.asynccontextmanager
    async def core(self, **settings: Any) -> AsyncIterator[Realtime]:
        made = core_of(self.director, self.audience, self.plane, self.access, self.run_dir, **settings)
        async with made as (realtime, _):
            yield realtime

    @contextlib.asynccontextmanager
    async def front(self, name: str = "1", **settings: Any) -> AsyncIterator[tuple[SocketsInFront, str]]:
        async with front_of(self.run_dir, name, **settings) as (sockets, port):
            yield sockets, f"http://127.0.0.1:{port}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "run", ScriptedDirector())


def numbers(client: Attendee) -> list[Any]:
    return [event["data"] for event in client.events if event["type"] == "test"]


async def inside(*clients: Attendee, snapshots: int) -> None:
    await until(lambda: all(len(client.snapshots) == snapshots for client in clients))


async def test_each_front_is_told_what_somebody_there_reads(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: dict[str, list[str]] = {"1": [], "2": []}
    real = SocketsInFront._posted

    def posted(self: SocketsInFront, event: bus_messages.Posted) -> None:
        heard[self._name].append(event.channel)
        real(self, event)

    monkeypatch.setattr(SocketsInFront, "_posted", posted)
    async with place.core() as core, place.front("1") as (_, one), place.front("2") as (_, two):
        ann, ben = await join(one, room="a"), await join(two, room="b")
        for number in range(20):
            core.hub.post("/audience", "a", "test", number)
            core.hub.post("/audience", "b", "test", -number)
        core.hub.post("/audience", "a", "test", "alone", only=ann.snapshots[0]["you"]["id"])
        core.hub.post("/audience", "b", "test", "stranger's", only=ann.snapshots[0]["you"]["id"])
        await until(lambda: numbers(ann)[-1:] == ["alone"] and len(numbers(ben)) == 20)
        assert numbers(ann) == [*range(20), "alone"]
        assert numbers(ben) == [-number for number in range(20)]
        assert heard == {"1": ["a"] * 21, "2": ["b"] * 20}
        await ann.close()
        await until(lambda: not list(core.hub.clients("/audience", "a")))
        core.hub.post("/audience", "a", "test", "to nobody")
        core.hub.post("/audience", "b", "test", "last")
        await until(lambda: numbers(ben)[-1] == "last")
        assert len(heard["1"]) == 21
        await ben.close()


async def test_sockets_outlive_the_core_and_begin_anew_with_the_next(tmp_path: Path) -> None:
    director = ScriptedDirector()
    director.plan("s1", begins_in=-1)
    async with audience_of(director, tmp_path / "db") as audience:
        place = Place(tmp_path / "run", director, audience)
        async with place.front() as (front, url):
            async with place.core(newcomer_s=0) as core:
                ann = await join(url, room="a", name="Ann")
                assert (await ann.command("name.set", {"name": "Anna"}))["ok"]
                core.hub.post("/audience", "a", "test", 1)
                await ann.told("test")
            await until(lambda: not front._bus.up)
            async with place.core(newcomer_s=0) as core:
                await inside(ann, snapshots=2)
                core.hub.post("/audience", "a", "test", 2)
                await until(lambda: numbers(ann) == [1, 2])
                answer = await ann.command("chat.send", {"text": "Hello"})
                assert answer["ok"], answer
                said = await ann.told("chat.message")
        first, second = ann.snapshots
        assert (first["reset"], second["reset"], second["resumed"]) == (False, True, False)
        # The same participant, under the name that they took.
        assert second["you"]["id"] == first["you"]["id"] == said["data"]["participant"]
        assert second["you"]["name"] == said["data"]["name"] == "Anna"
        assert second["seq"] > first["seq"]
        assert ann.faults == []
        await ann.close()


async def test_a_lost_message_is_noticed_and_nothing_is_lost_or_doubled(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LocalFront._hear
    drop: set[int] = set()

    def hear(self: LocalFront, event: Any) -> None:
        if event.data["number"] not in drop:
            real(self, event)

    monkeypatch.setattr(LocalFront, "_hear", hear)
    async with place.core() as core, place.front() as (front, url):
        clients = [await join(url, room="a") for _ in range(5)]
        for number in range(10):
            core.hub.post("/audience", "a", "test", number)
        await until(lambda: all(len(numbers(client)) == 10 for client in clients))
        # One in the middle, which the next shows; and the last, which a greeting shows.
        for begin, lost in ((10, 3), (20, 10)):
            drop.clear()
            drop.add(front._heard + lost)
            stream = front._stream
            for number in range(begin, begin + 10):
                core.hub.post("/audience", "a", "test", number)
            await until(lambda stream=stream: front._stream not in ("", stream) and not drop.clear())
            await until(lambda end=begin + 10: all(len(numbers(client)) >= end for client in clients))
        for client in clients:
            assert numbers(client) == list(range(30))
            assert [snapshot["resumed"] for snapshot in client.snapshots] == [False, True, True]
            assert not client.disconnected.is_set()
            await client.close()


async def test_a_slow_reader_is_not_doubled_what_waited_for_it(place: Place) -> None:
    """Events that stand in the front's log for it when another stream begins come with its entering, and once."""
    room = {"max_behind_bytes": 10**8, "log_bytes": 10**8}
    async with (
        place.core(**room) as core,
        place.front(**room) as (front, url),
        aiohttp.ClientSession() as http,
    ):
        client = await RawClient.open(http, url)
        await client.message()
        posted = 0
        while front.stats.lagging == 0:
            core.hub.post("/audience", "a", "test", [posted, "x" * 50_000])
            posted += 1
            await asyncio.sleep(0.001)
        front._lose("told to")
        await until(lambda: core.stats.resumed_total == 1)
        core.hub.post("/audience", "a", "test", [posted, "last"])
        told: list[int] = []
        while not told or told[-1] != posted:
            name, data = await client.message()
            told += [event["data"][0] for event in data] if name == "events" else []
        assert told == list(range(posted + 1))


async def test_a_command_waits_for_the_next_core(place: Place) -> None:
    place.access.admit("anna", "technician", room="a")
    async with place.front() as (front, url):
        async with place.core():
            anna = await join(url, "/studio", room="a", token="anna")
        await until(lambda: not front._bus.up)
        asked = asyncio.create_task(anna.command("air.slate", {"on": True}))
        async with place.core():
            assert (await asked)["ok"]
            assert len(anna.snapshots) == 2
            await anna.close()


@needs_nats
async def test_what_nats_drops_and_what_is_said_while_it_is_away_is_sent_again(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_nats(tmp_path / "nats") as nats:
        of_core = NatsCore(Access.of(nats.settings(), "core"))
        of_front = NatsFront(Access.of(nats.settings(), "front"), in_bytes=40_000)
        monkeypatch.setattr("tests.fakes.talking.LocalCore", lambda _run_dir: of_core)
        monkeypatch.setattr("tests.fakes.talking.LocalFront", lambda _run_dir: of_front)
        async with place.core() as core, place.front() as (front, url):
            await until(lambda: of_core.up and of_front.up)
            ann = await join(url, room="a")
            sent = 0
            while not front.stats.streams_lost_total:
                for _ in range(300):
                    core.hub.post("/audience", "a", "test", sent)
                    sent += 1
                await until(lambda: front.stats.streams_lost_total or len(numbers(ann)) == sent)  # noqa: B023
            assert of_front.dropped > 0
            await until(lambda: len(numbers(ann)) == sent)
            nats.kill()
            await until(lambda: not (of_core.up or of_front.up))
            core.hub.post("/audience", "a", "test", sent)
            nats.start()
            await until(lambda: len(numbers(ann)) == sent + 1)
            assert numbers(ann) == list(range(sent + 1))
            assert all(snapshot["resumed"] for snapshot in ann.snapshots[1:])
            assert not ann.disconnected.is_set()
            await ann.close()


async def test_a_command_whose_answer_is_lost_is_sent_again_and_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, lost = LocalFront.request, []

    async def request(self: LocalFront, subject: str, *rest: Any) -> Any:
        answer = await real(self, subject, *rest)
        if subject == bus_messages.COMMAND and not lost:
            lost.append(answer)
            raise unavailable()
        return answer

    director = ScriptedDirector()
    director.plan("s1", begins_in=-1)
    async with audience_of(director, tmp_path / "db") as audience:
        place = Place(tmp_path / "run", director, audience)
        async with place.core(newcomer_s=0), place.front() as (_, url):
            ann, ben = await join(url, room="a", name="Ann"), await join(url, room="a", name="Ben")
            monkeypatch.setattr(LocalFront, "request", request)
            said = await ann.command("chat.send", {"text": "Once"})
            assert said["ok"], said
            assert len(lost) == 1
            assert (await ben.command("chat.send", {"text": "Last"}))["ok"]
            await ben.told("chat.message", lambda data: data["text"] == "Last")
            assert next(event["data"]["id"] for event in ben.of("chat.message")) == said["id"]
            assert [event["data"]["text"] for event in ben.of("chat.message")] == ["Once", "Last"]
            for client in (ann, ben):
                await client.close()


async def test_without_a_core_a_command_is_refused_in_the_end_and_nobody_comes_in(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.front() as (front, url):
        async with place.core():
            ann = await join(url, room="a")
        await until(lambda: not front._bus.up)
        monkeypatch.setattr(in_front, "WAIT_S", 0.2)
        answer = await ann.command("reaction", {"kind": "clap"})
        assert (answer["ok"], answer["error"]["code"]) == (False, "unavailable")
        late = Attendee("/audience")
        with pytest.raises(Exception, match="namespaces failed"):
            await late.connect(url, {"room": "a"}, ["websocket"], {})
        assert late.error["error"]["code"] == "unavailable"
        assert not ann.disconnected.is_set()
        await ann.close()


async def test_while_the_core_is_away_only_what_is_public_stays(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_front, "HELLO_S", in_front.HELLO_S / 5)
    monkeypatch.setattr(in_front, "AWAY_S", in_front.AWAY_S / 5)
    place.director.plan("secret", 10, visibility=Visibility.PRIVATE)
    place.access.admit("anna", "technician", room="a")
    place.access.admit("mod", "moderator", room="a")
    place.access.admit("member", "viewer", session="secret")
    async with place.front() as (front, url):
        async with place.core():
            public = [await join(url, room="a"), await join(url, room="a", token="anna")]
            others = [
                await join(url, "/studio", room="a", token="anna"),
                await join(url, "/moderation", room="a", token="mod"),
                await join(url, session="secret", token="member"),
            ]
            looks: list[int] = []
            await until(lambda: looks.append(front._silent_looks) or len(set(looks)) > 1)
            assert not any(client.disconnected.is_set() for client in others)
        await until(lambda: all(client.disconnected.is_set() for client in others))
        async with place.core():
            await inside(*public, snapshots=2)
            assert [client.closed for client in (*public, *others)] == [[]] * 5
        for client in (*public, *others):
            await client.close()


async def test_who_may_not_come_in_any_more_is_told_so_by_the_next_core(place: Place) -> None:
    place.director.plan("talk", 10)
    place.access.admit("anna", "technician", room="a")
    async with place.front() as (front, url):
        async with place.core():
            anna = await join(url, "/studio", room="a", token="anna")
            ben = await join(url, session="talk")
        place.access.known.clear()
        place.director.change("talk", visibility=Visibility.PRIVATE)
        async with place.core():
            await until(lambda: anna.disconnected.is_set() and ben.disconnected.is_set())
            await until(lambda: front.stats.sessions == 0)
        assert anna.closed[0]["error"]["code"] == "invalid_token"
        assert ben.closed[0]["error"]["code"] == "no_such_session"
        for client in (anna, ben):
            await client.close()


async def test_who_finds_no_place_in_the_next_core_is_cut_off_and_may_come_back(place: Place) -> None:
    async with place.front() as (front, url):
        async with place.core():
            clients = [await join(url, room="a") for _ in range(2)]
        async with place.core(max_connections_per_address=1):
            await until(lambda: [client.disconnected.is_set() for client in clients].count(True) == 1)
            await until(lambda: front.stats.sessions == 1)
            assert [client.closed for client in clients] == [[], []]
        for client in clients:
            await client.close()


async def test_the_core_lets_out_the_clients_of_a_front_that_has_gone_or_is_silent(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with place.core(max_connections_per_participant=2) as core, place.front() as (front, url):
        ann = await join(url, room="a")
        assert len(list(core.hub.clients())) == 1
        # Not before: a front that greets as often as this is silent now and then.
        monkeypatch.setattr(for_fronts, "SILENT_S", 0.5)
        front._silent = True  # type: ignore[attr-defined]
        monkeypatch.setattr(SocketsInFront, "_greet", lambda self: asyncio.Event().wait())
        for task in front._tasks:
            if task.get_name() == "front greetings":
                task.cancel()
        await until(lambda: not list(core.hub.clients()))
        assert core._places.open == 0
        assert len(core._seats) == 0
        await ann.close()
    monkeypatch.undo()
    async with place.core() as core, place.front() as (front, url):
        ben = await join(url, room="a")
        await front._bus.close()
        await until(lambda: not list(core.hub.clients()))
        await ben.close()


async def test_places_are_counted_by_the_core_over_all_fronts(place: Place) -> None:
    async with (
        place.core(max_connections_per_address=2, max_connections_per_participant=2) as core,
        place.front("1") as (_, one),
        place.front("2") as (_, two),
    ):
        ann, ben = await join(one, room="a"), await join(two, room="a")
        for url in (one, two):
            late = Attendee("/audience")
            with pytest.raises(Exception, match="namespaces failed"):
                await late.connect(url, {"room": "a"}, ["websocket"], {})
            assert late.error["error"]["code"] == "too_many"
        await ben.close()
        await until(lambda: core._places.open == 1)
        again = await join(one, room="a", participant=ann.snapshots[0]["you"]["key"])
        assert again.snapshots[0]["you"]["id"] == ann.snapshots[0]["you"]["id"]
        for client in (ann, again):
            await client.close()


async def test_a_session_that_polls_is_the_cores_and_so_is_its_upgrade(place: Place) -> None:
    async with place.core() as core, place.front() as (front, url):
        ann = Attendee("/audience")
        await ann.connect(url, {"room": "a"}, ["polling", "websocket"], {})
        await until(lambda: ann.io.transport() == "websocket")
        assert (core.stats.sessions, front.stats.sessions) == (1, 0)
        core.hub.post("/audience", "a", "test", 1)
        await ann.told("test")
        await ann.close()
