"""``/api/v1/duty``: who is on duty in a venue, until when, and the handing over from one to the next."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Annotated, Literal

from pydantic import StringConstraints
from sqlalchemy.ext.asyncio import AsyncConnection

from streamer.api.alarms import RoomAlarmView, alarm_view
from streamer.api.audit import record
from streamer.api.context import Services, actor_of, now_ms
from streamer.api.hooks import owner_of
from streamer.api.models import Body, LazyModel, Moment, PartialBody, Slug, to_moment, to_ms
from streamer.api.rooms import alarms_of, target_of
from streamer.api.routing import Call, Route, invalid_field
from streamer.api.venues import check_venue_exists
from streamer.conference.duty import Shift, grant_of_person, leaves_the_page
from streamer.conference.grants import Action, Grant, Target
from streamer.conference.rooms import Room
from streamer.errors import Conflict, Forbidden, NotFound
from streamer.store.hooks import Hooks
from streamer.store.reach import grant_as_it_is
from streamer.store.shifts import Shifts

LONGEST_MS = 14 * 24 * 3_600_000
MOST_SHIFTS = 500
"""Shifts that are not over, of all venues."""
SHOWN_AFTER_MS = 12 * 3_600_000
"""Shifts are listed this long after their ends."""

Person = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class DutyQuery(LazyModel):
    venue: Slug | None = None
    """Left out: all that the grant reaches."""


class DutyCreate(Body):
    venue: Slug | None = None
    """Null: the rooms without a venue."""
    until: Moment
    since: Moment | None = None
    """Left out: from now on."""
    person: Person | None = None
    """A grant's id, or ``admin``. Left out: the caller."""


class DutyChange(PartialBody):
    until: Moment | None = None
    since: Moment | None = None


class DutyOffer(Body):
    """To whom one's duty goes."""

    until: Moment
    person: Person | None = None
    """A grant's id, or ``admin``. Left out: whoever of the crew accepts first."""


class DutyAlarms(LazyModel):
    """The alarms that go with a duty."""

    open: list[RoomAlarmView]
    """Those that wait for somebody."""
    taken: list[RoomAlarmView]
    snoozed: list[RoomAlarmView]


class DutyView(LazyModel):
    id: str
    venue: str | None
    person: str
    """A grant's id, or ``admin``; of an offer to anybody empty."""
    label: str
    since: Moment
    until: Moment
    state: Literal["later", "on", "over", "offered"]
    follows: str | None
    """Of a duty that was handed over: the one before."""
    reachable: bool
    """Whether the person has a way to be reached."""
    own: bool
    """Whether it is the caller's."""
    alarms: DutyAlarms | None = None
    """Told of one duty, while it is on or offered."""


class DutyList(LazyModel):
    """In the order in which people are rung."""

    items: list[DutyView]
    cursor: None = None
    """The list is short: it has no second page."""


def _rooms(services: Services, grant: Grant, venue: str | None) -> list[Room]:
    """The rooms of the venue whose alarms the grant may take."""
    rooms = [room for room in services.director.rooms.values() if room.venue == venue]
    return [room for room in rooms if grant.allows(Action.ALARM_ACKNOWLEDGE, target_of(room))]


def _require(call: Call, venue: str | None) -> Grant:
    """The caller, who may act in a room of the venue, or in the venue itself. Raises Forbidden."""
    grant = call.holder
    if not _rooms(call.services, grant, venue):
        call.require(Target(venue=venue))
    return grant


def _alarms(call: Call, venue: str | None) -> DutyAlarms:
    services, caller = call.services, call.caller()
    told = DutyAlarms(open=[], taken=[], snoozed=[])
    for room in _rooms(services, call.holder, venue):
        for alarm in alarms_of(services, caller, room):
            if not leaves_the_page(alarm):
                continue
            if alarm.id in services.director.acknowledged(room.id):
                into = told.taken
            else:
                into = told.open if alarm.snoozed_until_ms is None else told.snoozed
            into.append(alarm_view(call, room, alarm))
    return told


