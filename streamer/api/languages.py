"""The language of an answer."""

from __future__ import annotations

from aiohttp import hdrs, web

from streamer.conference.alarm_words import LANGUAGES


def locale_of(request: web.Request) -> str:
    """``en`` or ``fr``: the first of ``Accept-Language`` by weight that we have."""
    best, best_weight = "en", 0.0
    for item in request.headers.get(hdrs.ACCEPT_LANGUAGE, "")[:500].split(","):
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=")) if parameter else 1.0
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best
