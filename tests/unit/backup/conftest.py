"""PostgreSQL, where it is installed; a data folder to back up."""

from __future__ import annotations

import asyncio

import pytest

from tests.fakes.erasable import Erasable, prepare
from tests.fakes.stores import postgres

__all__ = ["postgres"]


@pytest.fixture(scope="package")
def once(tmp_path_factory: pytest.TempPathFactory) -> Erasable:
    return asyncio.run(prepare(tmp_path_factory.mktemp("made") / "data"))
