"""Edges keep public media for viewers (``configs/edge``). When the server withdraws media before their time, it tells
each edge until the edge acknowledges. The edge then asks again for everything of that room or recording.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field

import aiohttp
import structlog

from streamer.archive.catalogue import ReplayState
from streamer.control.media_plane import Change, MediaPlane, RoomLink
from streamer.outgoing import USER_AGENT
from streamer.sections import EdgeSettings
from streamer.store.erasing import NotErased

log = structlog.get_logger(__name__)

PATH = "/.streamer/ban"
SCOPE_HEADER = "X-Streamer-Ban"
EVERYTHING = "all"
MOST_SCOPES = 100
"""An edge that has missed more asks again for everything."""
ANSWER_S = 1.0
RETRY_S = 0.5
AGAIN_S = 1.0
"""An answer of the server that was on its way to an edge when the edge was told is kept all the same. So each edge is
told twice."""
TOLD_WITHIN_S = 2.0


@dataclass(slots=True)
class EdgeStats:
    """Exported by ``streamer.observe``."""

    told_total: int = 0
    failures_total: int = 0
    """Each is tried again."""
    owed_now: int = 0
    """Rooms and recordings of which an edge has not acknowledged yet that it must ask again (a gauge)."""


@dataclass(slots=True, eq=False)
class _Owed:
    due: float
    since: float | None
    """The time since which it is not acknowledged."""
    times: int = 2
    withdrawals: int = 0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)
    rooms: frozenset[str] = frozenset()
    """Of :data:`EVERYTHING`: the scopes of rooms that it took the place of."""


@dataclass(slots=True, eq=False)
class _Edge:
    address: str
    problem: str = ""
    """Of the last time; it is logged once."""
    owed: dict[str, _Owed] = field(default_factory=dict)
    woken: asyncio.Event = field(default_factory=asyncio.Event)


class Edges:
    """All edges of the settings. On the loop."""

    def __init__(self, settings: EdgeSettings) -> None:
        self.stats = EdgeStats()
        self._secret = settings.secret
        self._edges = [_Edge(address.rstrip("/")) for address in settings.addresses]
        self._following: dict[int, Callable[[], None]] = {}
        self._replays: dict[str, frozenset[str]] = {}
        """Session -> the editions that everybody may have."""

    def __bool__(self) -> bool:
        return bool(self._edges)

    # --- news -----------------------------------------------------------------------------------------

    def follow(self, plane: MediaPlane) -> None:
        """Tell edges of what rooms withdraw from now on. Earlier withdrawals are not known: all is asked for again."""
        self.withdraw(EVERYTHING)
        plane.listen(self._changed)
        for link in plane.rooms.values():
            self._changed(link, "added")

    def replay(self, session: str, state: ReplayState | None) -> None:
        """Hear the state that a session's replay has from now on."""
        public = state is not None and state.published and not state.closed
        now = frozenset(one.id for one in state.editions if not one.replaced) if state and public else frozenset()
        before = self._replays.pop(session, frozenset())
        if now:
            self._replays[session] = now
        if before - now:
            self.withdraw(f"replay/{session}")

    def withdraw(self, scope: str) -> None:
        """``live/{room}``, ``replay/{session}`` or ``all``: edges ask again for whatever they have of it."""
        for edge in self._edges:
            now = asyncio.get_running_loop().time()
            owed = edge.owed.setdefault(scope, _Owed(now, now))
            owed.due, owed.times, owed.withdrawals = now, 2, owed.withdrawals + 1
            owed.since = now if owed.since is None else owed.since
            if len(edge.owed) > MOST_SCOPES:
                waiting = [future for one in edge.owed.values() for future in one.waiting]
                since = min((one.since for one in edge.owed.values() if one.since is not None), default=now)
                rooms = {one for one in edge.owed if one.startswith("live/")}
                rooms = rooms.union(*(one.rooms for one in edge.owed.values()))
                edge.owed = {EVERYTHING: _Owed(now, since, waiting=waiting, rooms=frozenset(rooms))}
            edge.woken.set()
        self._count()

    async def without(self, room: str) -> None:
        """Returns when every edge has nothing of the room any more, nor of what else was withdrawn. Raises NotErased
        after :data:`TOLD_WITHIN_S`; it is tried on."""
        self.withdraw(f"live/{room}")
        loop = asyncio.get_running_loop()
        acknowledged: list[asyncio.Future[None]] = []
        for edge in self._edges:
            for owed in edge.owed.values():
                if owed.since is not None:
                    owed.waiting.append(loop.create_future())
                    acknowledged.append(owed.waiting[-1])
        if acknowledged and (await asyncio.wait(acknowledged, timeout=TOLD_WITHIN_S))[1]:
            raise NotErased("An edge has not acknowledged yet that it must not serve it.")

    def owe(self, room: str) -> bool:
        """Whether an edge may still serve what the room has withdrawn: the time in which it should have acknowledged is
        over."""
        late = asyncio.get_running_loop().time() - TOLD_WITHIN_S
        return any(
            one.since is not None and one.since < late and f"live/{room}" in (scope, *one.rooms)
            for edge in self._edges
            for scope, one in edge.owed.items()
        )

    # --- telling --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Runs until it is cancelled."""
        async with (
            aiohttp.ClientSession(
                timeout=aiohttp.ClientTimeout(total=ANSWER_S),
                headers={"Authorization": f"Bearer {self._secret}", "User-Agent": USER_AGENT},
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            asyncio.TaskGroup() as group,
        ):
            for edge in self._edges:
                group.create_task(self._keep_told(edge, session), name=f"edge {edge.address}")

    async def _keep_told(self, edge: _Edge, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        while True:
            edge.woken.clear()
            scope, owed = min(edge.owed.items(), key=lambda item: item[1].due, default=("", None))
            wait_s = None if owed is None else owed.due - loop.time()
            if owed is None or (wait_s is not None and wait_s > 0):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await edge.woken.wait()
                continue
            withdrawals = owed.withdrawals
            problem = await self._tell(edge, session, scope)
            if problem is not None:
                self.stats.failures_total += 1
                if problem != edge.problem:
                    log.warning("edge_not_told", edge=edge.address, scope=scope, error=problem)
                edge.problem = problem
                owed.due = loop.time() + RETRY_S
                continue
            edge.problem = ""
            self.stats.told_total += 1
            if owed.withdrawals != withdrawals:
                continue  # it was withdrawn again while the edge answered
            owed.due, owed.times, owed.since = loop.time() + AGAIN_S, owed.times - 1, None
            for future in owed.waiting:
                if not future.done():
                    future.set_result(None)
            owed.waiting.clear()
            if owed.times == 0 and edge.owed.get(scope) is owed:
                del edge.owed[scope]
            self._count()

    async def _tell(self, edge: _Edge, session: aiohttp.ClientSession, scope: str) -> str | None:
        """Why the edge has not understood; None if it has."""
        try:
            async with session.post(
                f"{edge.address}{PATH}", headers={SCOPE_HEADER: scope}, allow_redirects=False
            ) as response:
                return None if response.status == 204 else f"status {response.status}"
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return str(error) or type(error).__name__

    def _count(self) -> None:
        self.stats.owed_now = sum(owed.since is not None for edge in self._edges for owed in edge.owed.values())

    # --- rooms ----------------------------------------------------------------------------------------

    def _changed(self, link: RoomLink, change: Change) -> None:
        if change == "removed":
            self._following.pop(id(link), _nothing)()
        elif id(link) not in self._following:
            seen = link.view.withdrawn

            def look() -> None:
                nonlocal seen
                if link.view.withdrawn != seen:
                    seen = link.view.withdrawn
                    self.withdraw(f"live/{link.room}")

            self._following[id(link)] = link.subscribe(look)


def _nothing() -> None:
    """Used when there is nothing to cancel."""
