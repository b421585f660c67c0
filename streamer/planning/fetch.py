"""Fetches a schedule from an address that a person typed, without giving access to the local network.

Only http and https. Each name is resolved once and checked, and the connection is made to the checked addresses; each
redirect is checked again. The answer is bounded in size (unpacked) and time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import zlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from streamer import __version__
from streamer.errors import Unprocessable
from streamer.settings import ScheduleSettings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""(host, port) -> the addresses as texts; raises OSError."""

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("64:ff9b:1::/48"))
_ACCEPT = "application/json, application/xml;q=0.9, text/calendar;q=0.9, */*;q=0.5"


class NotFetched(Unprocessable):
    """The address cannot be fetched: codes ``bad_address``, ``address_refused``, ``unreachable``, ``too_slow``,
    ``too_large``, ``refused_by_server``. The message tells nothing about a host behind a refused address."""

    code = "not_fetched"


@dataclass(frozen=True, slots=True)
class Fetched:
    """``status`` is 200, or 304 with an empty body if nothing has changed since ``etag`` or ``last_modified``."""

    status: int
    body: bytes
    etag: str
    last_modified: str
    url: str
    """The last address, after redirects."""


async def fetch(
    url: str, settings: ScheduleSettings, *, etag: str = "", last_modified: str = "", resolve: Resolve | None = None
) -> Fetched:
    """Raises NotFetched. ``etag`` and ``last_modified`` are those of the last answer from this address."""
    allowed = [ipaddress.ip_network(text, strict=False) for text in settings.allow_networks]
    headers = {"User-Agent": f"Streamer/{__version__}", "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await _one(url, headers, allowed, settings.max_bytes, resolve or _resolve)
                if isinstance(answer, Fetched):
                    return answer
                url = answer
    except TimeoutError as error:
        raise NotFetched("The address does not answer in time.", code="too_slow") from error
    raise NotFetched(f"The address redirects more than {MAX_REDIRECTS} times.", code="refused_by_server")


async def _one(
    url: str, headers: dict[str, str], allowed: Sequence[Network], max_bytes: int, resolve: Resolve
) -> Fetched | str:
    """The answer of the address, or the address that it redirects to."""
    host, port = _target(url)
    addresses = await _checked(host, port, allowed, resolve)
    connector = aiohttp.TCPConnector(
        resolver=_Pinned(host, addresses), use_dns_cache=False, limit=2, force_close=True, ttl_dns_cache=None
    )
    # Without the environment's proxy and netrc. Cookies of one host are not sent to the next.
    session = aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )
    async with session:
        try:
            async with session.get(url, headers=headers, allow_redirects=False) as response:
                if response.status in _REDIRECTS and "Location" in response.headers:
                    return urljoin(url, response.headers["Location"])
                if response.status == 304:
                    return _fetched(response, b"", url)
                if response.status != 200:
                    raise NotFetched(
                        f"The address answers with status {response.status}.",
                        code="refused_by_server",
                        details={"status": response.status},
                    )
                return _fetched(response, await _body(response, max_bytes), url)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise NotFetched("The address cannot be reached.", code="unreachable") from error


def _fetched(response: aiohttp.ClientResponse, body: bytes, url: str) -> Fetched:
    return Fetched(
        response.status,
        body,
        response.headers.get("ETag", "")[:500],
        response.headers.get("Last-Modified", "")[:100],
        url,
    )


async def _body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Unpacked while it arrives, so that a small answer cannot become a large one in memory."""
    unpack = _unpacker(response.headers.get("Content-Encoding", ""))
    out = bytearray()
    async for chunk in response.content.iter_chunked(65_536):
        out += unpack(chunk, max_bytes + 1 - len(out))
        if len(out) > max_bytes:
            raise NotFetched(f"The answer is larger than {max_bytes // 1_000_000} MB.", code="too_large")
    return bytes(out)


def _unpacker(encoding: str) -> Callable[[bytes, int], bytes]:
    names = [name.strip().lower() for name in encoding.split(",") if name.strip()]
    if not names or names == ["identity"]:
        return lambda data, _limit: data
    if names not in (["gzip"], ["x-gzip"], ["deflate"]):
        raise NotFetched("The answer has an unknown compression.", code="refused_by_server")
    unpacker = zlib.decompressobj(32 + zlib.MAX_WBITS)

    def unpack(data: bytes, limit: int) -> bytes:
        try:
            return unpacker.decompress(data, max(1, limit))
        except zlib.error as error:
            raise NotFetched("The answer's compression is broken.", code="refused_by_server") from error

    return unpack


def _target(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise NotFetched("This is no address.", code="bad_address") from error
    if parts.scheme not in ("http", "https") or not parts.hostname or any(character.isspace() for character in url):
        raise NotFetched("The address does not begin with http:// or https://.", code="bad_address")
    if parts.username or parts.password:
        raise NotFetched("The address must not contain a password.", code="bad_address")
    return parts.hostname, port if port is not None else {"http": 80, "https": 443}[parts.scheme]


async def _checked(host: str, port: int, allowed: Sequence[Network], resolve: Resolve) -> list[Address]:
    try:
        literal: Address | None = ipaddress.ip_address(host)
    except ValueError:
        literal = None
    try:
        texts = [str(literal)] if literal is not None else await resolve(host, port)
        found = [ipaddress.ip_address(text.partition("%")[0]) for text in texts]
    except (OSError, ValueError, UnicodeError) as error:
        raise NotFetched("There is no host with this name.", code="unreachable") from error
    good = [address for address in found if may_reach(address, allowed)]
    if not good:
        raise NotFetched(
            "The address is within a private network; an operator can allow it (schedules.allow_networks).",
            code="address_refused",
        )
    return good


def may_reach(address: Address, allowed: Iterable[Network]) -> bool:
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


def _wrapped(address: Address) -> Address | None:
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

    def __init__(self, host: str, addresses: Sequence[Address]) -> None:
        self._host = host
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host.lower().rstrip(".") != self._host.lower().rstrip("."):
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
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Does nothing: there is nothing to close."""
