"""Published replays through front processes. The core says what of a session's recording is for everybody; a front asks
again after a moment, and serves it from the same files (:func:`streamer.delivery.routes.setup_public`)."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import web

from streamer.archive.catalogue import Details, ReplayCatalogue, ReplayState
from streamer.delivery.access import AccessKeys
from streamer.errors import NotFound
from streamer.web.fronts import from_front

PATH = "/~front/replay/"
FRESH_S = 0.3
"""An answer of the core's holds for this long: what is closed, withheld or forgotten is refused within a second, and
before edges are told for the second time (``AGAIN_S`` in api/edges.py)."""
MOST_KEPT = 500

_states = msgspec.json.Decoder(ReplayState, dec_hook=lambda kind, value: kind(value))


class PublicReplays:
    """A front's catalogue. ``ask``: the core's answer to a GET, None for 404; raises StreamerError."""

    def __init__(
        self, ask: Callable[[str], Awaitable[bytes | None]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._asked: OrderedDict[str, tuple[float, asyncio.Task[ReplayState | None]]] = OrderedDict()
        """When the core was asked last, and what it said or will say."""

    async def find(self, session: str) -> ReplayState | None:
        """None: the core has all the answers. Raises Unavailable without a core."""
        now = self._clock()
        at, asking = self._asked.get(session, (0.0, None))
        if asking is None or (asking.done() and (now - at >= FRESH_S or asking.exception() is not None)):
            asking = asyncio.create_task(self._find(session), name="replay is asked for")
            asking.add_done_callback(_retrieve)
            self._asked[session] = now, asking
            self._asked.move_to_end(session)
            while len(self._asked) > MOST_KEPT:
                self._asked.popitem(last=False)
        # Others wait for the same answer.
        return await asyncio.shield(asking)

    async def _find(self, session: str) -> ReplayState | None:
        told = await self._ask(PATH + quote(session, safe=""))
        return None if told is None else _states.decode(told)

    async def details(self, _session: str) -> Details:
        """Files are the core's to give."""
        raise NotImplementedError


def add_route(app: web.Application, catalogue: ReplayCatalogue, keys: AccessKeys) -> None:
    """The core's side."""

    async def answer(request: web.Request) -> web.Response:
        from_front(request)
        session = request.match_info["session"]
        state, opened = await catalogue.find(session), await keys.open_replay(session, None)
        if state is None or state.closed or not state.published or opened is None or not opened.holds:
            raise NotFound("There is no replay of this session.")
        if state.current is None or state.current.end_ms is None:
            raise NotFound("The replay is not finished: fronts pass its requests on.")
        listed = tuple(edition for edition in state.editions if not edition.replaced)
        return web.Response(body=msgspec.json.encode(replace(state, editions=listed, whole=None), enc_hook=_text))

    app.router.add_get(f"{PATH}{{session}}", answer, allow_head=False)


def _text(value: Any) -> str:
    assert isinstance(value, Path)
    return str(value)


def _retrieve(task: asyncio.Task[Any]) -> None:
    """Read the task's exception, because perhaps no client waits for it any more."""
    if not task.cancelled():
        task.exception()
