"""An audience at two front processes whose NATS server is killed again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.conversation import Conversation
from tests.fakes.nats_server import NatsServer, running_nats
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALL
from tests.fakes.waiting import until, until_answered

PROCESSES = 3


@asynccontextmanager
async def served_over_nats(folder: Path) -> AsyncIterator[tuple[Running, NatsServer]]:
    with running_nats(folder, tls=True) as nats:
        environment = SMALL | nats.environment() | {"STREAMER_SERVER__WEB_PROCESSES": "2"}
        async with serving(environment=environment) as server:
            yield server, nats


async def nats_dies(server: Running, nats: NatsServer, room: str, times: int) -> None:
    """No member loses a socket, a message that was accepted, or the order. Every second outage is longer than a command
    waits, and than the core waits for a front."""
    talk = await Conversation.begin(server.url, room)
    for outage in range(times):
        for _ in range(5):
            await until_answered(talk.said)
        nats.kill()
        await until(lambda: server.logged().count("The bus is lost") == PROCESSES * (outage + 1))  # noqa: B023
        meanwhile = asyncio.create_task(talk.said())
        if outage % 2:
            assert not await meanwhile
        nats.start()
        await meanwhile
        await until_answered(talk.said)
    assert len(talk.accepted) >= 6 * times
    await talk.end()
