"""WHEP: ``POST /whep/{room}`` plays the public output, ``POST /whep/{room}/{source}`` is the crew's preview.

The draft (draft-ietf-wish-whep) says 409 where nobody publishes yet; deployed players expect 404. With the slate
there is something to play as soon as the room is open, so that only a room that is off answers 404.
"""

from __future__ import annotations

from aiohttp import web

from streamer.api import signalling
from streamer.api.auth import authenticate, require, require_role
from streamer.api.context import SERVICES
from streamer.api.uncancelled import to_the_end
from streamer.api.whip import endpoint_options, offer_as, room_of, source_of
from streamer.broadcast.media_events import PREVIEW, PUBLIC
from streamer.conference.grants import Action, Target
from streamer.control.media_plane import RoomLink
from streamer.control.messages import Offer
from streamer.errors import NotOnAir


def _link(request: web.Request, room: str) -> RoomLink:
    services = request.app[SERVICES]
    link = services.plane.rooms.get(room)
    if link is None or services.state_of(room) == "off":
        # A room opens with a publication, never because a viewer asks.
        raise NotOnAir("The room is off.", headers={"Retry-After": "5"})
    return link


async def play(request: web.Request) -> web.Response:
    """The public output, for everybody."""
    services = request.app[SERVICES]
    room, _ = await room_of(services.database, request.match_info["room"])
    household = services.proxies.client_household(request)
    services.play_attempts.take(household)
    sdp = await signalling.read_offer(request)
    offer = Offer(kind="play", sdp=sdp, output=PUBLIC, client=signalling.client_of(request), household=household)
    answer = await to_the_end(_link(request, room.id).offer(offer))
    location = f"/whep/{room.id}/{PUBLIC}/{answer.resource}"
    return signalling.created(request, answer, location, with_turn=False)


async def preview(request: web.Request) -> web.Response:
    """One source as it comes in, for the room's crew."""
    services = request.app[SERVICES]
    grant = require_role(await authenticate(request, services), Action.PREVIEW)
    room, _ = await room_of(services.database, request.match_info["room"])
    require(grant, Action.PREVIEW, Target(room=room.id, venue=room.venue))
    source = source_of(request, "")
    # Counted by grant: the technician can look, whatever else comes from the hall's address.
    services.play_attempts.take(f"grant {grant.id}")
    sdp = await signalling.read_offer(request)
    offer = Offer(
        kind="play",
        sdp=sdp,
        source=source,
        grant=grant.id,
        output=PREVIEW,
        client=signalling.client_of(request),
    )
    link = _link(request, room.id)
    answer = await to_the_end(offer_as(services, link, offer, grant, room.id, "play", source))
    location = f"/whep/{room.id}/{source}/{answer.resource}"
    return signalling.created(request, answer, location, with_turn=True)


def add_routes(app: web.Application) -> None:
    """Adds the routes. GET, HEAD and PUT have none, so that they are 405 with Allow."""
    app.router.add_route("POST", "/whep/{room}", play)
    app.router.add_route("POST", "/whep/{room}/{source}", preview)
    for path in ("/whep/{room}", "/whep/{room}/{source}"):
        app.router.add_route("OPTIONS", path, endpoint_options)
    resource = "/whep/{room}/{source}/{secret}"
    app.router.add_route("PATCH", resource, signalling.patch_resource)
    app.router.add_route("DELETE", resource, signalling.delete_resource)
    app.router.add_route("OPTIONS", resource, signalling.resource_options)
