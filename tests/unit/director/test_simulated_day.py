"""The audience sees exactly the true events, at every second of a day; cuts lie at the marks.

Three rooms here; ``python -m tests.fakes.simulated_day`` plays ten of forty sessions each.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from streamer.broadcast.orders import Shows
from streamer.conference import airing, clockwork
from streamer.conference.day import RoomDay
from tests.fakes.simulated_day import simulate

SEED = 20_261_124


async def test_what_is_shown_is_what_happened_and_recordings_are_cut_at_the_marks(tmp_path: Path) -> None:
    count = await simulate(tmp_path, rooms=3, sessions=40, seed=SEED)
    assert count.seconds > 3 * 12 * 3600
    assert count.cuts > 80
    assert count.worst_cut_ms <= 334
    for what in (count.taps, count.failed_taps, count.restarts, count.steps, count.holds, count.drops):
        assert what > 0, f"such a day shows little: {count}"


async def test_a_room_that_is_shown_in_a_closed_sessions_time_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(day: RoomDay, now_ms: int) -> Shows:
        return "programme" if any(session.running for session in day.sessions) else "slate"

    monkeypatch.setattr(airing, "public_shows", careless)
    with pytest.raises(AssertionError, match="ordered programme"):
        await simulate(tmp_path, rooms=1, sessions=12, seed=SEED)


async def test_a_session_that_is_ended_too_late_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark_at = clockwork.mark_at
    monkeypatch.setattr(clockwork, "mark_at", lambda day, when_ms, now_ms: mark_at(day, when_ms, now_ms) - 2_000)
    with pytest.raises(AssertionError, match="cut at"):
        await simulate(tmp_path, rooms=3, sessions=12, seed=SEED)
