"""``/api/v1/rooms/{id}/sources``: what the crew sets of a source."""

from __future__ import annotations

from streamer.api.context import actor_of
from streamer.api.room_models import SourceChange, SourceChanged, set_of
from streamer.api.rooms import room_named, target_of
from streamer.api.routing import Call, Route, invalid_field
from streamer.conference import taps
from streamer.conference.grants import Action
from streamer.conference.sources import setting_of
from streamer.director.kinds import once_of


async def change_source(call: Call) -> SourceChanged:
    """The source need not be there: what is set waits for it, and is kept while it is away."""
    body = call.body(SourceChange)
    director, name = call.services.director, call.path("name")
    room = room_named(call.services, call.path("id"))
    grant = call.require(target_of(room))
    given = body.model_dump(exclude_unset=True)
    if not given:
        raise invalid_field("gain_db", "name gain_db, mute, mono or kind")
    if "kind" in given and given["kind"] is None:
        given["kind"] = "unknown"
    tap = taps.SetSource(name, **given)
    tapped = await director.run(room.id, tap, actor_of(grant), once_of(call.asked, tap, about=room.id))
    setting = setting_of(director.day(room.id).sources, name)
    return SourceChanged(name=name, action=tapped.action, **set_of(setting))


ROUTES = (
    Route(
        "PATCH",
        "/rooms/{id}/sources/{name}",
        change_source,
        "Set a source's gain, mute and mono, and what its picture is",
        "rooms",
        action=Action.ROOM_AIR,
        body=SourceChange,
        answers=(SourceChanged,),
    ),
)
