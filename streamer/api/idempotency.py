"""Requests that may be sent again: ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header).

Imports little: front processes ask it, too.
"""

from __future__ import annotations

import re

from aiohttp import web

from streamer.errors import BadRequest

HEADER = "Idempotency-Key"
_REPEATED = re.compile(
    r"POST /api/v1/(?:"
    r"sessions/[^/]+/(?:start|end|extend|delay|cancel|reopen|answer)"
    r"|(?:rooms|venues|events)/[^/]+/(?:hold|resume)"
    r"|rooms/[^/]+/(?:ad_hoc|air|forget)"
    r"|actions/[^/]+/undo"
    r"|alarms/[^/]+/(?:acknowledge|snooze|normal)"
    r")|DELETE /api/v1/alarms/[^/]+/normal|PATCH /api/v1/rooms/[^/]+/sources/[^/]+"
)
_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{1,128})"|([A-Za-z0-9._~:/+=-]{1,128})')


def may_repeat(method: str, path: str) -> bool:
    """Whether requests to ``path``, or to a route's template, take a key: the taps."""
    return _REPEATED.fullmatch(f"{method} {path}") is not None


def idempotency_key(request: web.BaseRequest) -> str | None:
    """The key of the request; None without one. A String of RFC 8941 (in quotes), or the same without quotes. Raises
    BadRequest ``bad_idempotency_key``."""
    value = request.headers.get(HEADER)
    if value is None:
        return None
    found = _KEY.fullmatch(value.strip())
    if found is None:
        raise BadRequest(f"{HEADER} must be 1 to 128 visible characters in quotes.", code="bad_idempotency_key")
    return found[1] or found[2]
