"""``POST /api/v1/sessions/{id}/repeat``: a session on other days too, weekly or on the days that are named."""

from __future__ import annotations

import secrets
from datetime import date
from typing import Annotated, Self
from zoneinfo import ZoneInfo

from pydantic import Field, model_validator

from streamer.api.context import actor_of
from streamer.api.models import Body, LazyModel, Slug
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.session_models import SessionCrewView, in_reach
from streamer.api.sessions import check_room, context_of, event_named, find_session, target_of
from streamer.conference.grants import Action
from streamer.conference.repeats import copy_of, first_day, planned_days
from streamer.conference.rooms import DEFAULT_ZONE

MOST_COPIES = 100


class SessionRepeat(Body):
    """Either the days, or a weekly rule."""

    dates: Annotated[list[date], Field(max_length=MOST_COPIES)] = []
    """Days of the venue's calendar. The session's own day makes a copy beside it."""
    weeks: int = Field(1, ge=1, le=52)
    """Every so many weeks; 1: weekly."""
    until: date | None = None
    """The last day on which it may take place."""
    besides: Annotated[list[date], Field(max_length=MOST_COPIES, alias="except")] = []
    """Days that the rule leaves out."""
    room: Slug | None = None
    """Left out: the same room."""

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if bool(self.dates) == (self.until is not None):
            raise ValueError("either dates, or a rule with until")
        return self


class SessionCopies(LazyModel):
    items: list[SessionCrewView]
    """The new sessions, by their days."""


async def repeat_session(call: Call) -> SessionCopies:
    body = call.body(SessionRepeat)
    services = call.services
    session = await find_session(call)
    grant = call.require(target_of(services, session))
    name = body.room or session.room
    room = services.director.room(name)
    if room is None and name:
        raise invalid_field("room", "there is no such room")
    if room is not None:
        check_room(grant, room, await event_named(call, session.event))
    venue = services.director.place_of(session) if room is None else services.director.venue_of(room.id)
    zone = ZoneInfo(venue.timezone if venue else DEFAULT_ZONE)
    if body.until is None:
        days = sorted(set(body.dates))
    else:
        # One more than may be, so that too many are told and not cut off.
        rule = planned_days(first_day(session, zone), body.weeks, body.until, frozenset(body.besides))
        days = [day for day, _ in zip(rule, range(MOST_COPIES + 1), strict=False)]
    if not days:
        raise invalid_field("until", "there is no such day before it")
    if len(days) > MOST_COPIES:
        raise invalid_field("until", f"that is more than {MOST_COPIES} sessions")
    if not all(in_reach(day) for day in days):
        raise invalid_field("dates", "must lie between the years 2000 and 2100")
    copies = [copy_of(session, secrets.token_urlsafe(9), day, name, zone) for day in days]
    done = await services.director.add(copies, actor_of(grant))
    caller = call.caller()
    return SessionCopies(items=[SessionCrewView.of(one, context_of(services, one, caller)) for one in done])


ROUTES = (
    Route(
        "POST",
        "/sessions/{id}/repeat",
        repeat_session,
        "Plan a session on other days too: weekly until a day, or on days that are named",
        "sessions",
        action=Action.SESSION_CREATE,
        body=SessionRepeat,
        answers=(SessionCopies,),
        status=201,
    ),
)
