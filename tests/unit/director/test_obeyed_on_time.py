"""A guarded session is obeyed before its first picture is taken, by a director that runs on the machine's clock."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from streamer.conference import taps
from streamer.conference.day import Timing
from streamer.conference.sessions import SessionState, Visibility
from streamer.director.director import Director
from tests.fakes.directing import MINUTE, NINE, TECHNICIAN, Stage
from tests.fakes.stores import sqlite_store
from tests.fakes.waiting import until


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    database = sqlite_store(tmp_path)
    await database.start()
    stage = Stage(database, tmp_path, now=now_ms())
    await stage.open()
    yield stage
    await database.close()


async def test_the_room_is_told_a_little_before_the_planned_start_and_not_half_a_second_later(stage: Stage) -> None:
    began_ms = now_ms()
    talk = await stage.plan((began_ms - NINE) / MINUTE - 5, 60)
    await stage.camera()
    await stage.director.run("a", taps.StartTap(talk), TECHNICIAN)
    # So far ahead that the director runs by then, on a machine that is busy, too: this took about as long as that will.
    ahead_ms = 1_000 + 3 * (now_ms() - began_ms)
    board = await stage.plan((now_ms() + ahead_ms - NINE) / MINUTE, 60, visibility=Visibility.PRIVATE)
    planned_ms = stage.session(board).start_ms
    director: Director = stage.director
    director._clock = now_ms
    await director.start()
    try:
        assert stage.ordered().orders.public == "programme"
        await until(lambda: stage.ordered().orders.public == "slate")
        obeyed = director.find(board)
        assert obeyed is not None
        await until(lambda: director.find(board).state is SessionState.ON_AIR)  # type: ignore[union-attr]
        began = director.find(board)
        assert began is not None
        assert began.started_ms is not None
        assert planned_ms - Timing().ahead_ms <= began.started_ms <= planned_ms
    finally:
        await director.close()
