"""WHIP (RFC 9725): ``POST /whip/{room}[/{source}]``."""

from __future__ import annotations

from aiohttp import web

from streamer.api import signalling
from streamer.api.auth import authenticate, require, require_role
from streamer.api.context import SERVICES, Services, now_ms
from streamer.api.uncancelled import to_the_end
from streamer.broadcast.programme import MAIN
from streamer.conference.grants import ADMIN, Action, Grant, Target
from streamer.conference.notices import WrongRoom
from streamer.conference.rooms import Room, Venue, is_slug, is_source_name
from streamer.control.media_plane import RoomLink
from streamer.control.messages import Answer, Offer
from streamer.errors import BadRequest, Forbidden, NotFound, StreamerError, Unauthorized
from streamer.store.database import Database
from streamer.store.grants import ConnectionKind, Grants, OpenConnection, WebRtcConnections
from streamer.store.rooms import Rooms
from streamer.store.venues import Venues


async def room_of(database: Database, room_id: str) -> tuple[Room, Venue | None]:
    """Raises NotFound ``no_such_room``."""
    if not is_slug(room_id):
        raise NotFound("There is no such room.", code="no_such_room")
    async with database.read() as connection:
        room = await Rooms(connection).find(room_id)
        if room is None:
            raise NotFound("There is no such room.", code="no_such_room")
        return room, None if room.venue is None else await Venues(connection).get(room.venue)


def source_of(request: web.Request, default: str) -> str:
    """Raises BadRequest ``bad_source``."""
    source = request.match_info.get("source", default)
    if not is_source_name(source):
        raise BadRequest("This is no valid name of a source.", code="bad_source", details={"source": source[:64]})
    return source


async def publish(request: web.Request) -> web.Response:
    """A camera publishes. It opens the room if the room was closed."""
    services = request.app[SERVICES]
    grant = require_role(await authenticate(request, services), Action.PUBLISH)
    room, _ = await room_of(services.database, request.match_info["room"])
    source = source_of(request, MAIN)
    try:
        require(grant, Action.PUBLISH, Target(room=room.id, venue=room.venue))
    except Forbidden as error:
        if error.code == "out_of_scope":
            _note_wrong_room(services, grant, room.id, source)
        raise
    services.publish_attempts.take(services.proxies.client_household(request))
    sdp = await signalling.read_offer(request)
    offer = Offer(
        kind="publish",
        sdp=sdp,
        source=source,
        grant=grant.id,
        takeover=request.query.get("takeover", "") in ("1", "true"),
        client=signalling.client_of(request),
    )

    async def open_and_offer() -> Answer:
        link = await services.plane.ensure(services.director.config(room.id))
        return await offer_as(services, link, offer, grant, room.id, "publish", source)

    answer = await to_the_end(open_and_offer())
    services.notices.settle(grant.id)
    location = f"/whip/{room.id}/{source}/{answer.resource}"
    return signalling.created(request, answer, location, with_turn=True)


def _note_wrong_room(services: Services, grant: Grant, room: str, source: str) -> None:
    """Note it for the alarms of both rooms: somebody in one room has the token of the other."""
    own = next(iter(grant.rooms_named)) if len(grant.rooms_named) == 1 else None
    notice = WrongRoom(room, own, grant.id, grant.label, source, now_ms(), grant.session)
    services.notices.wrong_room(notice)


async def offer_as(
    services: Services, link: RoomLink, offer: Offer, grant: Grant, room: str, kind: ConnectionKind, source: str
) -> Answer:
    """Hand ``offer`` to the room and remember the grant that opened the connection.

    A grant that was revoked between its check and the room's answer has opened nothing.
    """
    answer = await link.offer(offer)
    if grant.id == ADMIN.id:
        return answer
    opened = OpenConnection(answer.resource, grant.id, room, kind, source, now_ms())
    try:
        async with services.database.write() as connection:
            valid = await Grants(connection).exists(grant.id)
            if valid:
                await WebRtcConnections(connection).add(opened)
    except BaseException:
        await link.hangup(answer.resource)
        raise
    if not valid:
        await link.hangup(answer.resource)
        raise Unauthorized("The grant has been revoked.", code="invalid_token")
    return answer


async def endpoint_options(request: web.Request) -> web.Response:
    """CORS preflight, and ``Accept-Post`` (section 4.2). A valid token is also told of the ICE servers."""
    services = request.app[SERVICES]
    response = signalling.preflight(signalling.ENDPOINT_METHODS, {"Accept-Post": signalling.SDP})
    try:
        grant = await authenticate(request, services)
    except StreamerError:
        grant = None
    for link in signalling.ice_links(services, with_turn=grant is not None and grant.may(Action.PUBLISH)):
        response.headers.add("Link", link)
    return response


def add_routes(app: web.Application) -> None:
    """Adds the routes. GET, HEAD and PUT have none, so that they are 405 with Allow."""
    for path in ("/whip/{room}", "/whip/{room}/{source}"):
        app.router.add_route("POST", path, publish)
        app.router.add_route("OPTIONS", path, endpoint_options)
    resource = "/whip/{room}/{source}/{secret}"
    app.router.add_route("PATCH", resource, signalling.patch_resource)
    app.router.add_route("DELETE", resource, signalling.delete_resource)
    app.router.add_route("OPTIONS", resource, signalling.resource_options)
