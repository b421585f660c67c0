"""Requests that wait: blocking playlist reloads and hinted parts (RFC 8216bis, 6.2.5.2 and 6.2.6). On the loop.

A held request costs a future and an entry in a set. One sweep for all of them, a few times a second, ends those
whose time is up and those whose client has gone (aiohttp does not cancel a handler when its client goes), so that
twenty thousand waiting players need no timer each.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Protocol, TypeVar

from aiohttp import web
from multidict import MultiMapping

from streamer.broadcast.programme import TICKS_PER_S, Broadcast
from streamer.broadcast.view import BroadcastView, OutputView
from streamer.control.media_plane import RoomLink
from streamer.delivery.access import MediaAccess
from streamer.delivery.stats import DeliveryStats
from streamer.errors import BadRequest, StreamerError, TooMany, Unavailable

ACCESS: web.RequestKey[MediaAccess] = web.RequestKey("access", MediaAccess)
"""The access by which a request with a key was let in."""
SWEEP_S = 0.5
HOLD_TARGETS = 3
"""6.2.5.2: a server that cannot answer within three target durations should say 503."""
HOLD_MARGIN_S = 1.0
"""The answer must arrive within that time, not only leave; hls.js gives up on a first byte after 10 s."""
MSN_AHEAD = 2
"""6.2.5.2: further than this beyond the last segment is a bad request."""
_NUMBER = re.compile(r"[0-9]{1,15}", re.ASCII)


# --- delivery directives --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Directives:
    """A playlist request's query: the part that it waits for, and whether it accepts a delta update."""

    msn: int | None = None
    part: int | None = None
    skip: bool = False
    dvr: bool = False


def parse_directives(query: MultiMapping[str]) -> Directives:
    """Raises BadRequest ``bad_directive`` for values that are no numbers or come twice, and for a part without a
    segment. A cache in front keeps one playlist for each query that this accepts."""
    msn, part = _number(query, "_HLS_msn"), _number(query, "_HLS_part")
    if part is not None and msn is None:
        # 6.2.5.2: _HLS_part needs _HLS_msn; without it the server must answer 400.
        raise _bad("_HLS_part needs _HLS_msn.")
    skips = query.getall("_HLS_skip", [])
    if len(skips) > 1 or any(value not in ("YES", "v2") for value in skips):
        raise _bad("_HLS_skip is YES or v2.")
    return Directives(msn, part, skip=bool(skips), dvr=parse_dvr(query))


def parse_dvr(query: MultiMapping[str]) -> bool:
    """Whether the whole window is asked for. Raises BadRequest ``bad_directive`` if that is said twice."""
    values = query.getall("dvr", [])
    if len(values) > 1:
        raise _bad("dvr is given once.")
    return values == ["1"]


