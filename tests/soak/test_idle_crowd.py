"""The idle crowd comes again and again: nothing is left of it."""

from __future__ import annotations

import pytest

from tests.fakes.idle_crowd import idle_crowd, small_server


@pytest.mark.timeout(900)
async def test_an_idle_crowd_comes_and_goes_twenty_times() -> None:
    async with small_server() as server:
        await idle_crowd(server, people=2000, rounds=20)
