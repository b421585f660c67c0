"""``GET /rooms/{id}/picture.jpg``: small pictures of a room for its crew. Room processes make them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import hdrs
from pydantic import Field

from streamer.api.models import LazyModel
from streamer.api.rooms import room_named, target_of
from streamer.api.routing import Call, Route, Text
from streamer.broadcast.media_events import PUBLIC
from streamer.broadcast.programme import SOURCE_PATTERN
from streamer.conference.grants import Action
from streamer.control.media_plane import RoomLink
from streamer.control.messages import CrewPicture
from streamer.errors import NotFound, StreamerError


class PictureQuery(LazyModel):
    source: Annotated[str, Field(pattern=SOURCE_PATTERN)] | None = None
    """The source as it comes in, by its key frames. Left out: what the public output shows."""


async def picture(call: Call) -> Text:
    """The ETag is the time when the picture came, UTC milliseconds."""
    services, source = call.services, call.query(PictureQuery).source
    room = room_named(services, call.path("id"))
    call.require(target_of(room))
    link = services.plane.rooms.get(room.id)
    if link is None or services.state_of(room.id) == "off":
        raise _none()
    try:
        made = await link.picture(source or "")
    except StreamerError as error:
        # A room of the version before makes none; its stills are there all the same.
        kept = _still(link) if source is None else None
        if kept is None:
            raise _none() from error
        made = kept
    etag = f'"{made.at_ms}"'
    call.headers |= {hdrs.CACHE_CONTROL: "private, no-cache", hdrs.ETAG: etag}
    if call.request.headers.get(hdrs.IF_NONE_MATCH) == etag:
        return Text(b"", "image/jpeg", 304)
    return Text(made.jpeg, "image/jpeg")


def _still(link: RoomLink) -> CrewPicture | None:
    """The public output's last still: where the slate is shown, it is the slate's."""
    output = link.view.outputs.get(PUBLIC)
    still = output.still if output is not None and not link.view.closed else None
    return None if still is None else CrewPicture(still.jpeg, still.at_ms)


def _none() -> NotFound:
    return NotFound("There is no picture of this.", code="no_picture")


ROUTES = (
    Route(
        "GET",
        "/rooms/{id}/picture.jpg",
        picture,
        "A small picture (JPEG) of what goes out, or of a source as it comes in",
        "rooms",
        action=Action.PREVIEW,
        query=PictureQuery,
    ),
)
