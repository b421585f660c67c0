"""``/api/v1/rooms/{id}/playback``: players tell how they do. Open to everybody; nothing of anybody is kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from streamer.api.context import Services, now_ms
from streamer.api.models import Body
from streamer.api.rooms import room_named
from streamer.api.routing import Call, Route
from streamer.audience.scope import Scope
from streamer.conference.day import current
from streamer.conference.playback import PlaybackCounts

Kbps = Annotated[int, Field(ge=0, le=1_000_000)]


class PlaybackReport(Body):
    """Keys of CMCD (CTA-5004, CTA-5004-A) as a JSON object. A player of what is live sends it once in thirty seconds,
    and at once when it stands still or fails, which it tells once in thirty seconds. All other keys are refused:
    ``sid`` and ``cid``, which would tell who watches, too."""

    v: Literal[1, 2] = 2
    e: Literal["t", "ps", "e"] = "t"
    """Why it is sent: ``t`` the time has come, ``ps`` it stands still, ``e`` it fails."""
    sta: Literal["s", "p", "k", "r", "a", "w", "e", "f", "q", "d"] | None = None
    """``p`` it plays, ``r`` it waits for media, ``f`` it fails, …"""
    bs: bool = False
    """Its buffer ran empty since the last report that said so."""
    ec: list[Literal["network", "media", "unsupported"]] = Field(default_factory=list, max_length=3)
    """The errors since then."""
    bl: int | None = Field(None, ge=0, le=3_600_000)
    """Media ahead, ms."""
    br: Kbps | None = None
    """Of the rendition that plays."""
    mtp: Kbps | None = None
    """Measured throughput."""
    pr: float = Field(1, ge=0, le=16)
    """Playback rate."""
    sf: Literal["h", "o"] = "h"
    """``h`` HLS, ``o`` WebRTC."""
    st: Literal["l"] = "l"
    """Live."""


async def report(call: Call) -> None:
    services, body = call.services, call.body(PlaybackReport)
    services.playback_posts.take(services.proxies.client_household(call.request))
    room = room_named(services, call.path("id"))
    stalled, failed, at_ms = body.bs, bool(body.ec), now_ms()
    stats = services.playback.stats
    stats.buffer_ms_total += body.bl or 0
    stats.bitrate_kbps_total += body.br or 0
    stats.throughput_kbps_total += body.mtp or 0
    counts = services.playback.take(room.id, at_ms, plays=body.e == "t", stalled=stalled, failed=failed)
    if stalled:
        _complain(services, room.id, "stutter", counts.stalled, counts, at_ms)
    if failed:
        _complain(services, room.id, "error", counts.failed, counts, at_ms)


def _complain(services: Services, room: str, kind: str, people: int, counts: PlaybackCounts, at_ms: int) -> None:
    """Troubles of several players are told to the technician like those that viewers report. One of many players
    stands still at any time: a few do not keep a warning alive."""
    viewers = max(counts.players, people, services.audience.viewers(Scope(room)))
    if not services.settings.alarms.enough_viewers(people, viewers):
        return
    running = current(services.director.day(room))
    session = running.id if running is not None and not running.closed else None
    services.notices.complaint(room, kind, people, at_ms, session=session, enough=True)


ROUTES = (
    Route(
        "POST",
        "/rooms/{id}/playback",
        report,
        "A player tells how it does (CMCD keys without those that identify); needs no grant",
        "rooms",
        body=PlaybackReport,
        status=204,
    ),
)
