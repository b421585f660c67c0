"""The household of an address, as far as a server can tell: the unit of every limit by address. Pure.

A household has one IPv4 address. Of IPv6 its provider gives it a prefix of 48 to 64 bits (RIPE-690, section 4.2), and
each of its devices takes new addresses in it as it likes. So a limit by the full address would have no effect.
"""

from __future__ import annotations

import functools
import ipaddress

IPV6_BITS = 56


@functools.lru_cache(maxsize=65_536)
def household(address: str) -> str:
    """``192.0.2.1`` is itself, ``2001:db8:0:1ff::7`` is ``2001:db8:0:100::/56``; a text that is no IP address is
    itself.

    An IPv4 address inside an IPv6 one (``::ffff:192.0.2.1``) is that IPv4 address. Loopback and link-local addresses
    are themselves: their prefix tells nothing about their users.
    """
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.version == 4:
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    if ip.is_loopback or ip.is_link_local:
        return str(ip)
    return str(ipaddress.ip_network((ip, IPV6_BITS), strict=False))
