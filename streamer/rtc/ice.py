"""The addresses where media is bound, and those that are announced.

Pure: settings in, values out; ``aiortc_hooks`` applies them to a peer.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import ifaddr

from streamer.control.ice_servers import IceServer, ice_servers
from streamer.settings import Settings

LOOPBACK = "127.0.0.1"
LOOPBACK_6 = "::1"


@dataclass(frozen=True, slots=True)
class IceBinding:
    """The addresses and ports of one peer's sockets.

    ``addresses`` empty means: every interface's address but loopback, and loopback if there is none.
    ``announce[i]`` stands in candidates instead of ``addresses[i]`` (NAT 1:1). Ports 0 mean any.
    ``buffer_bytes`` is asked for as SO_RCVBUF and SO_SNDBUF; the kernel may grant less (``net.core.rmem_max``).
    """

    addresses: tuple[str, ...] = ()
    announce: tuple[str, ...] = ()
    port_min: int = 0
    port_max: int = 0
    buffer_bytes: int = 4 * 1024 * 1024
    servers: tuple[IceServer, ...] = ()


def binding_from(settings: Settings) -> IceBinding:
    """The binding of a room's peers: ``ice.host_addresses``, else ``server.host`` if it is one address."""
    ice = settings.ice
    addresses = ice.host_addresses or _single_address(settings.server.host)
    return IceBinding(
        addresses=addresses,
        announce=ice.announce_addresses,
        port_min=ice.port_min,
        port_max=ice.port_max,
        buffer_bytes=ice.socket_buffer_bytes,
        servers=ice_servers(ice),
    )


def binding_towards(url: str) -> IceBinding:
    """The binding of a client that talks to ``url``: loopback stays on loopback."""
    host = urlsplit(url).hostname or ""
    if not _is_loopback(host):
        return IceBinding()
    # A server that is reached by IPv6, or by the name, may have addresses of both kinds for media.
    both = host == "localhost" or ":" in host
    return IceBinding(addresses=(LOOPBACK, LOOPBACK_6) if both else (LOOPBACK,))


def same_machine(binding: IceBinding, remote: Iterable[str]) -> list[str]:
    """The addresses for a peer on this machine instead of loopback, if loopback alone is bound.

    libnice (GStreamer) leaves loopback out and binds its sockets to an interface, so its packets to 127.0.0.1 never
    arrive. Checks from the address that it named do reach it, and come back.
    """
    if not binding.addresses or not all(_is_loopback(a) for a in binding.addresses):
        return []
    own = {ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips}
    wanted = []
    for address in dict.fromkeys(remote):
        parsed = ipaddress.ip_address(address)
        if address in own and not parsed.is_loopback and not parsed.is_link_local:
            wanted.append(address)
    return wanted


def _single_address(host: str) -> tuple[str, ...]:
    if host == "localhost":
        return (LOOPBACK,)
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return ()
    return () if address.is_unspecified else (str(address),)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
