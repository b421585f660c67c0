"""An audience process that is killed in the middle of two hundred writes a second, life after life, and the data that
was kept."""

from __future__ import annotations

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.audience.questions import QuestionAsk
from streamer.store.audience_tables import chat_messages
from streamer.store.chat import ChatMessages
from streamer.store.moderation import Moderation
from streamer.store.questions import Questions
from tests.fakes.audience_writer import RealClock, send
from tests.fakes.talkers import ANN, HALL, hall

UNDER_WAY = 30
"""Messages that a writer may have sent without an answer when it is killed."""
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Lives:
    """``acknowledged``: (kind, id) in all lives. ``lost``: those that were missing after a kill. ``doubled``: texts
    that stood there more often than once when all of a life were sent again with their ids."""

    folder: Path
    chance: random.Random
    question: str = ""
    kills: int = 0
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    lost: set[tuple[str, str]] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    repeated: int = 0
    """Messages that were there although nobody had been told so."""

    @property
    def kinds(self) -> Counter[str]:
        return Counter(kind for kind, _ in self.acknowledged)

    async def begin(self) -> None:
        async with hall(self.folder) as made:
            self.question = (await made.do(ANN, QuestionAsk("Why?")))["id"]

    async def live(self) -> None:
        """One more life, killed, and a look at all that was acknowledged in any."""
        self.kills += 1
        first = 1_000_000 * self.kills
        acknowledged = await _write_until_killed(self.folder, first, self.chance)
        self.acknowledged += acknowledged
        await self._send_again(first, {what for kind, what in acknowledged if kind == "chat"})
        async with hall(self.folder) as made, made.database.read() as connection:
            of = {
                kind: {what for one, what in self.acknowledged if one == kind} for kind in ("chat", "deleted", "vote")
            }
            found = {message.id: message for message in await ChatMessages(connection).find_many(sorted(of["chat"]))}
            hidden = {one for one, message in found.items() if message.state.value == "deleted"}
            logged = {action.target for action in await Moderation(connection).actions(HALL.key, 1_000_000)}
            voted = (await Questions(connection).votes_of([self.question])).get(self.question, set())
        self.lost |= {("chat", one) for one in of["chat"] - set(found)}
        self.lost |= {("deleted", one) for one in of["deleted"] - (hidden & logged)}
        self.lost |= {("vote", one) for one in of["vote"] - voted}

    async def _send_again(self, first: int, told: set[str]) -> None:
        """All that the life sent, and a little more: messages that were on their way at the kill are among it."""
        numbers = [n for n in range(first, first + 2 * len(told) + UNDER_WAY) if n % 3]
        async with hall(self.folder, clock=RealClock()) as made:
            async with made.database.read() as connection:
                before = await _texts(connection, first)
            answers = [await send(made, number) for number in numbers]
            async with made.database.read() as connection:
                after = await _texts(connection, first)
        self.repeated += len(before) - len(told)
        self.doubled |= {text for text, count in after.items() if count != 1}
        self.lost |= {("answer", one) for one in told - {answer["id"] for answer in answers}}


async def _texts(connection: AsyncConnection, first: int) -> Counter[str]:
    """The texts of one life."""
    rows = await connection.execute(select(chat_messages.c.text))
    return Counter(text for text in rows.scalars() if int(text.removeprefix("number ")) >= first)


async def _write_until_killed(folder: Path, first: int, chance: random.Random) -> list[tuple[str, str]]:
    """(kind, id) of the acknowledged writes."""
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
