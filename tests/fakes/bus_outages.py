"""An audience at two front processes whose NATS server is killed again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.fakes.crowd import Crowd
from tests.fakes.nats_server import NatsServer, running_nats
from tests.fakes.running import Running, serving
from tests.fakes.shared import SMALL
from tests.fakes.waiting import until, until_answered

PROCESSES = 3
MEMBERS = 24
"""All at one of two processes once in eight million runs."""


@asynccontextmanager
async def served_over_nats(folder: Path) -> AsyncIterator[tuple[Running, NatsServer]]:
    with running_nats(folder, tls=True) as nats:
        bus = nats.settings()
        environment = SMALL | {
            "STREAMER_SERVER__WEB_PROCESSES": "2",
            "STREAMER_BUS__URL": bus.url,
            "STREAMER_BUS__CORE_CREDENTIALS": str(bus.core_credentials),
            "STREAMER_BUS__FRONT_CREDENTIALS": str(bus.front_credentials),
            "STREAMER_BUS__CA": str(bus.ca),
        }
        async with serving(environment=environment) as server:
            yield server, nats


async def nats_dies(server: Running, nats: NatsServer, room: str, times: int) -> None:
    """No member loses a socket, a message that was accepted, or the order. Every second outage is longer than a command
    waits, and than the core waits for a front."""
    crowd = Crowd(server.url)
    await crowd.come([{"room": room, "name": f"N{number}"} for number in range(MEMBERS)])
    accepted: list[int] = []
    number = 0

    async def said() -> bool:
        nonlocal number
        number += 1
        mine = number
        answer = await crowd.members[mine % MEMBERS].say(mine)
        if answer["ok"]:
            accepted.append(mine)
        else:
            assert answer["error"]["code"] in ("unavailable", "timeout"), answer
        return bool(answer["ok"])

    for outage in range(times):
        for _ in range(5):
            await until_answered(said)
        nats.kill()
        await until(lambda: server.logged().count("The bus is lost") == PROCESSES * (outage + 1))  # noqa: B023
        meanwhile = asyncio.create_task(said())
        if outage % 2:
            assert not await meanwhile
        nats.start()
        await meanwhile
        await until_answered(said)
    await until(lambda: not crowd.missing(accepted))
    await until(lambda: crowd.orders() == 1)
    assert crowd.doubled() == 0
    assert not any(member.over.is_set() or member.disordered for member in crowd.members)
    assert len(accepted) >= 6 * times
    await crowd.leave()