async def _views(call: Call, connection: AsyncConnection, shifts: list[Shift]) -> list[DutyView]:
    now, own = now_ms(), owner_of(call.holder)
    reachable = {hook.grant for hook in await Hooks(connection).all()}
    views = []
    for shift in shifts:
        views.append(
            DutyView(
                id=shift.id,
                venue=shift.venue,
                person="" if shift.anybody and shift.accepted_ms is None else shift.person,
                label="" if shift.anybody and shift.accepted_ms is None else shift.label,
                since=to_moment(shift.since_ms),
                until=to_moment(shift.until_ms),
                state=_state(shift, now),
                follows=shift.follows,
                reachable=shift.grant in reachable,
                own=shift.grant == own and not (shift.anybody and shift.accepted_ms is None),
            )
        )
    return views


def _state(shift: Shift, now: int) -> Literal["later", "on", "over", "offered"]:
    if now >= shift.until_ms:
        return "over"
    if shift.accepted_ms is None:
        return "offered"
    return "on" if now >= shift.since_ms else "later"


async def list_duty(call: Call) -> DutyList:
    services, named, grant = call.services, call.query(DutyQuery).venue, call.holder
    if named is not None:
        _require(call, named)
    async with services.database.read() as connection:
        shifts = await Shifts(connection).since(now_ms() - SHOWN_AFTER_MS)
        shown = [
            shift
            for shift in shifts
            if (shift.venue == named if named is not None else _sees(services, grant, shift.venue))
        ]
        return DutyList(items=await _views(call, connection, shown))


def _sees(services: Services, grant: Grant, venue: str | None) -> bool:
    return bool(_rooms(services, grant, venue)) or grant.allows(Action.ALARM_REACH, Target(venue=venue))


async def create_duty(call: Call) -> DutyView:
    """One's own, or with the right for it somebody else's: that holds at once, too."""
    services, body = call.services, call.body(DutyCreate)
    async with services.database.write() as connection:
        await check_venue_exists(connection, body.venue)
        holder = _require(call, body.venue)
        person = await _person(call, connection, body.person, body.venue)
        now = now_ms()
        since_ms, until_ms = to_ms(body.since) or now, to_ms(body.until)
        _check_times(since_ms, until_ms, now)
        shifts = Shifts(connection)
        await _check_room(shifts, now)
        shift = Shift(
            _new_id(),
            body.venue,
            grant_of_person(person.id),
            person.label or person.role.value,
            since_ms,
            until_ms,
            created_ms=now,
            accepted_ms=now,
        )
        await shifts.add(shift)
        await record(connection, holder, "duty.create", Target(venue=shift.venue), "duty", shift.id, _said(shift))
        (view,) = await _views(call, connection, [shift])
    services.notifier.changed()
    call.headers["Location"] = f"/api/v1/duty/{shift.id}"
    return view


async def get_duty(call: Call) -> DutyView:
    """With the alarms that go with it."""
    async with call.services.database.read() as connection:
        shift = await Shifts(connection).get(call.path("id"))
        _require(call, shift.venue)
        (view,) = await _views(call, connection, [shift])
    return view.model_copy(update={"alarms": _alarms(call, shift.venue)}) if view.state in ("on", "offered") else view


async def change_duty(call: Call) -> DutyView:
    services, body = call.services, call.body(DutyChange)
    async with services.database.write() as connection:
        shifts = Shifts(connection)
        shift = await shifts.get(call.path("id"))
        holder = _require_over(call, shift)
        now = now_ms()
        since_ms = to_ms(body.since) if body.since is not None else shift.since_ms
        until_ms = to_ms(body.until) if body.until is not None else shift.until_ms
        if body.until is not None or body.since is not None:
            _check_times(since_ms, until_ms, now)
        changed = replace(shift, since_ms=since_ms, until_ms=until_ms)
        await shifts.save(changed)
        if changed != shift:
            await record(connection, holder, "duty.change", Target(venue=shift.venue), "duty", shift.id, _said(changed))
        (view,) = await _views(call, connection, [changed])
    services.notifier.changed()
    return view


