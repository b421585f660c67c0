"""Shared parts of WHIP and WHEP: bodies, answers, resources, CORS.

Section numbers are those of RFC 9725. The resource's address is the secret: PATCH and DELETE need no bearer, because
deployed clients send none there.
"""

from __future__ import annotations

from typing import Any

from aiohttp import hdrs, web

from streamer.api.context import SERVICES, Services
from streamer.api.routing import UnsupportedMediaType, body_limit
from streamer.api.uncancelled import to_the_end
from streamer.conference.rooms import is_slug
from streamer.control.ice_servers import link_headers
from streamer.control.media_plane import RoomLink
from streamer.control.messages import Answer, Candidates
from streamer.errors import BadRequest, NotFound, StreamerError
from streamer.store.grants import WebRtcConnections

SDP = "application/sdp"
FRAGMENT = "application/trickle-ice-sdpfrag"
MAX_SDP_BYTES = 64 * 1024

_EXPOSED = "Location, ETag, Link, Retry-After, Accept-Post, Accept-Patch, WWW-Authenticate, X-Request-Id"
_ALLOWED_HEADERS = "Authorization, Content-Type, If-Match, ETag"


class OfferTooLarge(StreamerError):
    code, status = "too_large", 413


def is_signalling(path: str) -> bool:
    return path.startswith(("/whip/", "/whep/"))


def add_cors(headers: Any) -> None:
    """Pages of any site may publish or play: the token gives the right. There is no Allow-Credentials, so scripts of
    other sites come without our cookie, or cannot read the answer."""
    headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
    headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _EXPOSED


ENDPOINT_METHODS = "POST, PATCH, DELETE, OPTIONS"
"""An endpoint's answer to OPTIONS names those of its resources too: Eyevinn's client trickles only where PATCH is
among them, and a browser's preflight of a resource may be taken from the endpoint's."""


def preflight(methods: str, extra: dict[str, str]) -> web.Response:
    """The answer to OPTIONS, for a browser's preflight or a client's question."""
    return web.Response(
        status=204,
        headers={
            hdrs.ALLOW: methods,
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: methods,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _ALLOWED_HEADERS,
            hdrs.ACCESS_CONTROL_MAX_AGE: "86400",
            **extra,
        },
    )


async def read_offer(request: web.Request) -> str:
    """The SDP offer of a POST.

    Raises UnsupportedMediaType, TooLarge and BadRequest ``bad_offer``. Only what cannot be an offer at all is
    refused here, so that no room opens for it; the room process judges the rest.
    """
    if request.content_type != SDP:
        raise UnsupportedMediaType("The body must be application/sdp.", headers={"Accept-Post": SDP})
    sdp = await _read_text(request, "bad_offer")
    lines = sdp.replace("\r\n", "\n").split("\n")
    has_media = any(line.startswith(("m=audio ", "m=video ")) for line in lines)
    has_ice = any(line.startswith("a=ice-ufrag:") for line in lines)
    has_dtls = any(line.startswith("a=fingerprint:") for line in lines)
    if not (sdp.startswith("v=0") and has_media and has_ice and has_dtls):
        raise BadRequest("The body is no WebRTC offer with audio or video.", code="bad_offer")
    return sdp


async def _read_text(request: web.Request, code: str) -> str:
    if request.content_length is not None and request.content_length > MAX_SDP_BYTES:
        raise OfferTooLarge("The body is too large.", details={"limit_bytes": MAX_SDP_BYTES})
    body = bytearray()
    async with body_limit(request):
        async for chunk in request.content.iter_chunked(16 * 1024):
            body += chunk
            if len(body) > MAX_SDP_BYTES:
                raise OfferTooLarge("The body is too large.", details={"limit_bytes": MAX_SDP_BYTES})
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadRequest("The body is not UTF-8.", code=code) from error


def client_of(request: web.Request) -> str:
    """The client's name for itself (User-Agent), shown to the crew."""
    return _readable(request.headers.get(hdrs.USER_AGENT, ""))[:200]


def _readable(header: str) -> str:
    """A header's text. Bytes that are not UTF-8, which aiohttp hands on as surrogates, become question marks."""
    return header.encode("utf-8", "replace").decode("utf-8")


def created(request: web.Request, answer: Answer, location: str, *, with_turn: bool) -> web.Response:
    """The 201 answer of section 4.2."""
    services = request.app[SERVICES]
    response = web.Response(
        status=201,
        body=answer.sdp.encode("utf-8"),
        headers={
            hdrs.CONTENT_TYPE: SDP,
            hdrs.LOCATION: location,
            hdrs.ETAG: _quoted(answer.etag),
            "Accept-Patch": FRAGMENT,
            hdrs.CACHE_CONTROL: "no-store",
        },
    )
    for link in ice_links(services, with_turn=with_turn):
        response.headers.add("Link", link)
    return response


def ice_links(services: Services, *, with_turn: bool) -> list[str]:
    """``Link`` headers (section 4.6). TURN needs a password, so only holders of a grant get its address."""
    ice = services.settings.ice
    return link_headers(ice if with_turn else ice.model_copy(update={"turn_servers": ()}))


async def patch_resource(request: web.Request) -> web.Response:
    """Trickle ICE: section 4.3.2. A room refuses an ICE restart with 422, as section 4.3.3 allows."""
    link = _open_room(request)
    if request.content_type != FRAGMENT:
        raise UnsupportedMediaType(f"The body must be {FRAGMENT}.", headers={"Accept-Patch": FRAGMENT})
    fragment = await _read_text(request, "bad_fragment")
    # Some clients send the tag as ``ETag`` instead of ``If-Match``.
    if_match = request.headers.get(hdrs.IF_MATCH, request.headers.get(hdrs.ETAG))
    wanted = Candidates(resource=request.match_info["secret"], fragment=fragment, if_match=_unquoted(if_match))
    await to_the_end(link.candidates(wanted))
    return web.Response(status=204)


async def delete_resource(request: web.Request) -> web.Response:
    """Section 4.2: 200 once the connection is closed, also where the client closed it first; some clients accept no
    other status. An address that never was a connection's is 404."""
    secret = request.match_info["secret"]
    missing: NotFound | None = None
    try:
        await to_the_end(_open_room(request).hangup(secret))
    except NotFound as error:
        missing = error
    async with request.app[SERVICES].database.write() as connection:
        known = await WebRtcConnections(connection).remove(secret)
    if missing is not None and not known:
        raise missing
    # FFmpeg's WHIP muxer calls every answer a failure, with a body or without, and ends all the same.
    return web.Response(status=200)


async def resource_options(request: web.Request) -> web.Response:
    return preflight("PATCH, DELETE, OPTIONS", {"Accept-Patch": FRAGMENT})


def _open_room(request: web.Request) -> RoomLink:
    room = request.match_info["room"]
    link = request.app[SERVICES].plane.rooms.get(room) if is_slug(room) else None
    if link is None:
        raise NotFound("There is no such resource.", code="no_such_resource")
    return link


def _quoted(etag: str) -> str:
    return etag if etag.startswith('"') else f'"{etag}"'


def _unquoted(tag: str | None) -> str | None:
    if tag is None:
        return None
    return _readable(tag).strip().removeprefix("W/").strip('"')
