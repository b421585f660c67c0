"""Logging: structlog over the standard library, sentences or JSON lines on stderr."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import structlog

from streamer.observe.log_words import WordsRenderer
from streamer.sections import LogSettings

_SECRET_KEYS = frozenset({"token", "authorization", "secret", "resource", "cookie", "password", "credential"})


def configure_logging(settings: LogSettings, *, role: str = "") -> None:
    """Once per process, before anything is logged. ``role`` is on every line (``serve``, ``web``, ``media`` ...)."""
    level = getattr(logging, settings.level.upper())
    as_json = settings.format == "json" or (settings.format == "auto" and not sys.stderr.isatty())
    words = WordsRenderer(colours=sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    renderer: Any = structlog.processors.JSONRenderer() if as_json else words
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _role_adder(role),
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_secrets,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                # Without local variables: they hold people's names and words.
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for chatty in ("aiosqlite", "alembic", "asyncio", "aiohttp.access", "aioice", "aiortc"):
        logging.getLogger(chatty).setLevel(max(level, logging.WARNING))


def _role_adder(role: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if role:
            event["role"] = role
        return event

    return add


def hide_secrets(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """The last protection: a field whose name says that it is a secret is never written."""
    for key in _SECRET_KEYS.intersection(event):
        event[key] = "…"
    return event
