"""Numbers of viewers for the audiences."""

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


def viewers_now(services: Services, viewers: Viewers, room: str) -> int:
    """People who watch a room's public output, about."""
    link = services.plane.rooms.get(room)
    whep = 0 if link is None or link.status is None else link.status.viewers_whep
    return whep + viewers.of(room, PUBLIC)


async def count_viewers(services: Services, viewers: Viewers) -> None:
    """Runs until it is cancelled: sends the audiences their numbers of viewers."""
    while True:
        await asyncio.sleep(VIEWERS_S)
        try:
            await tell_viewers(services, viewers)
        except StreamerError:
            log.exception("viewers_not_counted")


async def tell_viewers(services: Services, viewers: Viewers) -> None:
    """For public outputs over HLS and WHEP, for closed sessions' own outputs over HLS."""
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
                # Viewers count also where nobody has said anything.
                await audience.snapshot(scope, Viewpoint.STAGE)
            audience.set_viewers(scope, hls=by_hls, whep=by_whep)
