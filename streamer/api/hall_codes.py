"""``/api/v1/rooms/{id}/hall-codes``: short links for the people in a hall, one for each place of a room."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import AfterValidator, StringConstraints

from streamer.api.audit import record
from streamer.api.context import now_ms
from streamer.api.models import Body, LazyModel, Moment, to_moment
from streamer.api.qr import qr_data_uri
from streamer.api.rooms import target_of
from streamer.api.routing import Call, Route
from streamer.conference.grants import Action
from streamer.conference.hall_codes import HALL, HallCode, meant_code, new_code
from streamer.errors import Conflict
from streamer.store.hall_codes import HallCodes, no_such_code
from streamer.store.rooms import Rooms

MOST_CODES = 40
"""Of one room. A question carries its place, and nobody can tell more places apart."""


def _words(text: str) -> str:
    text = " ".join(text.split())
    if not text.isprintable():
        raise ValueError("must be one line without control characters")
    return text


Place = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), AfterValidator(_words)]


class HallCodeCreate(Body):
    place: Place = HALL
    """The part of the audience: ``hall``, or a city, a floor, an overflow room. Questions that are asked with this code
    carry it."""


class HallCodeView(LazyModel):
    code: str
    room: str
    place: str
    link: str
    """For phones. Add ``/poster`` for a page to print, ``/qr.svg`` or ``/qr.png`` for the picture."""
    qr: str
    """The link as a ``data:`` address of an SVG picture."""
    created: Moment

    @classmethod
    def of(cls, code: HallCode, public_url: str) -> Self:
        link = link_of(code, public_url)
        return cls(
            code=code.code,
            room=code.room,
            place=code.place,
            link=link,
            qr=qr_data_uri(link),
            created=to_moment(code.created_ms),
        )


class HallCodeList(LazyModel):
    items: list[HallCodeView]
    """The code of the hall comes first."""
    cursor: None = None


def link_of(code: HallCode, public_url: str) -> str:
    return f"{public_url}/join/{code.code}"


async def list_codes(call: Call) -> HallCodeList:
    async with call.services.database.read() as connection:
        room = await Rooms(connection).get(call.path("id"))
        call.require(target_of(room))
        codes = await HallCodes(connection).of_room(room.id)
    return HallCodeList(items=[HallCodeView.of(code, call.services.public_url) for code in codes])


async def create_code(call: Call) -> HallCodeView:
    """The place's code; made if it has none. A code on a poster stays valid."""
    place = call.body(HallCodeCreate).place
    async with call.services.database.write() as connection:
        room = await Rooms(connection).get(call.path("id"))
        target = target_of(room)
        holder = call.require(target)
        codes = HallCodes(connection)
        there = await codes.of_room(room.id)
        code = next((one for one in there if one.place.casefold() == place.casefold()), None)
        if code is None:
            if len(there) >= MOST_CODES:
                raise Conflict(f"A room has {MOST_CODES} codes at most.", code="too_many_codes")
            code = HallCode(new_code(), room.id, place, now_ms())
            while await codes.find(code.code) is not None:
                code = HallCode(new_code(), room.id, place, now_ms())
            await codes.add(code)
            await record(connection, holder, Action.ROOM_CODES, target, "room", room.id, {"place": [None, place]})
    return HallCodeView.of(code, call.services.public_url)


async def remove_code(call: Call) -> None:
    """Posters with this code then lead to a page that says so."""
    async with call.services.database.write() as connection:
        room = await Rooms(connection).get(call.path("id"))
        target = target_of(room)
        holder = call.require(target)
        codes = HallCodes(connection)
        code = meant_code(call.path("code"))
        found = None if code is None else await codes.find(code)
        if found is None or found.room != room.id:
            raise no_such_code()
        await codes.remove(room.id, found.code)
        await record(connection, holder, Action.ROOM_CODES, target, "room", room.id, {"place": [found.place, None]})


ROUTES = (
    Route(
        "GET",
        "/rooms/{id}/hall-codes",
        list_codes,
        "The codes with which the people in the hall take part",
        "rooms",
        action=Action.STAGE_READ,
        answers=(HallCodeList,),
    ),
    Route(
        "POST",
        "/rooms/{id}/hall-codes",
        create_code,
        "The code for a place of the room; made if there is none",
        "rooms",
        action=Action.ROOM_CODES,
        body=HallCodeCreate,
        answers=(HallCodeView,),
        status=201,
    ),
    Route(
        "DELETE",
        "/rooms/{id}/hall-codes/{code}",
        remove_code,
        "Revoke a code",
        "rooms",
        action=Action.ROOM_CODES,
        status=204,
    ),
)