async def remove_duty(call: Call) -> None:
    """Its person's alarms go back: somebody else is rung."""
    services = call.services
    async with services.database.write() as connection:
        shifts = Shifts(connection)
        shift = await shifts.get(call.path("id"))
        holder = _require_over(call, shift)
        if shift.holds(now_ms()):
            await shifts.save(replace(shift, until_ms=now_ms()))
        else:
            await shifts.remove(shift.id)
        await record(connection, holder, "duty.delete", Target(venue=shift.venue), "duty", shift.id, _said(shift))
    services.notifier.changed()


async def hand_over(call: Call) -> DutyView:
    """Offer one's duty to another, or to whoever accepts it. Until then it is one's own."""
    services, body = call.services, call.body(DutyOffer)
    async with services.database.write() as connection:
        shifts = Shifts(connection)
        shift = await shifts.get(call.path("id"))
        holder = _require_over(call, shift)
        now = now_ms()
        if not shift.holds(now):
            raise Conflict("Only a duty that is on can be handed over.", code="not_on_duty")
        until_ms = to_ms(body.until)
        _check_times(now, until_ms, now)
        to = None if body.person is None else await _grant(connection, body.person, shift.venue, services)
        for other in await shifts.since(now):
            if other.follows == shift.id and other.accepted_ms is None:
                await shifts.remove(other.id)
        await _check_room(shifts, now)
        offer = Shift(
            _new_id(),
            shift.venue,
            shift.grant if to is None else grant_of_person(to.id),
            shift.label if to is None else to.label or to.role.value,
            now,
            until_ms,
            created_ms=now,
            follows=shift.id,
            anybody=to is None,
        )
        await shifts.add(offer)
        await record(connection, holder, "duty.offer", Target(venue=shift.venue), "duty", offer.id, _said(offer))
        (view,) = await _views(call, connection, [offer])
        crew = [hook.person for hook in await Hooks(connection).all() if hook.grant != shift.grant]
        asked = [to.id] if to is not None else await _who_may(connection, crew, shift.venue, services)
    await services.notifier.offer(offer, shift.label, asked)
    call.headers["Location"] = f"/api/v1/duty/{offer.id}"
    return view.model_copy(update={"alarms": _alarms(call, shift.venue)})


async def accept(call: Call) -> DutyView:
    """Take over a duty: the one before ends, and what its person has taken is the successor's."""
    services = call.services
    async with services.database.write() as connection:
        shifts = Shifts(connection)
        offer = await shifts.get(call.path("id"))
        grant = _require(call, offer.venue)
        own = owner_of(grant)
        if not offer.anybody and offer.grant != own:
            raise Forbidden("This duty is offered to somebody else.", code="not_yours")
        now = now_ms()
        before = None
        if offer.accepted_ms is None:
            if now >= offer.until_ms:
                raise Conflict("This offer is over.", code="offer_over")
            if offer.follows is not None:
                before = await shifts.get(offer.follows)
                await shifts.save(replace(before, until_ms=min(before.until_ms, now)))
            offer = replace(offer, grant=own, label=grant.label or grant.role.value, accepted_ms=now, since_ms=now)
            await shifts.save(offer)
            await record(connection, grant, "duty.accept", Target(venue=offer.venue), "duty", offer.id, _said(offer))
        elif offer.grant != own:
            raise Conflict("Somebody else has accepted it.", code="accepted_already")
        (view,) = await _views(call, connection, [offer])
    if before is not None:
        for room in _rooms(services, grant, offer.venue):
            for alarm_id, taken in list(services.director.acknowledged(room.id).items()):
                if taken.who == before.person:
                    try:
                        await services.director.alarm_actions.acknowledge(room.id, alarm_id, actor_of(grant))
                    except NotFound:
                        continue  # it is over
    services.notifier.changed()
    return view.model_copy(update={"alarms": _alarms(call, offer.venue)})


# --- who ------------------------------------------------------------------------------------------


