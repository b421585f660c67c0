"""A stranger who follows every address in every answer, and checks that none tells of hidden things."""

from __future__ import annotations

import base64
import html
import json
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit

from aiohttp import ClientSession
from aiohttp.test_utils import TestClient

_ADDRESS = re.compile(r"""(?:https?://streamer\.test)?/[A-Za-z0-9_~./?&=%@:+-]*[A-Za-z0-9_~/=-]""")
_BASE64 = re.compile(r"[A-Za-z0-9_+/-]{16,}")
OPEN = "wagtail"
"""A word in all public texts, which proves that a walk has found something."""
MOST = 1_000
"""Addresses: more than there are, so that a walk that turns in circles ends."""


def _decoded(text: str) -> Iterator[bytes]:
    for run in _BASE64.findall(text):
        plain = run.replace("-", "+").replace("_", "/")
        for shift in range(4):
            yield base64.b64decode(plain[shift : shift + (len(plain) - shift) // 4 * 4])


@dataclass
class Hidden:
    """Words that only people with the right may find. Compared without case."""

    words: set[str] = field(default_factory=set)

    def found_in(self, text: str) -> list[str]:
        """Also percent-encoded, as HTML entities, and inside base64, wherever its groups of four begin."""
        plain = html.unescape(unquote(text)).lower()
        # Looked through at once: an answer has hundreds of such runs.
        inside = b"\0".join(_decoded(text)).lower()
        return sorted(word for word in self.words if word.lower() in plain or word.lower().encode() in inside)


@dataclass
class Walk:
    """``seen``: address -> status. ``found``: answers with the public word."""

    seen: dict[str, int] = field(default_factory=dict)
    found: int = 0
    finds: list[str] = field(default_factory=list)


async def walk(
    client: TestClient[Any, Any] | ClientSession,
    begin: Iterable[str],
    headers: Mapping[str, str],
    hidden: Hidden,
    within: str = "/",
) -> Walk:
    """Along every list one by one, and to every address of the service that an answer names, below ``within``."""
    done, waiting = Walk(), deque(begin)
    while waiting and len(done.seen) < MOST:
        address = waiting.popleft()
        if address in done.seen:
            continue
        async with client.get(address, headers=headers, allow_redirects=False) as response:
            body = await response.read()
            told = f"{response.reason}\n" + "\n".join(f"{name}: {value}" for name, value in response.headers.items())
            done.seen[address] = response.status
            kind = response.content_type
        text = body.decode("utf-8", "replace") if not kind.startswith(("video/", "audio/", "image/")) else ""
        done.finds += [f"{address} ({done.seen[address]}): {word}" for word in hidden.found_in(f"{told}\n{text}")]
        done.finds += [f"{address}: {word}" for word in hidden.words if word.lower().encode() in body.lower()]
        if done.seen[address] < 400:
            waiting.extend(one for one in _addresses(address, kind, text, told) if one.startswith(within))
            done.found += int(OPEN in text)
    assert not waiting, f"{len(waiting)} addresses are left: {list(waiting)[:5]}"
    return done


def _addresses(address: str, kind: str, text: str, headers: str) -> Iterator[str]:
    if "mpegurl" in kind:
        for line in text.splitlines():
            for uri in [line] if line and not line.startswith("#") else re.findall(r'URI="([^"]+)"', line):
                yield urljoin(address, uri)
        return
    if "json" in kind:
        found = json.loads(text)
        cursor = found.get("cursor") if isinstance(found, dict) else None
        if cursor is not None:
            parts = urlsplit(address)
            yield f"{parts.path}?{urlencode({**dict(parse_qsl(parts.query)), 'cursor': cursor})}"
    if kind == "text/javascript" or "openapi" in address:
        return
    for match in _ADDRESS.findall(f"{headers}\n{html.unescape(text)}"):
        path = match.removeprefix("http://streamer.test").removeprefix("https://streamer.test")
        if path.startswith("/") and not path.startswith(("//", "/socket.io", "/whip", "/whep")):
            yield path
