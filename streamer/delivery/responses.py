"""Delivery's answers: cache headers, CORS, conditional and range requests. No state."""

from __future__ import annotations

import re
import socket
import struct

from aiohttp import hdrs, web
from multidict import CIMultiDict

from streamer.delivery.rendering import Playlist
from streamer.errors import StreamerError

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
VIDEO_TYPE = "video/mp4"
AUDIO_TYPE = "audio/mp4"

PRIVATE = "private, no-store"
"""Cache-Control of everything that is served for a key: no cache may keep it, shared or not."""

CORS = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    # hls.js reads Age to learn how old a cached playlist is (RFC 8216bis, appendix C).
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "Age, Content-Length, Content-Range, Date, ETag, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}
_PREFLIGHT = {
    **CORS,
    hdrs.ACCESS_CONTROL_ALLOW_METHODS: "GET, HEAD, OPTIONS",
    hdrs.ACCESS_CONTROL_ALLOW_HEADERS: "Range, If-None-Match, If-Range, Cache-Control",
    hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
    hdrs.ALLOW: "GET, HEAD, OPTIONS",
}
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.ASCII)


async def preflight(_request: web.Request) -> web.Response:
    return web.Response(status=204, headers=_PREFLIGHT)


def error_response(error: StreamerError) -> web.Response:
    return web.json_response(
        error.body(), status=error.status, headers={**CORS, hdrs.CACHE_CONTROL: "no-store", **error.headers}
    )


def playlist_response(request: web.Request, playlist: Playlist, cache_control: str) -> web.Response:
    """The playlist, gzipped if the client accepts it; 304 if the client has it."""
    etag = playlist.etag
    headers = CIMultiDict(CORS)
    headers[hdrs.CACHE_CONTROL] = cache_control
    headers[hdrs.VARY] = "Accept-Encoding"
    headers[hdrs.ETAG] = etag
    if has_etag(request, etag):
        return web.Response(status=304, headers=headers)
    headers[hdrs.CONTENT_TYPE] = PLAYLIST_TYPE
    body = playlist.text
    if accepts_gzip(request.headers.get(hdrs.ACCEPT_ENCODING, "")):
        body = playlist.packed()
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(body=body, headers=headers)


def media_headers(content_type: str, cache_control: str, etag: str) -> CIMultiDict[str]:
    headers = CIMultiDict(CORS)
    headers[hdrs.CONTENT_TYPE] = content_type
    headers[hdrs.CACHE_CONTROL] = cache_control
    headers[hdrs.ETAG] = etag
    headers[hdrs.ACCEPT_RANGES] = "bytes"
    return headers


def media_response(request: web.Request, data: bytes, headers: CIMultiDict[str]) -> web.Response:
    """Bytes that never change, complete or the range that was asked for (RFC 9110, section 14)."""
    wanted = request.headers.get(hdrs.RANGE)
    if wanted is None or not _range_applies(request, headers[hdrs.ETAG]):
        return web.Response(body=data, headers=headers)
    found = byte_range(wanted, len(data))
    if found is None:
        return web.Response(body=data, headers=headers)
    start, end = found
    if start >= end:
        headers[hdrs.CONTENT_RANGE] = f"bytes */{len(data)}"
        headers[hdrs.CACHE_CONTROL] = "no-store"
        return web.Response(status=416, headers=headers)
    headers[hdrs.CONTENT_RANGE] = f"bytes {start}-{end - 1}/{len(data)}"
    return web.Response(status=206, body=data[start:end], headers=headers)


def head_response(size: int, headers: CIMultiDict[str]) -> web.Response:
    """For HEAD, without reading any media."""
    headers[hdrs.CONTENT_LENGTH] = str(size)
    return web.Response(headers=headers)


def not_modified(request: web.Request, headers: CIMultiDict[str]) -> web.Response | None:
    if not has_etag(request, headers[hdrs.ETAG]):
        return None
    del headers[hdrs.CONTENT_TYPE]
    return web.Response(status=304, headers=headers)


def byte_range(text: str, size: int) -> tuple[int, int] | None:
    """``(start, end)`` of a single range, empty if it cannot be satisfied; None if the whole body is the answer."""
    match = _RANGE.fullmatch(text.strip())
    if match is None or match.group(1) == match.group(2) == "":
        return None
    first, last = match.groups()
    if not first:
        return (max(0, size - int(last)), size) if int(last) else (size, size)
    if last and int(last) < int(first):
        return None
    return int(first), min(size, int(last) + 1) if last else size


def has_etag(request: web.Request, etag: str) -> bool:
    """If-None-Match, by weak comparison (RFC 9110, 13.1.2)."""
    sent = request.headers.get(hdrs.IF_NONE_MATCH)
    if sent is None:
        return False
    if sent.strip() == "*":
        return True
    bare = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == bare for tag in sent.split(","))


def accepts_gzip(accept: str) -> bool:
    """Whether Accept-Encoding names gzip (or ``*``) with a weight other than zero."""
    for item in accept.split(","):
        coding, _, weight = item.partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0{0,3})?\s*", weight)
    return False


def _range_applies(request: web.Request, etag: str) -> bool:
    condition = request.headers.get(hdrs.IF_RANGE)
    return condition is None or condition.strip() == etag


def cut_off(request: web.Request) -> None:
    """Send nothing more of it, not even the bytes that the system has already."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
