"""What is no HTTP request: refused by the parser, before there is a request that a middleware could see."""

from __future__ import annotations

import structlog
from aiohttp import hdrs, web

from streamer.errors import BadRequest, StreamerError

_log = structlog.get_logger("streamer.access")


def install() -> None:
    """Give aiohttp's own refusals our shape. Calling it again changes nothing."""
    web.RequestHandler.handle_error = _handle_error  # type: ignore[method-assign]


def _handle_error(
    self: web.RequestHandler,
    request: web.BaseRequest,
    status: int = 500,
    exc: BaseException | None = None,
    message: str | None = None,
) -> web.StreamResponse:
    """As ``aiohttp.web_protocol.RequestHandler.handle_error``, with our body and a quieter log: what scanners send
    is no error of ours, and neither it nor ``message``, which quotes it, is repeated anywhere."""
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
