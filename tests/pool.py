"""The order of ``make test``: one pool of workers, the longest modules first. A pytest plugin: ``-p tests.pool``.

Whole servers, cameras and browsers wait more than they work, and have a clock to keep up with. Four workers run them.
The last runs at a low priority what only computes, in the time that the four leave, and they help it when nothing
else is left. It runs nothing with a clock.

``weights.json`` has the seconds that each module took; ``--record-weights`` writes them anew.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.assertion import rewrite
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

WEIGHTS = Path(__file__).with_name("weights.json")
BROWSERS = ("tests/e2e/",)
SERVERS = (
    "tests/integration/",
    "tests/interop/",
    "tests/faults/",
    "tests/unit/cli/",
    "tests/unit/control/",
    "tests/unit/host/",
    "tests/unit/publish/",
    "tests/unit/room/",
    "tests/unit/rtc/",
    "tests/unit/realtime/",
    "tests/unit/web/",
    "tests/unit/api/test_sockets.py",
    "tests/unit/delivery/test_hold.py",
    "tests/unit/director/test_directorship.py",
    "tests/unit/media/test_ladder.py",
    "tests/unit/media/test_recorder.py",
)
"""Also unit tests that have a clock to keep up with."""
WORKERS = 5
"""For two cores. The last is the one at a low priority."""
_UNKNOWN_S = {"browsers": 20.0, "servers": 10.0, "others": 1.0}
_GARBAGE = (20_000, 20, 20)
"""Objects before a collection, and collections of one generation before one of the next."""
_LIGHT_S = 1.0
"""Modules that take less are not worth a line."""
_TEARDOWN_S = 300.0
_NICE = 10
"""Not more: a test that gets no time at all on a busy machine would be ended for it."""


def kind(module: str) -> str:
    """``browsers``, ``servers`` or ``others``."""
    if module.startswith(BROWSERS):
        return "browsers"
    return "servers" if module.startswith(SERVERS) else "others"


def module_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def longest_first(modules: Iterable[str], weights: dict[str, float]) -> list[str]:
    return sorted(modules, key=lambda module: (-weights.get(module, _UNKNOWN_S[kind(module)]), module))


def next_for(worker: int, waiting: Iterable[str]) -> str | None:
    """The module that a worker takes of those that wait, the longest first. None: nothing is for it.

    Browsers have one worker and servers three, so that what modules share of a kind is not started by each.
    """
    servers = ("servers", "browsers", "others")
    wanted = (("browsers", "servers", "others"), servers, servers, servers, ("others",))
    first: dict[str, str] = {}
    for module in waiting:
        first.setdefault(kind(module), module)
    return next((first[each] for each in wanted[min(worker, WORKERS - 1)] if each in first), None)


class Pool(LoadScopeScheduling):
    """A module is one worker's."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        self._weights: dict[str, float] = json.loads(WEIGHTS.read_text()) if WEIGHTS.exists() else {}
        self._numbers: dict[str, int] = {}

    def _split_scope(self, nodeid: str) -> str:
        return module_of(nodeid)

    def add_node(self, node: WorkerController) -> None:
        super().add_node(node)
        # They come in any order, and one that takes the place of a dead one has a name of its own.
        others = sum(number != WORKERS - 1 for number in self._numbers.values())
        self._numbers[node.gateway.id] = WORKERS - 1 if node.workerinput["low_priority"] else others % (WORKERS - 1)

    def remove_node(self, node: WorkerController) -> str | None:
        """The test that a worker ran when it died has failed. xdist would run it again, and lose all workers to it; and
        it would give the next worker modules that are done, which waits for ever for their tests."""
        units = self.assigned_work[node]
        unit, died = next(((unit, test) for unit in units.values() for test in unit if not unit[test]), ({}, None))
        if died is not None:
            unit[died] = True
        for done in [name for name, tests in units.items() if all(tests.values())]:
            del units[done]
        super().remove_node(node)
        return died

    def _assign_work_unit(self, node: WorkerController) -> None:
        chosen = next_for(self._numbers[node.gateway.id], longest_first(self.workqueue, self._weights))
        if chosen is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # A worker wants to know the next test before it runs one: with two to go it need not have more.
        if self._pending_of(self.assigned_work[node]) < 2 or not self.workqueue:
            super()._reschedule(node)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-weights", action="store_true", help=f"write what modules took to {WEIGHTS.name}")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Pool:
    return Pool(config, log)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    node.workerinput["low_priority"] = node.gateway.id == f"gw{WORKERS - 1}"


def pytest_configure(config: pytest.Config) -> None:
    """In each worker, and in who leads them."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        # Collecting makes no garbage: the collector would take a sixth of its time to find that out.
        gc.disable()
        if workerinput["low_priority"]:
            os.nice(_NICE)
    if workerinput is None:
        _rewrite_assertions(config)
        if config.getoption("record_weights"):
            config.pluginmanager.register(_Recorder())


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a worker the modules of all tests stay to the end: looking through them for garbage again and again takes a
    tenth of the time of the unit tests."""
    if hasattr(session.config, "workerinput"):
        gc.freeze()
        gc.set_threshold(*_GARBAGE)
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """pytest-timeout stops its clock when a test fails: the worker whose teardown hangs then is ended here. uvloop
    waits for ever for connections that a failed test has left open."""
    if not hasattr(item.config, "workerinput"):
        return (yield)
    faulthandler.dump_traceback_later(float(item.config.getoption("timeout") or _TEARDOWN_S), exit=True, file=2)
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _rewrite_assertions(config: pytest.Config) -> None:
    """Once, before the workers begin: in a new checkout each of them would do so for every module."""
    state = config.stash[rewrite.assertstate_key]
    for module in (file for path in config.args for file in Path(path).rglob("*.py")):
        cached = rewrite.get_cache_dir(module) / f"{module.stem}{rewrite.PYC_TAIL}"
        if (
            module.name.startswith(("test_", "conftest."))
            and not cached.exists()
            and rewrite.try_makedirs(cached.parent)
        ):
            source_hash, code = rewrite._rewrite_test(module, config)
            rewrite._write_pyc(state, code, source_hash, cached)


class _Recorder:
    def __init__(self) -> None:
        self._seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[module_of(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        found = {name: round(seconds, 1) for name, seconds in sorted(self._seconds.items()) if seconds >= _LIGHT_S}
        WEIGHTS.write_text(json.dumps(found, indent=2) + "\n")