def check_reachable(wanted: Directives, broadcast: Broadcast, output: OutputView, rendition: str) -> None:
    """Raises BadRequest ``bad_directive`` for segments that are too far ahead to wait for.

    The bound comes from the rendition that is furthest: a player that switches to one whose encoder lags asks for the
    number that the other one's report had.
    """
    if wanted.msn is None:
        return
    if wanted.msn > output.last_complete_msn + MSN_AHEAD:
        raise _bad("_HLS_msn is more than two beyond the last segment.")
    if wanted.part is None:
        return
    # "exceeds the last Partial Segment in the current Playlist by the Advance Part Limit ... three divided by the
    # Part Target Duration if that is less than one second, or three otherwise"
    advance = -(-3 * TICKS_PER_S // broadcast.part_target_ticks) if broadcast.part_target_ticks < TICKS_PER_S else 3
    edge = output.tracks[rendition].edge
    last_part = edge[1] if edge is not None and edge[0] == wanted.msn else -1
    if edge is not None and wanted.msn < edge[0]:
        return  # a part past the end of a segment stands for the next one's first
    if wanted.part > last_part + advance:
        raise _bad("_HLS_part is too far beyond the last part.")


def _number(query: MultiMapping[str], name: str) -> int | None:
    values = query.getall(name, [])
    if not values:
        return None
    if len(values) > 1 or not _NUMBER.fullmatch(values[0]):
        raise _bad(f"{name} is a decimal number, given once.")
    return int(values[0])


def _bad(message: str) -> BadRequest:
    return BadRequest(message, code="bad_directive")


# --- conditions -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Want:
    """A state that a broadcast may reach. :meth:`met` is also true when it never will: the caller looks again."""

    broadcast: str
    output: str
    rendition: str
    msn: int = 0
    part: int | None = None
    key: str | None = None
    """Wait for the bytes of the hinted part of this interval; None: wait until the playlist lists the part."""
    anything: bool = False
    """Wait until the playlist has a whole segment: hls.js gives up a rendition whose playlist has none."""

    def met(self, view: BroadcastView) -> bool:
        if view.closed or view.broadcast is None or view.broadcast.id != self.broadcast:
            return True
        output = view.outputs.get(self.output)
        track = output.tracks.get(self.rendition) if output is not None else None
        if output is None or track is None:
            return False
        if self.key is None:
            if self.anything:
                return track.newest_whole is not None
            return track.edge is not None and track.reached(self.msn, self.part)
        segment = track.get(self.msn)
        if segment is None:
            last = track.last
            expected = output.interval_of(self.msn)
            return (last is not None and last.msn >= self.msn) or (expected is not None and expected.key != self.key)
        interval = output.intervals.get(segment.interval)
        return (
            segment.complete
            or interval is None
            or interval.key != self.key
            or (self.part is not None and self.part < len(segment.parts))
        )


class Condition(Protocol):
    """A hashable condition on a mirror; many clients that wait for the same one share it."""

    def met(self, view: BroadcastView) -> bool: ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class AnyBroadcast:
    """The room's mirror has a broadcast: after a restart of the web process, its snapshot has come."""

    def met(self, view: BroadcastView) -> bool:
        return view.broadcast is not None


class _End(Enum):
    MET = "met"
    TIME_IS_UP = "time is up"
    CLIENT_GONE = "client gone"
    SHUTDOWN = "shutdown"
    REVOKED = "revoked"


class Revoked(Exception):
    """The request's access has ended."""


class ClientGone(Exception):
    """The client has gone."""


@dataclass(frozen=True, slots=True)
class HoldLimits:
    total: int
    per_address: int
    per_connection: int


@dataclass(eq=False, slots=True)
class _Waiter:
    future: asyncio.Future[_End]
    request: web.BaseRequest
    deadline: float


@dataclass(eq=False, slots=True)
class _RoomWaits:
    room: RoomLink
    unsubscribe: Callable[[], None] = lambda: None
    waiters: dict[Condition, set[_Waiter]] = field(default_factory=dict)

    def changed(self) -> None:
        """Called after every media event, so it must be quick. Players wait for few different conditions."""
        view = self.room.view
        met = [want for want in self.waiters if want.met(view)]
        for want in met:
            for waiter in self.waiters.pop(want):
                _end(waiter, _End.MET)


class Holds:
    """All held requests of a web process."""

    def __init__(self, limits: HoldLimits, stats: DeliveryStats) -> None:
        self._limits = limits
        self._stats = stats
        self._rooms: dict[int, _RoomWaits] = {}
        self._by_address: Counter[str] = Counter()
        self._by_connection: Counter[int] = Counter()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def until(
        self, room: RoomLink, want: Condition, request: web.BaseRequest, address: str, limit_s: float
    ) -> None:
        """Returns once ``want`` is met, at once if it is met already.

        Raises TooMany ``too_many_held`` 429 (this address or connection), Unavailable ``too_many_held`` or
        ``not_in_time`` 503, ClientGone, and Revoked as soon as the request's key opens nothing any more.
        """
        if want.met(room.view):
            return
        if self._closed:
            raise _unavailable("shutting_down", "The server is about to stop.")
        connection = id(request.transport)
        self._admit(address, connection)
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop.create_future(), request, loop.time() + limit_s)
        waits = self._enter(room, want, waiter)
        opened: MediaAccess | None = request.get(ACCESS)
        unwatch = opened.on_end(partial(_end, waiter, _End.REVOKED)) if opened is not None else _nothing
        try:
            end = await waiter.future
        finally:
            unwatch()
            self._leave(waits, want, waiter)
            self._release(address, connection)
        if end is _End.TIME_IS_UP:
            self._stats.hold_timeouts_total += 1
            raise _unavailable("not_in_time", "The requested media did not come in time.")
        if end is _End.CLIENT_GONE:
            self._stats.hold_disconnects_total += 1
            raise ClientGone
        if end is _End.REVOKED:
            self._stats.hold_revoked_total += 1
            raise Revoked
        if end is _End.SHUTDOWN:
            raise _unavailable("shutting_down", "The server is about to stop.")

    def close(self) -> None:
        """Answer all held requests with 503, and hold none from now on."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in self._everybody():
            _end(waiter, _End.SHUTDOWN)

    # --- bookkeeping --------------------------------------------------------------------------------

    def _admit(self, address: str, connection: int) -> None:
        stats, limits = self._stats, self._limits
        if stats.held_now >= limits.total:
            stats.hold_refused_overall_total += 1
            raise _unavailable("too_many_held", "Too many requests wait already.")
        if self._by_address[address] >= limits.per_address:
            stats.hold_refused_address_total += 1
            raise _too_many("Too many requests from this address wait already.")
        if self._by_connection[connection] >= limits.per_connection:
            stats.hold_refused_connection_total += 1
            raise _too_many("Too many requests of this connection wait already.")
        self._by_address[address] += 1
        self._by_connection[connection] += 1
        stats.held_now += 1
        stats.held_total += 1

    def _release(self, address: str, connection: int) -> None:
        self._stats.held_now -= 1
        _count_down(self._by_address, address)
        _count_down(self._by_connection, connection)

    def _enter(self, room: RoomLink, want: Condition, waiter: _Waiter) -> _RoomWaits:
        waits = self._rooms.get(id(room))
        if waits is None:
            waits = self._rooms[id(room)] = _RoomWaits(room)
            waits.unsubscribe = room.subscribe(waits.changed)
        waits.waiters.setdefault(want, set()).add(waiter)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        return waits

    def _leave(self, waits: _RoomWaits, want: Condition, waiter: _Waiter) -> None:
        if (same := waits.waiters.get(want)) is not None:
            same.discard(waiter)
            if not same:
                del waits.waiters[want]
        if not waits.waiters and self._rooms.get(id(waits.room)) is waits:
            waits.unsubscribe()
            del self._rooms[id(waits.room)]

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        for waiter in self._everybody():
            if waiter.future.done():
                continue
            transport = waiter.request.transport
            if transport is None or transport.is_closing():
                waiter.future.set_result(_End.CLIENT_GONE)
            elif now >= waiter.deadline:
                waiter.future.set_result(_End.TIME_IS_UP)
        self._timer = loop.call_later(SWEEP_S, self._sweep) if self._rooms else None

    def _everybody(self) -> list[_Waiter]:
        return [w for waits in self._rooms.values() for same in waits.waiters.values() for w in same]


def _end(waiter: _Waiter, end: _End) -> None:
    if not waiter.future.done():
        waiter.future.set_result(end)


def _nothing() -> None:
    """Used when there is nothing to cancel."""


_K = TypeVar("_K")


def _count_down(counter: Counter[_K], key: _K) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def hold_limit_s(broadcast: Broadcast) -> float:
    return HOLD_TARGETS * broadcast.target_duration_s - HOLD_MARGIN_S


def _too_many(message: str) -> StreamerError:
    return TooMany(message, code="too_many_held", headers={"Retry-After": "1"})


def _unavailable(code: str, message: str) -> StreamerError:
    return Unavailable(message, code=code, headers={"Retry-After": "1"})
