"""WHIP and WHEP at the HTTP level: RFC 9725 and what clients in the wild do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from streamer.control.messages import Answer, Offer, RoomConfig
from streamer.errors import Conflict, Unavailable
from streamer.settings import Settings
from tests.fakes.media_plane import ANSWER_SDP, FakePlane
from tests.unit.api.conftest import ADMIN, Api, Client, bearer

SDP = {"Content-Type": "application/sdp"}
FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}
OFFER = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\n"
    "a=ice-ufrag:abcd\r\na=ice-pwd:0123456789012345678901\r\na=fingerprint:sha-256 AA:BB\r\na=sendonly\r\n"
)


@pytest.fixture
async def token(api: Api) -> str:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    return await api.grant("technician", room="a")


async def test_a_publication_opens_the_room_and_gets_its_resource(client: Client, plane: FakePlane, token: str) -> None:
    headers = {**bearer(token), **SDP, "User-Agent": "Camera/1"}
    async with client.post("/whip/a", data=OFFER, headers=headers) as response:
        assert response.status == 201
        assert await response.text() == ANSWER_SDP
        assert response.headers["Content-Type"] == "application/sdp"
        assert response.headers["ETag"] == '"etag-1"'
        assert response.headers["Accept-Patch"] == "application/trickle-ice-sdpfrag"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Location" in response.headers["Access-Control-Expose-Headers"]
        location = response.headers["Location"]
    assert location.startswith("/whip/a/main/")
    assert len(location.rpartition("/")[2]) >= 32
    offer = plane.rooms["a"].offers[0]
    assert (offer.kind, offer.source, offer.client, offer.takeover) == ("publish", "main", "Camera/1", False)
    assert offer.grant == token.partition(".")[0]
    # PATCH and DELETE work without a bearer: the address is the capability.
    async with client.patch(location, data="a=ice-ufrag:abcd\r\n", headers=FRAGMENT) as response:
        assert response.status == 204
    async with client.delete(location) as response:
        assert response.status == 200
    async with client.delete(location) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "no_such_resource"


async def test_a_delete_after_the_room_closed_is_no_error(client: Client, plane: FakePlane, token: str) -> None:
    async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}) as response:
        location = response.headers["Location"]
    del plane.rooms["a"]
    async with client.delete(location) as response:
        assert response.status == 200
    for address in (location, "/whip/a/main/never-was-a-connection"):
        async with client.delete(address) as response:
            assert response.status == 404


async def test_the_endpoint_names_the_methods_of_its_resources(client: Client) -> None:
    """Eyevinn's WHIP client trickles only where PATCH is among them."""
    for path in ("/whip/a", "/whip/a/spare", "/whep/a"):
        async with client.options(path) as response:
            assert response.status == 204
            for header in ("Allow", "Access-Control-Allow-Methods"):
                named = {method.strip() for method in response.headers[header].split(",")}
                assert named == {"POST", "PATCH", "DELETE", "OPTIONS"}


async def test_a_named_source_and_a_takeover_reach_the_room(client: Client, plane: FakePlane, token: str) -> None:
    async with client.post("/whip/a/spare?takeover=1", data=OFFER, headers={**bearer(token), **SDP}) as response:
        assert response.status == 201
        assert response.headers["Location"].startswith("/whip/a/spare/")
    offer = plane.rooms["a"].offers[0]
    assert (offer.source, offer.takeover) == ("spare", True)


