"""kill -9 in the middle of two hundred writes a second: no acknowledged message, vote or moderation action is lost."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import pytest

from streamer.audience.commands import QuestionAsk
from streamer.store.chat import ChatMessages
from streamer.store.moderation import Moderation
from streamer.store.questions import Questions
from tests.fakes.talkers import ANN, HALL, hall

ROOT = Path(__file__).resolve().parents[2]
KILLS = int(os.environ.get("AUDIENCE_KILLS", "3"))


async def write_until_killed(folder: Path, first: int, chance: random.Random) -> list[tuple[str, str]]:
    """(kind, of what) that was acknowledged."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.fakes.audience_writer",
        str(folder),
        str(first),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdout is not None
    lines = b""
    try:
        for _ in range(chance.randint(1, 60)):
            lines += await asyncio.wait_for(writer.stdout.readline(), 60)
        await asyncio.sleep(chance.uniform(0, 0.02))
    finally:
        writer.kill()
    rest, _ = await asyncio.wait_for(writer.communicate(), 60)
    # A line that was torn off was no answer.
    whole = [line for line in (lines + rest).splitlines(keepends=True) if line.endswith(b"\n")]
    return [(kind, what) for kind, what in (line.decode().split() for line in whole)]


@pytest.mark.timeout(60 + 15 * KILLS)
async def test_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    async with hall(tmp_path) as made:
        question = (await made.do(ANN, QuestionAsk("Why?")))["id"]
    acknowledged: list[tuple[str, str]] = []
    for kill in range(KILLS):
        acknowledged += await write_until_killed(tmp_path, 1_000_000 * (kill + 1), chance)
        async with hall(tmp_path) as made, made.database.read() as connection:
            sent = [what for kind, what in acknowledged if kind == "chat"]
            deleted = [what for kind, what in acknowledged if kind == "deleted"]
            found = {message.id: message for message in await ChatMessages(connection).find_many(sent)}
            assert set(sent) == set(found)
            assert {found[one].state.value for one in deleted} <= {"deleted"}
            logged = {action.target for action in await Moderation(connection).actions(HALL.key, 1_000_000)}
            assert set(deleted) <= logged
            voted = (await Questions(connection).votes_of([question])).get(question, set())
            assert {what for kind, what in acknowledged if kind == "vote"} <= voted
    kinds = {kind for kind, _ in acknowledged}
    print(f"{len(acknowledged)} acknowledged in {KILLS} lives")
    assert "chat" in kinds
