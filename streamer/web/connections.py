"""Decides by household which connections are accepted when places are scarce. No transport:
:mod:`streamer.web.http_server` has that.

Everybody has places, the crew some more, and no household may take all of them (:mod:`streamer.shares`). Above its
share a household's own idle connections are closed; when all places are taken, idle ones of the household that holds
most. Only then a connection is refused, unless it shows a grant.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from streamer.descriptors import DescriptorBudget
from streamer.shares import Shares


class ConnectionKind(Enum):
    PROXY = "proxy"
    """A trusted proxy's connection, which serves many households."""
    ANYBODY = "anybody"
    PROBATION = "probation"
    """Beyond the places for everybody: it must show a grant."""
    CREW = "crew"


class Cuttable(Protocol):
    def cut(self) -> None:
        """End it at once, whatever was not sent. Its seat becomes free soon after."""


@dataclass(slots=True)
class ConnectionStats:
    """Exported by ``streamer.observe``."""

    open: int = 0
    crew: int = 0
    """Open connections with a grant."""
    opened_total: int = 0
    refused_total: int = 0
    cut_for_others_total: int = 0
    """Idle connections of households with many, closed for new ones."""
    cut_headers_total: int = 0
    """No complete request in time."""
    cut_body_total: int = 0
    cut_idle_total: int = 0
    cut_slow_total: int = 0
    """Readers that took too little."""
    cut_unsent_total: int = 0
    """Closed because too much was waiting to be sent to all clients together."""
    unsent_bytes: int = 0
    handshakes_failed_total: int = 0
    accept_errors_total: int = 0


class Seat:
    """The place of one connection. ``connection`` is set once there is one to cut."""

    __slots__ = ("connection", "household", "kind", "left")

    def __init__(self, household: str, kind: ConnectionKind) -> None:
        self.household = household
        self.kind = kind
        self.connection: Cuttable | None = None
        self.left = False


class _Pool:
    """Places of one kind, and the idle connections in them."""

    def __init__(self, total: int) -> None:
        self.shares = Shares(total)
        self.idle: dict[str, OrderedDict[Seat, None]] = {}
        """Household -> its idle connections, the longest idle first."""

    def giving_way(self, household: str, *, full: bool) -> Seat | None:
        """The connection that gives its place to a new one of ``household``. ``full``: no place is free."""
        loser = household
        if full:
            # Otherwise there are free places, and the household has its share of them.
            most = max(self.idle, key=self.shares.of, default=household)
            if self.shares.of(most) > self.shares.of(household):
                loser = most
        return next(iter(self.idle.get(loser, ())), None)

    def rest(self, seat: Seat) -> None:
        self.idle.setdefault(seat.household, OrderedDict())[seat] = None

    def rouse(self, seat: Seat) -> None:
        idle = self.idle.get(seat.household)
        if idle is not None and seat in idle:
            del idle[seat]
            if not idle:
                del self.idle[seat.household]


class Connections:
    """All connections of a web process. On the loop."""

    def __init__(self, budget: DescriptorBudget, stats: ConnectionStats, *, per_household: int = 0) -> None:
        """``per_household``: a bound beside the share; 0: none."""
        self._pools = {ConnectionKind.ANYBODY: _Pool(budget.connections), ConnectionKind.PROBATION: _Pool(budget.crew)}
        self._most = budget.connections + budget.crew
        self._per_household = per_household or self._most
        self.stats = stats

    def admit(self, household: str, *, proxy: bool = False) -> Seat | None:
        """A place for a new connection; None if there is none."""
        kinds = (ConnectionKind.PROXY,) if proxy else (ConnectionKind.ANYBODY, ConnectionKind.PROBATION)
        kind = next((kind for kind in kinds if self._take(household, kind)), None)
        if kind is None:
            self.stats.refused_total += 1
            return None
        self.stats.open += 1
        self.stats.opened_total += 1
        seat = Seat(household, kind)
        self.idle(seat)
        return seat

    def _take(self, household: str, kind: ConnectionKind) -> bool:
        pool = self._pools[ConnectionKind.ANYBODY if kind is ConnectionKind.PROXY else kind]
        shares, full = pool.shares, self.stats.open >= self._most
        if kind is ConnectionKind.PROXY:
            seat = pool.giving_way(household, full=True) if full else None
        elif not full and shares.of(household) < self._per_household and shares.may(household):
            return shares.take(household)
        else:
            seat = pool.giving_way(household, full=full or not shares.free)
        if seat is not None:
            self.stats.cut_for_others_total += 1
            self.cut(seat)
            if kind is not ConnectionKind.PROXY:
                shares.put(household)
        return seat is not None or (kind is ConnectionKind.PROXY and not full)

    def cut(self, seat: Seat) -> None:
        """End a connection; its place is free at once."""
        self.leave(seat)
        if seat.connection is not None:
            seat.connection.cut()

    def idle(self, seat: Seat) -> None:
        """The connection waits for its client from now on."""
        if not seat.left and seat.kind in self._pools:
            self._pools[seat.kind].rest(seat)

    def busy(self, seat: Seat) -> None:
        """The client waits for us."""
        if seat.kind in self._pools:
            self._pools[seat.kind].rouse(seat)

    def prove(self, seat: Seat) -> None:
        """The connection has shown a grant and moves to the crew's places."""
        if not seat.left and seat.kind in self._pools:
            self._give_back(seat)
            seat.kind = ConnectionKind.CREW
            self.stats.crew += 1

    def leave(self, seat: Seat) -> None:
        """The connection has ended. A second call does nothing."""
        if not seat.left:
            seat.left = True
            self.stats.open -= 1
            self._give_back(seat)

    def _give_back(self, seat: Seat) -> None:
        if seat.kind in self._pools:
            self._pools[seat.kind].rouse(seat)
            self._pools[seat.kind].shares.give_back(seat.household)
        elif seat.kind is ConnectionKind.CREW:
            self.stats.crew -= 1
