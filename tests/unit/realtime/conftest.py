"""These tests run on the loop of web processes."""

from __future__ import annotations

import pytest

from tests.fakes import talking
from tests.fakes.loops import _function_scoped_runner

__all__ = ["_function_scoped_runner"]


@pytest.fixture(params=["alone", "front"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test runs twice: with one web process, and through a front process."""
    monkeypatch.setattr(talking, "THROUGH_FRONT", request.param == "front")
