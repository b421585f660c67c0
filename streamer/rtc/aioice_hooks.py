"""Our use of the private parts of aioice 0.13.0: sockets, candidates, and incoming checks.

The other half of :mod:`streamer.rtc.aiortc_hooks`, which has the peers and puts these in place.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any

import aioice.ice
import aioice.stun
import structlog
from aioice.candidate import candidate_foundation, candidate_priority

from streamer.rtc.consent import Consent
from streamer.rtc.ice import LOOPBACK, IceBinding

log = structlog.get_logger(__name__)

DATAGRAM_QUEUE_MAX = 512
"""Datagrams that wait for the DTLS handshake, at most; media does not pass through this queue."""
MAX_REMOTE = 96
"""Addresses of one peer. A peer may send fewer candidates (``ice.max_candidates``), and a NAT adds a few."""


class DatagramQueue(asyncio.Queue[Any]):
    """aioice's queue of datagrams, with a limit: the oldest is dropped. None (the end) always fits."""

    def __init__(self) -> None:
        super().__init__(DATAGRAM_QUEUE_MAX)
        self.dropped = 0

    def put_nowait(self, item: Any) -> None:
        if self.full():
            self.get_nowait()
            self.dropped += 1
        super().put_nowait(item)


class StunProtocol(aioice.ice.StunProtocol):
    """aioice's protocol, for a socket that strangers may send to."""

    refused = 0
    came_from: tuple[str, int] | None = None
    """The sender of the datagram that is being taken in now."""

    def datagram_received(self, data: Any, addr: Any) -> None:
        self.came_from = (addr[0], addr[1])
        try:
            super().datagram_received(data, addr)
        except Exception as error:
            # An exception that leaves a datagram callback would close the socket, and a stranger's datagram must not do
            # that.
            self.refused += 1
            if self.refused in (1, 100, 10_000):
                log.warning("stun_refused", error=repr(error), count=self.refused)
        finally:
            self.came_from = None


class ConsentChecks:
    """Replaces ``Connection.query_consent`` of a publication: see :mod:`streamer.rtc.consent`."""

    def __init__(self, connection: Any, clock_ns: Callable[[], int] = time.monotonic_ns) -> None:
        self._connection = connection
        self._clock_ns = clock_ns
        self.consent = Consent(clock_ns())

    async def __call__(self) -> None:
        """A task of aioice's, from the nomination of a pair to the connection's end."""
        connection = self._connection
        self.consent = Consent(self._clock_ns())
        while not self.consent.over(self._clock_ns()):
            # RFC 7675, section 5.1: "randomized between 0.8 and 1.2 times the basic value".
            await asyncio.sleep(aioice.ice.CONSENT_INTERVAL * random.uniform(0.8, 1.2))  # noqa: S311 - spreads checks
            for pair in list(connection._nominated.values()):
                await self.check(pair)
        log.info("consent_over")
        connection._query_consent_task = None
        await connection.close()

    async def check(self, pair: Any) -> bool:
        """One binding request. Returns whether it was answered."""
        answered = await binding_request(self._connection, pair)
        if answered:
            self.consent.answered(self._clock_ns())
        return answered

    def came(self) -> None:
        """An authentic datagram is being taken in. It counts if it came over the validated pair."""
        pair = self._connection._nominated.get(1)
        if pair is not None and getattr(pair.protocol, "came_from", None) == pair.remote_addr:
            self.consent.heard(self._clock_ns())


async def binding_request(connection: Any, pair: Any) -> bool:
    """One STUN binding request on a pair, given up after 1.5 s. Returns whether it was answered."""
    request = connection.build_request(pair, nominate=False)
    key = connection.remote_password.encode()
    try:
        await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=1)
    except (aioice.stun.TransactionError, ConnectionError):
        return False
    return True


class Checks:
    """Replaces ``Connection.check_incoming``: a peer has a limited number of addresses, announced or observed.

    aioice pairs each address that an authentic check comes from with each socket of ours, and checks back.
    """

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._check = connection.check_incoming
        self.consent: ConsentChecks | None = None
        self.refused = 0

    def __call__(self, message: Any, addr: tuple[str, int], protocol: Any) -> None:
        if self.consent is not None:
            self.consent.came()
        remote = self._connection._remote_candidates
        if len(remote) >= MAX_REMOTE and not any(c.host == addr[0] and c.port == addr[1] for c in remote):
            self.refused += 1
            return
        self._check(message, addr, protocol)


