"""``/api/v1/rooms/{id}/readiness``: whether a room is ready for its next session. For its crew."""

from __future__ import annotations

import re
from typing import Any, Literal

from streamer.api.context import now_ms
from streamer.api.models import Body, LazyModel, Moment, to_moment
from streamer.api.rooms import room_named, target_of
from streamer.api.routing import Call, Route
from streamer.broadcast.programme import SOURCE_PATTERN
from streamer.conference.alarms import MEDIA_BEFORE_MS
from streamer.conference.day import current, following
from streamer.conference.grants import Action
from streamer.conference.readiness import BY_HAND, Line
from streamer.conference.rooms import Room
from streamer.errors import NotFound


class ReadinessLine(LazyModel):
    name: str
    """``level``, ``voice``, ``picture``, ``key``, ``disk``, ``flags``, ``captioner`` (where captions are promised),
    ``upload``, ``framing``, ``focus``. The last two only a person can judge."""
    state: str
    """``yes``, ``no``, ``not_yet`` (heard, seen or done), or ``unknown``, which never makes a room not ready."""
    at: Moment | None
    """The last time at which it was heard or seen. It stays until the source or its device changes."""
    by: str | None
    """The person who has seen it."""
    details: dict[str, Any]

    @classmethod
    def of(cls, line: Line) -> ReadinessLine:
        return cls(name=line.name, state=line.state, at=to_moment(line.at_ms), by=line.by, details=dict(line.details))


class ReadinessView(LazyModel):
    """It describes the source that comes in, and never keeps anybody from a start."""

    room: str
    session: str | None
    """The one that is on air, or next."""
    due: bool
    """Whether the session is on air or begins within ten minutes."""
    state: str
    """``ready``, ``not_ready`` where a line is *no*, ``not_yet`` where one is not heard, seen or done yet."""
    lines: list[ReadinessLine]


class ReadinessSeen(Body):
    """The caller has looked at the picture."""

    framing: bool = False
    focus: bool = False


class PageLeaving(Body):
    leaving: Literal["pagehide", "freeze"] = "pagehide"
    """``pagehide``: the page is being closed; ``freeze``: the browser puts it to sleep."""


def _view(call: Call, room: Room) -> ReadinessView:
    services, at_ms = call.services, now_ms()
    director = services.director
    day, link = director.day(room.id), services.plane.rooms.get(room.id)
    found = director.effects.rehearsals.readiness(room, day, link, at_ms)
    session = current(day) or following(day, at_ms)
    return ReadinessView(
        room=room.id,
        session=None if session is None else session.id,
        due=session is not None and session.start_ms - MEDIA_BEFORE_MS <= at_ms,
        state=found.state,
        lines=[ReadinessLine.of(line) for line in found.lines],
    )


async def leave(call: Call) -> None:
    room, services = room_named(call.services, call.path("id")), call.services
    call.require(target_of(room))
    if not re.fullmatch(SOURCE_PATTERN, call.path("name")):
        raise NotFound("There is no such source.", code="no_such_source")
    reports = services.director.room_alarms.page_reports
    reports.leave(services.director.day(room.id), call.path("name"), call.body(PageLeaving).leaving, now_ms())


async def get_readiness(call: Call) -> ReadinessView:
    room = room_named(call.services, call.path("id"))
    call.require(target_of(room))
    return _view(call, room)


async def seen(call: Call) -> ReadinessView:
    room, services = room_named(call.services, call.path("id")), call.services
    grant, body = call.require(target_of(room)), call.body(ReadinessSeen)
    for name in BY_HAND:
        if getattr(body, name):
            services.director.effects.rehearsals.seen(
                services.director.day(room.id),
                services.plane.rooms.get(room.id),
                name,
                grant.label or grant.role.value,
                now_ms(),
            )
    return _view(call, room)


ROUTES = (
    Route(
        "GET",
        "/rooms/{id}/readiness",
        get_readiness,
        "Whether the room is ready for its next session, line by line",
        "rooms",
        action=Action.ROOM_CREW,
        answers=(ReadinessView,),
    ),
    Route(
        "POST",
        "/rooms/{id}/readiness",
        seen,
        "Say that framing or focus was looked at; holds until the source or its device changes",
        "rooms",
        action=Action.ROOM_AIR,
        body=ReadinessSeen,
        answers=(ReadinessView,),
    ),
    Route(
        "POST",
        "/rooms/{id}/sources/{name}/leaving",
        leave,
        "The last word of a page that sends a source: it is being closed, or put to sleep",
        "rooms",
        action=Action.PUBLISH,
        body=PageLeaving,
        status=204,
    ),
)
