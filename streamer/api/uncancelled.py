"""Work that goes on when its client hangs up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from streamer.errors import Unavailable

LONGEST_S = 20.0
"""The longest wait for a room process. Its own limits are shorter and give better errors."""

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")
_under_way: set[asyncio.Task[Any]] = set()
"""Strong references: the loop keeps weak ones only."""


async def to_the_end(work: Coroutine[Any, Any, _T]) -> _T:
    """Await ``work`` to its end, even if the client hangs up, so that no change stays half done.

    Raises Unavailable when the room process does not answer in time.
    """
    task = asyncio.create_task(_limited(work), name="to-the-end")
    _under_way.add(task)
    task.add_done_callback(_under_way.discard)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_log_orphan)
        raise


async def _limited(work: Coroutine[Any, Any, _T]) -> _T:
    try:
        async with asyncio.timeout(LONGEST_S):
            return await work
    except TimeoutError as error:
        raise Unavailable("This takes too long.", code="timed_out", headers={"Retry-After": "2"}) from error


def _log_orphan(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.warning("request_of_gone_client_failed", error=str(error))
