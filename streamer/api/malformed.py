"""Answers for requests that are no HTTP. The parser refuses them before a middleware could see them."""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web

from streamer.errors import BadRequest, StreamerError

_log = structlog.get_logger("streamer.access")


def install() -> None:
    """Give aiohttp's own refusals the shape of our errors. A second call changes nothing."""
    web.RequestHandler.handle_error = _handle_error  # type: ignore[method-assign]


def _handle_error(
    self: web.RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,
) -> web.StreamResponse:
    """As ``aiohttp.web_protocol.RequestHandler.handle_error``, with our error body and a quieter log. ``message``
    quotes the client's bytes, so it is neither sent nor logged."""
    if status >= 500:
        _log.error("request_failed", client=request.remote, exc_info=exc)
        error = StreamerError("Something went wrong on our side.")
    else:
        _log.info("request_malformed", client=request.remote, status=status, reason=type(exc).__name__)
        error = BadRequest("This is no HTTP request.", status=status)
    if request.writer.output_size > 0:
        raise ConnectionError("the answer has begun already")
    response = web.json_response(error.body(), status=error.status, headers={hdrs.CACHE_CONTROL: "no-store"})
    response.force_close()
    return response
