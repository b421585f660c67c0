"""Fetches a schedule from an address that a person typed, without giving access to the local network.

Which addresses may be reached, :mod:`streamer.outgoing` says; each redirect is checked again. The answer is bounded in
size (unpacked) and time.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import aiohttp

from streamer.errors import Unprocessable
from streamer.outgoing import (
    MAX_REDIRECTS,
    USER_AGENT,
    Network,
    NotReached,
    Resolve,
    check_address,
    networks,
    session_to,
)
from streamer.settings import ScheduleSettings

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
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
    allowed = networks(settings.allow_networks)
    headers = {"User-Agent": USER_AGENT, "Accept": _ACCEPT, "Accept-Encoding": "gzip, deflate"}
    if etag:
        headers["If-None-Match"] = etag
    if last_modified:
        headers["If-Modified-Since"] = last_modified
    try:
        async with asyncio.timeout(settings.fetch_timeout_s):
            for _ in range(MAX_REDIRECTS + 1):
                answer = await _one(url, headers, allowed, settings.max_bytes, resolve)
                if isinstance(answer, Fetched):
                    return answer
                url = answer
    except TimeoutError as error:
        raise NotFetched("The address does not answer in time.", code="too_slow") from error
    raise NotFetched(f"The address redirects more than {MAX_REDIRECTS} times.", code="refused_by_server")


async def _one(
    url: str, headers: dict[str, str], allowed: Sequence[Network], max_bytes: int, resolve: Resolve | None
) -> Fetched | str:
    """The answer of the address, or the address that it redirects to."""
    try:
        session = session_to(await check_address(url, allowed, resolve))
    except NotReached as error:
        raise NotFetched(error.message, code=error.code) from error
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
