"""HTTP requests to addresses that a person typed, without giving access to the local network.

Only http and https. Each name is resolved once and checked, and the connection is made to the checked addresses
(:func:`session_to`); whoever follows a redirect checks its address again.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streamer import __version__
from streamer.errors import Unprocessable

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> the addresses as texts; raises OSError."""

USER_AGENT = f"Streamer/{__version__}"
MAX_REDIRECTS = 5
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))


class NotReached(Unprocessable):
    """The address is none, or may not be connected to: codes ``bad_address``, ``address_refused``, ``unreachable``. The
    message tells nothing about a host behind a refused address."""

    code = "not_reached"


@dataclass(frozen=True, slots=True)
class CheckedHost:
    """A host whose addresses may be connected to."""

    name: str
    port: int
    addresses: tuple[IpAddress, ...]


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The networks of a setting."""
    return tuple(ipaddress.ip_network(text, strict=False) for text in texts)


async def check_address(url: str, allowed: Sequence[Network], resolve: Resolve | None = None) -> CheckedHost:
    """The host of ``url``. Raises NotReached. ``allowed``: private networks that the operator opens."""
    host, port = _target(url)
    return CheckedHost(host, port, tuple(await _checked(host, port, allowed, resolve or _resolve)))


def session_to(host: CheckedHost) -> aiohttp.ClientSession:
    """A client that connects to this host alone, without the environment's proxy and netrc, without cookies and
    without a time limit of its own."""
    connector = aiohttp.TCPConnector(
        resolver=_Pinned(host), use_dns_cache=False, limit=2, force_close=True, ttl_dns_cache=None
    )
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )


def _target(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotReached("This is no address.", code="bad_address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or any(character.isspace() for character in url):
        raise NotReached("The address does not begin with http:// or https://.", code="bad_address")
    if parts.username or parts.password:
        raise NotReached("The address must not contain a password.", code="bad_address")
    return parts.hostname, port if port is not None else {"http": 80, "https": 443}[parts.scheme]


async def _checked(host: str, port: int, allowed: Sequence[Network], resolve: Resolve) -> list[IpAddress]:
    try:
        literal: IpAddress | None = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    try:
        texts = [str(literal)] if literal is not None else await resolve(host, port)
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    except (OSError, ValueError, UnicodeError) as error:
        raise NotReached("There is no host with this name.", code="unreachable") from error
    good = [address for address in found if may_reach(address, allowed)]
    if not good:
        raise NotReached(
            "The address is within a private network; an operator can allow it (schedules.allow_networks).",
            code="address_refused",
        )
    return good


def may_reach(address: IpAddress, allowed: Iterable[Network]) -> bool:
    """Public addresses, and those that the operator allows. An address inside an IPv6 address (mapped, 6to4, Teredo,
    NAT64) counts as itself."""
    inner = _wrapped(address)
    if inner is not None:
        address = inner
    if any(address.version == network.version and address in network for network in allowed):
        return True
    return address.is_global and not (
        address.is_multicast or address.is_reserved or address.is_unspecified or address.is_link_local
    )


def _wrapped(address: IpAddress) -> IpAddress | None:
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(address in network for network in _NAT64) or int(address) < 2**32:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


async def _resolve(host: str, port: int) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


class _Pinned(AbstractResolver):
    """Answers with the checked addresses, whatever the name server says now."""

    def __init__(self, host: CheckedHost) -> None:
        self._host = host

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host.lower().rstrip(".") != self._host.name.lower().rstrip("."):
            raise OSError("only the checked host may be connected")
        return [
            ResolveResult(
                hostname=host,
                host=str(address),
                port=port,
                family=socket.AF_INET6 if address.version == 6 else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._host.addresses
        ]

    async def close(self) -> None:
        """Does nothing: there is nothing to close."""
