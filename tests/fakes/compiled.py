"""SQL that is compiled once in a process, whichever of the tests' databases runs it.

SQLAlchemy keeps it for one engine. Each test opens a database of its own: compiling its first statements again was an
eighth of the API tests' time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy.util import LRUCache

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