async def test_who_may_not_publish_opens_no_room(client: Client, plane: FakePlane, api: Api, token: str) -> None:
    await api("POST", "/rooms", {"id": "b", "name": "B"})
    viewer = await api.grant("viewer", room="a")

    async def post(path: str, headers: dict[str, str], data: str = OFFER) -> tuple[int, str]:
        async with client.post(path, data=data, headers={**SDP, **headers}) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
            if response.status == 401:
                assert response.headers["WWW-Authenticate"].startswith("Bearer")
            return response.status, (await response.json())["error"]["code"]

    assert await post("/whip/a", {}) == (401, "unauthorized")
    assert await post("/whip/a", bearer("undefined")) == (401, "invalid_token")
    assert await post("/whip/b", bearer(token)) == (403, "out_of_scope")
    assert await post("/whip/a", bearer(viewer)) == (403, "forbidden")
    assert await post("/whip/nothing", bearer(token)) == (404, "no_such_room")
    assert await post("/whip/nothing", bearer(ADMIN)) == (404, "no_such_room")
    assert await post("/whip/a/Main!", bearer(token)) == (400, "bad_source")
    assert await post("/whip/a/slate", bearer(token)) == (400, "bad_source")
    assert await post("/whip/a", bearer(token), data="") == (400, "bad_offer")
    assert await post("/whip/a", bearer(token), data="hello") == (400, "bad_offer")
    assert await post("/whip/a", bearer(token), data="v=0\r\n" + "x" * 70_000) == (413, "too_large")
    assert await post("/whip/a", {**bearer(token), "Content-Type": "application/json"}) == (
        415,
        "unsupported_media_type",
    )
    assert plane.rooms == {}


@pytest.mark.parametrize("path", ["/whip/a", "/whip/a/main", "/whep/a", "/whep/a/main"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
async def test_other_methods_on_an_endpoint_are_405_with_allow(client: Client, path: str, method: str) -> None:
    async with client.request(method, path) as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"POST", "OPTIONS"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "POST"])
async def test_other_methods_on_a_resource_are_405_with_allow(client: Client, method: str) -> None:
    async with client.request(method, "/whip/a/main/secret") as response:
        assert response.status == 405
        assert set(response.headers["Allow"].split(",")) == {"PATCH", "DELETE", "OPTIONS"}


async def test_a_browsers_preflight_and_a_clients_options(client: Client, token: str) -> None:
    preflight = {
        "Origin": "https://elsewhere.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    async with client.options("/whip/a", headers=preflight) as response:
        assert response.status == 204
        assert response.headers["Accept-Post"] == "application/sdp"
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in response.headers["Access-Control-Allow-Methods"]
        allowed = {name.strip() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
        assert {"Authorization", "Content-Type", "If-Match", "ETag"} <= allowed
    async with client.options("/whip/a/main/secret", headers=preflight) as response:
        assert response.status == 204
        assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


async def test_ice_servers_are_told_and_turn_only_to_holders_of_a_grant(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, plane: FakePlane, token: str
) -> None:
    ice = settings.ice.model_copy(
        update={
            "stun_servers": ("stun:stun.test:3478",),
            "turn_servers": ("turn:turn.test?transport=udp",),
            "turn_username": "u",
            "turn_credential": "p",
        }
    )
    client = await serve(settings.model_copy(update={"ice": ice}))
    async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}) as response:
        links = response.headers.getall("Link")
    assert links[0] == '<stun:stun.test:3478>; rel="ice-server"'
    assert links[1].startswith('<turn:turn.test?transport=udp>; rel="ice-server"; username="u"; credential="p"')
    async with client.post("/whep/a", data=OFFER, headers=SDP) as response:
        assert response.headers.getall("Link") == links[:1]
    async with client.options("/whip/a") as response:
        assert response.headers.getall("Link") == links[:1]
    async with client.options("/whip/a", headers=bearer(token)) as response:
        assert response.headers.getall("Link") == links


