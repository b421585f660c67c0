"""Whether a NATS server carries what the bus needs, and nothing else: for ``streamer check``."""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

from streamer.bus.nats_connection import (
    CONNECT_S,
    Access,
    BusFailed,
    Error,
    NatsConnection,
    connected,
    is_refusal,
    not_allowed,
)
from streamer.sections import BusSettings


class _Tried:
    """A connection of one role, and what it was refused."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.refused: list[str] = []
        self.heard = asyncio.Event()

    def complained(self, error: Exception) -> None:
        if (what := is_refusal(error)) is not None:
            self.refused.append(what)

    async def hear(self, _message: Any) -> None:
        self.heard.set()

    def must_be_allowed(self) -> None:
        """Raises BusFailed."""
        if self.refused:
            raise not_allowed(self.access, self.refused)


async def tried(settings: BusSettings) -> str:
    """In words, that which a front may do and should not; empty as a rule. Raises BusFailed with that which fails."""
    core, front = _Tried(Access.of(settings, "core")), _Tried(Access.of(settings, "front"))
    async with (
        connected(core.access, core.complained) as of_core,
        connected(front.access, front.complained) as of_front,
    ):
        try:
            return await _exchanged(core, of_core, front, of_front)
        except (Error, OSError, TimeoutError) as error:
            raise BusFailed(core.access.words(error)) from error


async def _exchanged(core: _Tried, of_core: NatsConnection, front: _Tried, of_front: NatsConnection) -> str:
    name = f"check.{secrets.token_hex(8)}"
    for who, connection in ((core, of_core), (front, of_front)):
        await connection.subscribe(f"{who.access.role}.{name}", cb=who.hear)
        await connection.settled()
    await of_core.publish(f"front.{name}")
    await of_front.publish(f"core.{name}")
    for who, connection in ((core, of_core), (front, of_front)):
        await connection.settled()
        who.must_be_allowed()
    try:
        async with asyncio.timeout(CONNECT_S):
            await core.heard.wait()
            await front.heard.wait()
    except TimeoutError as error:
        raise BusFailed(
            f"{core.access.url} lets both in, but they do not hear each other: they are users of two accounts"
        ) from error
    await of_front.publish(f"front.{name}")
    await of_front.subscribe(f"core.{name}", cb=front.hear)
    await of_front.settled()
    forbidden = {"publish": "publish to other fronts", "subscribe": "hear what other fronts ask"}
    return " and ".join(words for kind, words in forbidden.items() if not any(kind in one for one in front.refused))