class Gatherer:
    """Replaces ``Connection.get_component_candidates`` of one connection."""

    def __init__(self, connection: Any, binding: IceBinding) -> None:
        self._connection = connection
        self._binding = binding
        self._relayed = connection.get_component_candidates

    async def __call__(self, component: int, addresses: list[str], timeout: float = 5) -> list[Any]:
        connection, binding = self._connection, self._binding
        # With the relay policy aioice passes no addresses: then no host candidates are made.
        relay_only = connection._transport_policy == aioice.ice.TransportPolicy.RELAY
        hosts = [] if relay_only else list(binding.addresses or addresses or (LOOPBACK,))
        candidates = []
        protocols = []
        for index, address in enumerate(hosts):
            protocol = await self._listen(address)
            if protocol is None:
                continue
            protocols.append(protocol)
            connection._protocols.append(protocol)
            protocol.local_candidate = host_candidate(protocol, component, index)
            shown = host_candidate(protocol, component, index)
            if index < len(binding.announce) and binding.announce[index]:
                shown.host = binding.announce[index]
            candidates.append(shown)
        if connection.stun_server and not relay_only:
            lookups = [
                asyncio.create_task(aioice.ice.server_reflexive_candidate(p, connection.stun_server), name="stun")
                for p in protocols
                if ":" not in p.local_candidate.host
            ]
            if lookups:
                done, pending = await asyncio.wait(lookups, timeout=timeout)
                candidates += [task.result()[0] for task in done if task.exception() is None]
                for task in pending:
                    task.cancel()
                if pending:
                    await asyncio.wait(pending)
        if connection.turn_server:
            stun_server, connection.stun_server = connection.stun_server, None
            try:
                candidates += await self._relayed(component=component, addresses=[], timeout=timeout)
            finally:
                connection.stun_server = stun_server
            for protocol in connection._protocols:
                # aioice makes its own for a relayed address.
                protocol.__class__ = StunProtocol
        return candidates

    async def _listen(self, address: str) -> Any:
        return await listen(self._connection, address, self._binding)


async def listen(connection: Any, address: str, binding: IceBinding) -> Any:
    """A StunProtocol on a socket of its own; None, with a warning, if there is no such address or no free port."""
    loop = asyncio.get_running_loop()
    for port in _ports(binding):
        try:
            transport, protocol = await loop.create_datagram_endpoint(
                lambda: StunProtocol(connection), local_addr=(address, port)
            )
        except OSError as error:
            if port:
                continue
            log.warning("ice_address_not_bound", address=address, error=str(error))
            return None
        size_buffers(transport.get_extra_info("socket"), binding.buffer_bytes)
        return protocol
    log.warning("ice_ports_used_up", address=address, low=binding.port_min, high=binding.port_max)
    return None


def host_candidate(protocol: Any, component: int, index: int) -> Any:
    host, port = protocol.transport.get_extra_info("sockname")[:2]
    return aioice.Candidate(
        foundation=candidate_foundation("host", "udp", host),
        component=component,
        transport="udp",
        # RFC 8445, section 5.1.2.1: a multihomed agent gives each address a preference of its own.
        priority=candidate_priority(component, "host", 65535 - index),
        host=host,
        port=port,
        type="host",
    )


def _ports(binding: IceBinding) -> Sequence[int]:
    if not binding.port_min and not binding.port_max:
        return (0,)
    low = max(binding.port_min, 1)
    span = range(low, max(binding.port_max, low) + 1)
    start = random.randrange(len(span))  # noqa: S311 - spreads ports, guards nothing
    return [span[(start + i) % len(span)] for i in range(len(span))]


def size_buffers(sock: Any, size: int) -> int:
    """Ask for socket buffers of ``size`` bytes. Returns the size that the kernel granted for receiving."""
    if sock is None:
        return 0
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, size)
    # Linux doubles the value for its own bookkeeping and reports the doubled one (socket(7)).
    return int(sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)) // 2