async def test_trickle_passes_what_the_client_sent(client: Client, plane: FakePlane, token: str) -> None:
    async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}) as response:
        location = response.headers["Location"]
    room = plane.rooms["a"]
    for headers, seen in (
        ({}, None),
        ({"If-Match": '"etag-1"'}, "etag-1"),
        ({"If-Match": 'W/"etag-1"'}, "etag-1"),
        ({"If-Match": "*"}, "*"),
        ({"ETag": '"etag-1"'}, "etag-1"),
        (bearer("undefined"), None),
    ):
        async with client.patch(location, data="a=mid:0\r\n", headers={**FRAGMENT, **headers}) as response:
            assert response.status == 204, headers
        assert room.trickled[-1].if_match == seen
    async with client.patch(location, data="x", headers={"Content-Type": "text/plain"}) as response:
        assert response.status == 415
        assert response.headers["Accept-Patch"] == FRAGMENT["Content-Type"]
    async with client.patch(location, data="x" * 70_000, headers=FRAGMENT) as response:
        assert response.status == 413
    async with client.patch("/whip/other/main/secret", data="x", headers=FRAGMENT) as response:
        assert response.status == 404


async def test_the_rooms_refusals_keep_code_status_and_headers(client: Client, plane: FakePlane, token: str) -> None:
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    room.fail_with = Conflict("Somebody publishes there.", code="source_occupied")
    async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (409, "source_occupied")
    room.fail_with = Unavailable("Full.", code="too_many_viewers", headers={"Retry-After": "5"})
    async with client.post("/whep/a", data=OFFER, headers=SDP) as response:
        assert (response.status, response.headers["Retry-After"]) == (503, "5")


async def test_whep_is_open_to_all_once_the_room_is_open(client: Client, plane: FakePlane, token: str) -> None:
    async with client.post("/whep/a", data=OFFER, headers=SDP) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "not_on_air")
    assert plane.rooms == {}
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    async with client.post("/whep/a", data=OFFER, headers=SDP) as response:
        assert response.status == 201
        location = response.headers["Location"]
    assert (room.offers[0].kind, room.offers[0].output) == ("play", "public")
    async with client.delete(location) as response:
        assert response.status == 200
    room.state = "off"
    async with client.post("/whep/a", data=OFFER, headers=SDP) as response:
        assert response.status == 404


async def test_a_preview_wants_a_technicians_grant(client: Client, plane: FakePlane, api: Api, token: str) -> None:
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    async with client.post("/whep/a/main", data=OFFER, headers=SDP) as response:
        assert response.status == 401
    moderator = await api.grant("moderator", room="a")
    async with client.post("/whep/a/main", data=OFFER, headers={**SDP, **bearer(moderator)}) as response:
        assert response.status == 403
    async with client.post("/whep/a/main", data=OFFER, headers={**SDP, **bearer(token)}) as response:
        assert response.status == 201
    assert (room.offers[0].output, room.offers[0].source) == ("preview", "main")


async def test_attempts_to_publish_are_limited_by_address(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings, token: str
) -> None:
    room = settings.room.model_copy(update={"attempts_per_minute": 3})
    client = await serve(settings.model_copy(update={"room": room}))
    statuses = []
    for _ in range(5):
        async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}) as response:
            statuses.append(response.status)
    assert statuses == [201] * 3 + [429] * 2


async def test_a_client_that_gives_up_leaves_no_publication_that_revocation_cannot_find(
    client: Client, plane: FakePlane, api: Api, token: str
) -> None:
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    entered, go_on = asyncio.Event(), asyncio.Event()
    offer = room.offer

    async def slow_offer(wanted: Offer) -> Answer:
        entered.set()
        await go_on.wait()
        return await offer(wanted)

    room.offer = slow_offer  # type: ignore[method-assign]
    post = asyncio.create_task(_post(client, token))
    await asyncio.wait_for(entered.wait(), 5)
    post.cancel()
    await asyncio.gather(post, return_exceptions=True)
    go_on.set()
    async with asyncio.timeout(30):
        while not room.resources:
            await asyncio.sleep(0.01)
        await api("DELETE", f"/grants/{token.partition('.')[0]}")
        while room.resources:
            await asyncio.sleep(0.01)
    assert len(room.hung_up) == 1


async def _post(client: Client, token: str) -> None:
    async with client.post("/whip/a", data=OFFER, headers={**bearer(token), **SDP}):
        pass
