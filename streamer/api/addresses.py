"""A client's address and scheme behind trusted proxies, and the base of links."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import web

from streamer.household import household

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """Believes ``X-Forwarded-For`` and ``X-Forwarded-Proto`` from trusted addresses only."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted: tuple[_Network, ...] = tuple(ipaddress.ip_network(item, strict=False) for item in trusted)

    def client_address(self, request: web.BaseRequest) -> str:
        """The nearest address that does not belong to a trusted proxy; never empty."""
        address = _peer(request)
        if not self._is_trusted(address):
            return address
        # A client may put anything at the front. So the header is read from the right, where our own proxies write.
        for hop in reversed(",".join(request.headers.getall("X-Forwarded-For", [])).split(",")):
            candidate = _normal(hop)
            if candidate is None:
                break
            address = candidate
            if not self._is_trusted(address):
                break
        return address

    def client_household(self, request: web.BaseRequest) -> str:
        """The household of the client, which every limit by address counts (:func:`streamer.household.household`)."""
        return household(self.client_address(request))

    def trusts(self, peer: str) -> bool:
        """Whether ``peer`` is the address of a trusted proxy."""
        return self._is_trusted(_normal(peer) or peer)

    def is_https(self, request: web.BaseRequest) -> bool:
        """Whether the client speaks TLS to us or to a trusted proxy."""
        if self._is_trusted(_peer(request)):
            forwarded = request.headers.get("X-Forwarded-Proto", "")
            if forwarded:
                return forwarded.rsplit(",", 1)[-1].strip().lower() == "https"
        return request.transport is not None and request.transport.get_extra_info("sslcontext") is not None

    def _is_trusted(self, address: str) -> bool:
        if not self._trusted:
            return False
        if address == "local":
            # A Unix socket: only programs on this machine reach it, as a proxy does.
            return True
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)


def _peer(request: web.BaseRequest) -> str:
    if request.transport is None:
        # The client has gone in the meantime.
        return "unknown"
    peer = request.transport.get_extra_info("peername")
    if isinstance(peer, tuple) and peer:
        return _normal(str(peer[0])) or "unknown"
    return "local"


def _normal(text: str) -> str | None:
    """One spelling per address: ``::ffff:192.0.2.1`` and ``192.0.2.1`` are the same client."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ip)
