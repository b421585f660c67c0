"""Long-lived tasks: none ends for good on an unexpected error, and none is started that nobody watches."""

from __future__ import annotations

import ast
import asyncio
import functools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestServer

import streamer
from streamer import supervision
from streamer.api.context import SERVICES
from streamer.conference.day import RoomDay
from streamer.conference.notices import Notices
from streamer.control.server import wait_cancelled
from streamer.director.directorship import Directorship
from streamer.director.room_alarms import RoomAlarms
from streamer.observe.metrics import WebMetrics
from streamer.sections import EdgeSettings
from streamer.store.directors import DirectorHolder
from streamer.supervision import TROUBLED_AFTER, Tasks, Work, keep_going, start_kept
from streamer.web.application import make_app
from streamer.web.core import Core
from streamer.web.front import front_application
from tests.fakes.media_host import make_settings
from tests.fakes.media_plane import FakePlane
from tests.fakes.room import FakeRoom
from tests.fakes.stores import sqlite_store
from tests.fakes.waiting import until

PACKAGE = Path(streamer.__file__).parent

WEB = (
    "archivist",
    "audience book",
    "audience tick",
    "core hang-ups",
    "director",
    "edges",
    "erasures",
    "bus",
    "front greetings",
    "front hub",
    "front looks",
    "front report",
    "heartbeat",
    "lapsed grants",
    "levelling",
    "media host link",
    "notifier",
    "portraits",
    "realtime feed",
    "realtime hub",
    "realtime pulse",
    "realtime rights",
    "retention",
    "room control",
    "room data",
    "room state waiters",
    "schedule poller",
    "uploads",
    "viewers",
)
"""Of the web process and a front process, each begun with its application."""
ELSEWHERE = (
    "connections",
    "directorship",
    "keep-",
    "publication watch",
    "relay viewers",
    "room keeper",
    "silent fronts",
    "status report",
)
OWN_END = {
    "api/documents.py": "one export, waited for by those who asked",
    "web/http_server.py": "one connection that opens",
    "api/uncancelled.py": "one request, to its end",
    "archive/levelling.py": "one edition's sound, waited for",
    "archive/uploading.py": "one file, waited for",
    "audience/service.py": "one loading, waited for by those who asked",
    "delivery/downloads.py": "one download",
    "delivery/parts.py": "one read, waited for by those who asked",
    "realtime/commands.py": "one command",
    "realtime/engine.py": "one hang-up",
    "realtime/in_front.py": "the clients' way into one stream; the next begins the next",
    "rtc/aioice_hooks.py": "one look-up of a peer's address",
    "bus/over_nats.py": "one connection, or one request",
    "control/channel.py": "one connection; its owner connects again",
    "control/client.py": "one closed room's last seconds",
    "control/server.py": "one connection, or one request of it",
    "control/data.py": "one connection",
    "host/supervisor.py": "one life of a room process; the supervisor begins the next",
    "room/process.py": "the programme's tick: with it the process ends, and its host starts another",
    "room/publications.py": "one publication's end",
    "room/relay.py": "one relay process's end",
    "room/relay_link.py": "one relay process's socket; its end is the relay's",
    "room/relay_server.py": "the relay's way out, whose end is the process's; one request",
    "control/serving.py": "one connection",
    "serve.py": "the wait for the end, and the start",
    "director/directorship.py": "one look at the row, waited for",
    "notify/notifier.py": "the sending of messages; its end is that of the kept task beside it",
    "notify/outbox.py": "one message",
    "store/sqlite.py": "one connection that opens",
    "supervision.py": "the watch itself",
    "web/process.py": "the start, waited for",
    "web/replays.py": "one question to the core, waited for by those who asked",
    "web/core.py": "one WebSocket, or one call of a core that starts; the next request begins the next",
}
"""Modules that start tasks which nobody begins anew, and why."""


@functools.cache
def sources() -> list[tuple[str, str]]:
    return [(path.relative_to(PACKAGE).as_posix(), path.read_text()) for path in sorted(PACKAGE.rglob("*.py"))]


def calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    """Those of a TaskGroup are awaited where they are made."""
    for module, source in sources():
        for node in ast.walk(ast.parse(source)) if f"{name}(" in source else ():
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                owner = node.func.value if isinstance(node.func, ast.Attribute) else None
                if called == name and not (isinstance(owner, ast.Name) and owner.id == "group"):
                    yield module, node


