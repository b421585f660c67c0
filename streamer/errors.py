"""The base class of all errors. Every edge (HTTP, control socket, CLI) maps it once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EXIT_DONE, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
"""The exit codes of every command: done, failed, wrong usage."""


class StreamerError(Exception):
    """An error with a stable machine ``code``, a message that is safe to show and an HTTP status.

    Clients translate ``code``; ``message`` is English for people; ``details`` is JSON-able.
    ``headers`` are response headers that belong to the error (``Retry-After``, ``Allow`` ...).
    """

    code = "internal"
    status = 500

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        details: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.status = status or type(self).status
        self.details = details
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The shape of the answer at every edge: ``{"error": {"code", "message", "details"}}``."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


class BadRequest(StreamerError):
    code, status = "bad_request", 400


class Unauthorized(StreamerError):
    code, status = "unauthorized", 401


class Forbidden(StreamerError):
    code, status = "forbidden", 403


class NotFound(StreamerError):
    code, status = "not_found", 404


class NotOnAir(NotFound):
    code = "not_on_air"


class Conflict(StreamerError):
    code, status = "conflict", 409


class Unprocessable(StreamerError):
    code, status = "unprocessable", 422


class TooMany(StreamerError):
    code, status = "too_many", 429


class Unavailable(StreamerError):
    code, status = "unavailable", 503
