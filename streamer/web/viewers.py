"""Audiences are told how many watch."""

from __future__ import annotations

import asyncio

import structlog

from streamer.api.context import Services
from streamer.audience.news import Viewpoint
from streamer.audience.scope import Scope
from streamer.broadcast.media_events import PUBLIC
from streamer.conference.spans import output_name
from streamer.delivery.viewers import Viewers
from streamer.errors import StreamerError

VIEWERS_S = 2.0

log = structlog.get_logger(__name__)


async def count_viewers(services: Services, viewers: Viewers) -> None:
    """Until cancelled: tell audiences how many watch."""
    while True:
        await asyncio.sleep(VIEWERS_S)
        try:
            await tell_viewers(services, viewers)
        except StreamerError:
            log.exception("viewers_not_counted")


async def tell_viewers(services: Services, viewers: Viewers) -> None:
    """Of public outputs by HLS and WHEP, of closed sessions' own by HLS."""
    audience, director = services.audience, services.director
    for room, link in services.plane.rooms.items():
        if room not in director.rooms:
            continue
        whep = 0 if link.status is None else link.status.viewers_whep
        hls = viewers.of(room, PUBLIC)
        scopes = [(Scope(room), hls, whep)]
        scopes += [
            (Scope(room, session.id), viewers.of(room, output_name(session)), 0)
            for session in director.day(room).sessions
            if session.closed and session.running
        ]
        for scope, by_hls, by_whep in scopes:
            if by_hls or by_whep:
                # Those who watch count where nobody has said anything, too.
                await audience.snapshot(scope, Viewpoint.STAGE)
            audience.set_viewers(scope, hls=by_hls, whep=by_whep)
