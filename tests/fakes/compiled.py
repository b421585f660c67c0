"""Kept for a process, in which each test opens a database and makes an application of its own.

SQLAlchemy keeps compiled SQL for one engine: compiling the first statements again was an eighth of the API tests' time.
aiohttp looks into each handler of an application: of the 250 addresses of the interface, that was a third of what
remained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy.util import LRUCache

from streamer.api import routes, routing
from streamer.store.database import Database

_KEPT = 4000
"""Statements of one kind of database."""


class _Statements(LRUCache[Any, Any]):
    """The engine's dialect is the first part of a key, and left out: those of one kind compile alike."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(key[1:], default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key[1:], value)


_STATEMENTS: defaultdict[tuple[str, str], _Statements] = defaultdict(lambda: _Statements(_KEPT))


@pytest.fixture(scope="session", autouse=True)
def statements_are_compiled_once() -> None:
    make: Callable[..., Any] = Database._make_engine

    def made(self: Database, **pool: int) -> Any:
        engine = make(self, **pool)
        dialect = engine.sync_engine.dialect
        engine.sync_engine.update_execution_options(compiled_cache=_STATEMENTS[dialect.name, dialect.driver])
        return engine

    Database._make_engine = made  # type: ignore[method-assign]


@cache
def _resources(table: tuple[routing.Route, ...]) -> tuple[web.AbstractResource, ...]:
    app = web.Application()
    routing.add_routes(app, table)
    return tuple(app.router.resources())


def _add_routes(app: web.Application, table: Sequence[routing.Route]) -> None:
    for resource in _resources(tuple(table)):
        app.router.register_resource(resource)


@pytest.fixture(scope="session", autouse=True)
def addresses_are_made_once() -> None:
    routes.add_routes = _add_routes
