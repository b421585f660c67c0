"""Middlewares for every request: request ids, access log, error shape, CSRF, security headers."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from streamer.api.addresses import HOLDER, HOLDER_MARK, HSTS
from streamer.api.context import SERVICES, Services
from streamer.api.signalling import add_cors, is_signalling
from streamer.errors import BadRequest, Forbidden, StreamerError

Observe = Callable[[str, str, int, float], None]
"""Route template, method, status, seconds."""

REQUEST_ID = web.RequestKey("request_id", str)

_log = structlog.get_logger("streamer.access")
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Pictures may come from elsewhere: partners' logos may lie on the partners' own sites.
PAGE_CSP = (
    "default-src 'self'; media-src 'self' blob:{edges}; worker-src 'self' blob:; img-src 'self' data: blob: https:; "
    "connect-src 'self'{edges}; style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors {frames}"
)

_HTTP_CODES = {
    400: "bad_request",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "timeout",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    417: "expectation_failed",
}


def error_response(error: StreamerError) -> web.Response:
    return web.json_response(
        error.body(), status=error.status, headers={hdrs.CACHE_CONTROL: "no-store", **error.headers}
    )


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Gives every error our shape."""
    try:
        return await handler(request)
    except StreamerError as error:
        return error_response(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        mapped = StreamerError(error.reason, code=_HTTP_CODES.get(error.status, "http_error"), status=error.status)
        if hdrs.ALLOW in error.headers:
            mapped.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return error_response(mapped)
    except web.RequestPayloadError:
        # The body does not match its Content-Encoding or Transfer-Encoding.
        return error_response(BadRequest("The body cannot be decoded.", code="bad_body"))
    except ConnectionResetError:
        raise
    except Exception:
        _log.exception("request_failed", method=request.method, route=route_of(request))
        return error_response(StreamerError("Something went wrong on our side."))


def make_access_middleware(observe: Observe) -> Middleware:
    prefix = secrets.token_hex(4)
    numbers = itertools.count(1)

    @web.middleware
    async def access(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Request id, one log line and one metric for each request, without query, token or the secret address of a
        resource."""
        request_id = f"{prefix}-{next(numbers):x}"
        request[REQUEST_ID] = request_id
        started = time.perf_counter()
        status = 499
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            seconds = time.perf_counter() - started
            route = route_of(request)
            observe(route, request.method, status, seconds)
            # Players ask several times a second; their lines would hide the others. How each does is told to nobody.
            often = route.startswith(("/live/", "/assets/", "/socket.io/", "/~")) or route == "/livez"
            often = often or route.endswith("/playback")
            log = _log.debug if often else _log.info
            log(
                "request",
                id=request_id,
                method=request.method,
                route=route,
                room=request.match_info.get("room", ""),
                status=status,
                ms=round(seconds * 1000, 1),
                client=request.app[SERVICES].proxies.client_address(request),
            )

    return access


@web.middleware
async def csrf(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A request that changes something and carries cookies must come from our own pages.

    One with a bearer token cannot be forged by another site, and one without cookies has nothing to steal.
    """
    if (
        request.method not in _SAFE_METHODS
        and hdrs.COOKIE in request.headers
        and hdrs.AUTHORIZATION not in request.headers
        and not _same_origin(request)
    ):
        raise Forbidden("This request comes from another site.", code="cross_site")
    return await handler(request)


def _same_origin(request: web.Request) -> bool:
    services = request.app[SERVICES]
    origin = request.headers.get(hdrs.ORIGIN)
    site = request.headers.get("Sec-Fetch-Site")
    if origin is not None and origin in services.settings.server.allowed_origins:
        return True
    if site is not None:
        return site in ("same-origin", "none")
    if origin is None:
        # Every browser of the last ten years sends one of the headers. So this is no browser that another site could
        # trick.
        return True
    own = urlsplit(services.public_url)
    scheme = "https" if services.proxies.is_https(request) else "http"
    return origin in (f"{own.scheme}://{own.netloc}", f"{scheme}://{request.host}")


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """``on_response_prepare``: runs for errors as well."""
    headers = response.headers
    headers.setdefault("X-Content-Type-Options", "nosniff")
    request_id = request.get(REQUEST_ID)
    if request_id is not None:
        headers["X-Request-Id"] = request_id
    if is_signalling(request.path):
        add_cors(headers)
    services = request.app.get(SERVICES)
    if services is not None and services.proxies.is_https(request):
        headers.setdefault(hdrs.STRICT_TRANSPORT_SECURITY, HSTS)
    if services is not None and services.proxies.fronts and request.get(HOLDER, False):
        headers[HOLDER_MARK] = "1"
    if headers.get(hdrs.CONTENT_TYPE, "").startswith("text/html"):
        framed = request.path.startswith("/embed/")
        headers.setdefault("Content-Security-Policy", _page_policy(services, framed=framed))
        headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
        headers.setdefault(
            "Permissions-Policy", "camera=(self), microphone=(self), display-capture=(self), geolocation=()"
        )
        if not framed:
            headers.setdefault("X-Frame-Options", "DENY")
            headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")


def _page_policy(services: Services | None, *, framed: bool) -> str:
    """Content-Security-Policy of a page. Players go to other edges by the edges' own names."""
    edges = ""
    if services is not None:
        public = urlsplit(services.public_url)
        port = f":{public.port}" if public.port else ""
        edges = "".join(f" {public.scheme}://{name}{port}" for name in services.settings.edges.names)
    return PAGE_CSP.format(frames="*" if framed else "'none'", edges=edges)


def route_of(request: web.Request) -> str:
    """The route's template. Logs and metric labels then hold no secret addresses."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "unmatched"
