"""First answers in the database, and the filter before it."""

from __future__ import annotations

import pytest

from streamer.store import answers
from streamer.store.answers import KEPT_MS, CommandAnswers, CommandId, FirstAnswers
from streamer.store.database import Database
from streamer.store.people import USUAL, sweep

NOW_MS = 1_800_000_000_000


async def test_a_caller_has_so_many_and_the_newest_stay(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_OF_A_CALLER", 3)
    async with store.write() as connection:
        table = CommandAnswers(connection)
        commands = [(caller, number) for caller, most in (("ann", 5), ("ben", 2)) for number in range(most)]
        await table.put_many(
            [CommandId(caller, f"c{n}").once(n).answered({"n": n}, NOW_MS + n) for caller, n in commands]
        )
        assert (await sweep(connection, USUAL, NOW_MS))["command_answers"] == 2
        left = await table.some_names(0, None)
        assert left == [("ann", "c2"), ("ann", "c3"), ("ann", "c4"), ("ben", "c0"), ("ben", "c1")]
        assert await table.some_names(NOW_MS + 1, ("ann", "c3")) == [("ann", "c4"), ("ben", "c1")]


async def test_ids_are_known_for_an_hour_and_what_was_before_the_start_is_looked_for(store: Database) -> None:
    now_ms = NOW_MS

    async def done() -> dict[str, bool]:
        return {"done": True}

    first = FirstAnswers(store, lambda: now_ms)
    await first.answer(CommandId("ann", "c1").once(), done)
    assert first.lookups == 1, "nothing has been loaded yet"
    await first.load()
    for number in range(1000):
        await first.answer(CommandId("ann", f"n{number}").once(), done)
    assert first.lookups <= 3, "a filter is seldom wrong"
    before = first.lookups
    now_ms += KEPT_MS + 1
    await first.answer(CommandId("ann", "n1").once(), done)
    assert first.lookups == before + 1
    now_ms += 2 * KEPT_MS
    await first.answer(CommandId("ann", "other").once(), done)
    now_ms += 2 * KEPT_MS
    await first.answer(CommandId("ann", "n1").once(), done)
    assert first.lookups == before + 1, "it is kept no longer"