def _require_over(call: Call, shift: Shift) -> Grant:
    """One's own, or with the right for others'. Raises Forbidden."""
    grant = _require(call, shift.venue)
    if shift.grant != owner_of(grant) and not grant.allows(Action.DUTY_ASSIGN, Target(venue=shift.venue)):
        raise Forbidden("This is somebody else's duty.", code="not_yours")
    return grant


async def _person(call: Call, connection: AsyncConnection, person: str | None, venue: str | None) -> Grant:
    """Raises Forbidden, Unprocessable."""
    grant = call.holder
    if person is None or person == grant.id:
        return grant
    if not grant.allows(Action.DUTY_ASSIGN, Target(venue=venue)):
        raise Forbidden("You may put yourself on duty, not others.", code="not_yours")
    return await _grant(connection, person, venue, call.services)


async def _grant(connection: AsyncConnection, person: str, venue: str | None, services: Services) -> Grant:
    """Raises Unprocessable."""
    found = await grant_as_it_is(connection, person, now_ms())
    if found is None or not found.in_force(now_ms()) or not _rooms(services, found, venue):
        raise invalid_field("person", "takes no alarms in this venue")
    return found


async def _who_may(connection: AsyncConnection, persons: list[str], venue: str | None, services: Services) -> list[str]:
    found = []
    for person in dict.fromkeys(persons):
        grant = await grant_as_it_is(connection, person, now_ms())
        if grant is not None and grant.in_force(now_ms()) and _rooms(services, grant, venue):
            found.append(person)
    return found


async def _check_room(shifts: Shifts, now: int) -> None:
    if len(await shifts.since(now)) >= MOST_SHIFTS:
        raise Conflict("There are too many shifts.", code="too_many_shifts")


def _check_times(since_ms: int, until_ms: int, now: int) -> None:
    """Raises Unprocessable."""
    if until_ms <= max(since_ms, now):
        raise invalid_field("until", "must come after the begin, and after now", "value_error")
    if until_ms - since_ms > LONGEST_MS:
        raise invalid_field("until", "is more than two weeks away", "value_error")


def _new_id() -> str:
    return f"duty_{secrets.token_urlsafe(9)}"


def _said(shift: Shift) -> dict[str, str | int]:
    """For the audit log."""
    return {"person": shift.label, "since_ms": shift.since_ms, "until_ms": shift.until_ms}


ROUTES = (
    Route(
        "GET",
        "/duty",
        list_duty,
        "Who is on duty, in the order in which they are rung",
        "alarms",
        action=Action.ALARM_REACH,
        query=DutyQuery,
        answers=(DutyList,),
    ),
    Route(
        "POST",
        "/duty",
        create_duty,
        "Put oneself, or somebody, on duty in a venue",
        "alarms",
        action=Action.ALARM_REACH,
        body=DutyCreate,
        answers=(DutyView,),
        status=201,
    ),
    Route(
        "GET",
        "/duty/{id}",
        get_duty,
        "One duty, with the alarms that go with it",
        "alarms",
        action=Action.ALARM_REACH,
        answers=(DutyView,),
    ),
    Route(
        "PATCH",
        "/duty/{id}",
        change_duty,
        "Change a duty's times",
        "alarms",
        action=Action.ALARM_REACH,
        body=DutyChange,
        answers=(DutyView,),
    ),
    Route(
        "DELETE",
        "/duty/{id}",
        remove_duty,
        "End a duty, or take it off the list",
        "alarms",
        action=Action.ALARM_REACH,
        status=204,
    ),
    Route(
        "POST",
        "/duty/{id}/handover",
        hand_over,
        "Offer one's duty to another",
        "alarms",
        action=Action.ALARM_REACH,
        body=DutyOffer,
        answers=(DutyView,),
        status=201,
    ),
    Route(
        "POST",
        "/duty/{id}/accept",
        accept,
        "Take over a duty that is offered",
        "alarms",
        action=Action.ALARM_REACH,
        answers=(DutyView,),
    ),
)
