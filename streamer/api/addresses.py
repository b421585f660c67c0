"""A client's address and scheme behind trusted proxies, and the base of links."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from aiohttp import web

from streamer.household import household

CLIENT, SCHEME = "Streamer-Client", "Streamer-Scheme"
"""With these a front process tells the core who asked it, and how. No front lets them in from outside."""

HOLDER = web.RequestKey("holder", bool)
"""Set on a request that shows a grant of the crew."""
HOLDER_MARK = "Streamer-Holder"
"""The header by which the core tells a front process the same. It goes no further."""
HSTS = "max-age=31536000"

_LOCAL = "local"
"""The peer of a Unix socket."""

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """Believes ``X-Forwarded-For`` and ``X-Forwarded-Proto`` from trusted addresses only. ``fronts``: this is the core,
    and what comes over its Unix socket comes from a front process, whose word on its client is taken."""

    def __init__(self, trusted: Iterable[str], *, fronts: bool = False) -> None:
        self.fronts = fronts
        self._trusted: tuple[_Network, ...] = tuple(ipaddress.ip_network(item, strict=False) for item in trusted)

    def client_address(self, request: web.BaseRequest) -> str:
        """The nearest address that does not belong to a trusted proxy; never empty."""
        address = self.peer(request)
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
        """Whether ``peer`` is the address of a trusted proxy, or a front process."""
        return (self.fronts and peer == _LOCAL) or self._is_trusted(_normal(peer) or peer)

    def is_https(self, request: web.BaseRequest) -> bool:
        """Whether the client speaks TLS to us or to a trusted proxy."""
        if self._is_trusted(self.peer(request)):
            forwarded = request.headers.get("X-Forwarded-Proto", "")
            if forwarded:
                return forwarded.rsplit(",", 1)[-1].strip().lower() == "https"
        if self._from_front(request):
            return request.headers.get(SCHEME) == "https"
        return speaks_tls(request)

    def peer(self, request: web.BaseRequest) -> str:
        """The address at the other end of the client's connection, or of its proxy's."""
        if request.transport is None:
            # The client has gone in the meantime.
            return "unknown"
        peer = request.transport.get_extra_info("peername")
        if isinstance(peer, tuple) and peer:
            return _normal(str(peer[0])) or "unknown"
        return request.headers.get(CLIENT, _LOCAL) if self.fronts else _LOCAL

    def _from_front(self, request: web.BaseRequest) -> bool:
        peer = None if request.transport is None else request.transport.get_extra_info("peername")
        return self.fronts and not (isinstance(peer, tuple) and peer)

    def _is_trusted(self, address: str) -> bool:
        if not self._trusted:
            return False
        if address == _LOCAL:
            # A Unix socket: only programs on this machine reach it, as a proxy does.
            return True
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)


def speaks_tls(request: web.BaseRequest) -> bool:
    """Whether the connection to this process is TLS."""
    return request.transport is not None and request.transport.get_extra_info("sslcontext") is not None


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
