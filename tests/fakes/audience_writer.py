"""A process whose audience writes as long as it lives: ``python -m tests.fakes.audience_writer FOLDER FIRST``.

Messages, votes and deletions, about two hundred a second. After each acknowledgement it prints a line with the kind and
the id. A reader of the line may rely on it.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from streamer.audience.chat import ChatDelete, ChatSend
from streamer.audience.news import Viewpoint
from streamer.audience.people import Participant
from streamer.audience.questions import QuestionVote
from streamer.store.answers import CommandId
from tests.fakes.talkers import HALL, MODERATOR, Clock, Hall, hall

EVERY_S = 0.005


class RealClock(Clock):
    def __call__(self) -> int:
        return int(time.time() * 1000)


async def send(made: Hall, number: int) -> dict[str, Any]:
    """With an id: sent once more, in another life, it is the same message."""
    who, text = Participant(f"p{number}", f"P{number}", since_ms=1), f"number {number}"
    return await made.audience.run(HALL, who, ChatSend(text), CommandId(who.id, "c1").once(text))


async def write(folder: Path, first: int) -> None:
    async with hall(folder, clock=RealClock()) as made, asyncio.TaskGroup() as group:
        snapshot = await made.audience.snapshot(HALL, Viewpoint.MODERATION)
        question = snapshot["questions"][0]["id"]

        async def one(number: int) -> None:
            who = Participant(f"p{number}", f"P{number}", since_ms=1)
            if number % 3 == 0:
                await made.audience.run(HALL, who, QuestionVote(question, 1))
                print(f"vote {who.id}", flush=True)
                return
            sent = await send(made, number)
            print(f"chat {sent['id']}", flush=True)
            if number % 3 == 2:
                await made.audience.run(HALL, MODERATOR, ChatDelete(None, (sent["id"],)))
                print(f"deleted {sent['id']}", flush=True)

        number = first
        while True:
            group.create_task(one(number))
            number += 1
            await asyncio.sleep(EVERY_S)


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1]), int(sys.argv[2])))