def test_every_task_is_watched_or_has_a_reason_to_end() -> None:
    starters = {module for name in ("create_task", "ensure_future") for module, _ in calls(name)}
    assert starters == set(OWN_END), "a long-lived task is begun by supervision.start_kept"
    names = set()
    for module, call in calls("start_kept"):
        first = call.args[0]
        if isinstance(first, ast.JoinedStr):
            first = first.values[0]
        if isinstance(first, ast.Constant):
            names.add(str(first.value))
        else:
            assert module == "web/application.py", f"{module}: a task's name is a metric's label: few and fixed"
    names |= {
        str(call.args[1].value)
        for module, call in calls("run")
        if module == "web/application.py" and len(call.args) == 2 and isinstance(call.args[1], ast.Constant)
    }
    assert names == set(WEB) | set(ELSEWHERE), "name a new task here: its fault is then tried"


@dataclass
class Faults:
    """Makes named tasks fail in the middle of whatever they wait for."""

    due: dict[str, asyncio.Event] = field(default_factory=dict)
    lives: Counter[str] = field(default_factory=Counter)

    def strike(self, name: str) -> None:
        self.due[name].set()

    def wrap(self, name: str, work: Work) -> Work:
        async def life() -> None:
            self.lives[name] += 1
            struck = self.due[name] = asyncio.Event()
            own = asyncio.ensure_future(work())
            fault = asyncio.ensure_future(struck.wait())
            try:
                await asyncio.wait((own, fault), return_when=asyncio.FIRST_COMPLETED)
                if struck.is_set():
                    raise RuntimeError("a fault of the test's")
                own.result()
            finally:
                await wait_cancelled(fault)
                await wait_cancelled(own)

        return life


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def faults(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Faults]:
    """A whole web process's application with a room, and a front process's, in this loop."""
    patch = pytest.MonkeyPatch()
    found = Faults()
    original = supervision.keep_going

    async def faulty(name: str, work: Work, tasks: Tasks = supervision.TASKS) -> None:
        await original(name, found.wrap(name, work), tasks)

    patch.setattr(supervision, "keep_going", faulty)
    patch.setattr(supervision, "FIRST_RETRY_S", 0.01)
    edges = EdgeSettings(addresses=("http://127.0.0.1:9",), secret="a" * 32)
    settings = make_settings(tmp_path_factory.mktemp("web")).model_copy(update={"edges": edges})
    settings.run_dir.mkdir()
    room = FakeRoom(settings.run_dir, "main", broadcast="b")
    await room.start()
    database = sqlite_store(settings.data)
    await database.start()
    directorship = Directorship(database, DirectorHolder(holder="x", host="x", pid=1), absent_s=20)
    await directorship.take()
    server = TestServer(make_app(settings, database, directorship, public_url="http://127.0.0.1"))
    await server.start_server()
    front = TestServer(front_application(settings, FakePlane(), Core(settings.run_dir)))
    await front.start_server()
    services = server.app[SERVICES]
    page = asyncio.ensure_future(services.waiters.wait_other("main", services.state_of("main"), "127.0.0.1"))
    try:
        yield found
    finally:
        await wait_cancelled(page)
        await front.close()
        await server.close()
        await directorship.release()
        await database.close()
        await room.stop()
        patch.undo()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", WEB)
async def test_a_task_goes_on_after_an_unexpected_error(faults: Faults, name: str) -> None:
    await until(lambda: name in faults.due)
    lives, restarts = faults.lives[name], supervision.TASKS.restarts[name]
    faults.strike(name)
    await until(lambda: faults.lives[name] == lives + 1)
    assert supervision.TASKS.restarts[name] == restarts + 1
    assert f'streamer_task_restarts_total{{task="{name}"}} {restarts + 1}.0' in exported(supervision.TASKS)


def exported(tasks: Tasks) -> str:
    metrics = WebMetrics()
    metrics.watch_tasks(tasks)
    return metrics.render().decode()


async def test_who_cancels_a_task_ends_it_and_work_that_is_done_is_not_begun_anew() -> None:
    tasks, begun = Tasks(), 0

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise ValueError("once")
        await asyncio.sleep(60)

    task = start_kept("x", work, tasks=tasks)
    await until(lambda: begun == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (begun, dict(tasks.restarts)) == (2, {"x": 1})

    async def done() -> None:
        return None

    await keep_going("y", done, tasks)
    assert tasks.restarts["y"] == 0


def test_what_fails_again_and_again_rings_at_the_operators_until_it_holds() -> None:
    now = 0.0
    tasks = Tasks(lambda: now)
    room_alarms = RoomAlarms(Notices(), lambda: None, tasks)

    def ringing() -> list[tuple[str, str, str, object]]:
        found = room_alarms.found(RoomDay("a", "A"), None, 0, 1000 + int(now * 1000))
        return [(alarm.code, alarm.owner, alarm.level, alarm.details.get("task")) for alarm in found]

    for _ in range(TROUBLED_AFTER - 1):
        tasks.note("retention")
    assert ringing() == []
    tasks.note("retention")
    assert ringing() == [("task_failing", "operator", "warning", "retention")]
    now = supervision.TROUBLED_S + 1
    assert ringing() == []
