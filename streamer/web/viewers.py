"""Numbers of viewers for the audiences."""

from __future__ import annotations

import asyncio

import structlog

from streamer.api.context import Services, now_ms
from streamer.audience.news import Viewpoint
from streamer.audience.scope import Scope
from streamer.broadcast.media_events import PUBLIC
from streamer.conference.playback import WINDOW_MS
from streamer.conference.spans import output_name
from streamer.delivery.viewers import Viewers
from streamer.errors import StreamerError

VIEWERS_S = 2.0

log = structlog.get_logger(__name__)


def viewers_now(services: Services, viewers: Viewers, room: str) -> int:
    """People who watch a room's public output, about."""
    return sum(_public(services, viewers, room))


def _public(services: Services, viewers: Viewers, room: str) -> tuple[int, int]:
    """Viewers of the public output over HLS and over WHEP. An edge asks once for all its viewers: with edges the
    players' own reports count, which do not say of which output they are. While a closed session plays in the room,
    and until its reports are forgotten, they would tell how many watch that one."""
    link = services.plane.rooms.get(room)
    whep = 0 if link is None or link.status is None else link.status.viewers_whep
    hls, at_ms = viewers.of(room, PUBLIC), now_ms()
    if services.edges and room in services.director.rooms:
        closed = (one for one in services.director.day(room).sessions if one.closed and one.started_ms is not None)
        if not any(at_ms - (one.ended_ms or at_ms) <= 2 * WINDOW_MS for one in closed):
            hls = max(hls, services.playback.of(room, at_ms).players - whep)
    return hls, whep


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
    for room in services.plane.rooms:
        if room not in director.rooms:
            continue
        scopes = [(Scope(room), *_public(services, viewers, room))]
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
