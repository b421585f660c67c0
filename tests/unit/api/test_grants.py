"""Grants: who may hand out what, times, revocation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from streamer.conference.grants import PERMISSIONS, Action, Grant, Role, Target, may_grant
from streamer.settings import Settings
from tests.fakes.media_plane import FakePlane
from tests.unit.api.conftest import ADMIN, Api, Client, bearer
from tests.unit.api.test_signalling import OFFER, SDP


async def test_a_grant_shows_its_token_once(api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    made = await api("POST", "/grants", {"role": "technician", "room": "a", "label": "Ana"})
    assert made["token"].startswith(made["id"] + ".")
    assert made["link"] == f"http://streamer.test/studio/a#token={made['token']}"
    again = await api("GET", f"/grants/{made['id']}")
    assert again == {key: value for key, value in made.items() if key not in ("token", "link", "qr")}
    assert made["qr"] is None
    listed = await api("GET", "/grants")
    assert listed["items"] == [again]
    assert made["token"].partition(".")[2] not in str(listed)


async def test_a_grant_is_in_force_between_its_times_only(api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    now = datetime.now(UTC)
    future = await api.grant("admin", not_before=(now + timedelta(hours=1)).isoformat())
    past = await api.grant("admin", expires=(now - timedelta(seconds=1)).isoformat())
    for token in (future, past):
        answer = await api.as_(token)("GET", "/rooms", expect=401)
        assert answer["error"]["code"] == "grant_not_in_force"
    made = await api("POST", "/grants", {"role": "admin", "expires": "2030-01-01T00:00:00+02:00", "not_before": None})
    assert made["expires"] == "2029-12-31T22:00:00.000Z"
    await api.as_(made["token"])("GET", "/grants")
    await api("PATCH", f"/grants/{made['id']}", {"expires": now.isoformat()})
    await api.as_(made["token"])("GET", "/grants", expect=401)
    assert (await api("PATCH", f"/grants/{made['id']}", {"expires": None}))["expires"] is None
    await api.as_(made["token"])("GET", "/grants")


async def test_a_technician_gives_an_encoder_a_token_that_publishes_and_does_nothing_else(api: Api) -> None:
    for room in ("a", "b"):
        await api("POST", "/rooms", {"id": room, "name": room.upper()})
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    ana = api.as_(await api.grant("technician", room="a", expires=soon))
    await api.grant("moderator", room="a")
    made = await ana("POST", "/grants", {"role": "publisher", "room": "a", "label": "OBS"})
    assert made["link"] == f"http://streamer.test/studio/a#token={made['token']}"
    assert made["expires"] == soon, "it outlives nobody"
    changed = await ana("PATCH", f"/grants/{made['id']}", {"expires": None, "label": "vMix"})
    assert (changed["expires"], changed["label"]) == (soon, "vMix")
    # A technician sees and changes no grants of others.
    assert [item["id"] for item in (await ana("GET", "/grants"))["items"]] == [made["id"]]
    for item in (await api("GET", "/grants"))["items"]:
        if item["id"] != made["id"]:
            for method in ("GET", "DELETE"):
                await ana(method, f"/grants/{item['id']}", expect=403)
    for body in ({"role": "publisher", "room": "b"}, {"role": "publisher"}, {"role": "viewer", "room": "a"}):
        await ana("POST", "/grants", body, expect=403)

    encoder = api.as_(made["token"])
    me = await encoder("GET", "/me")
    assert (me["role"], me["actions"], me["page"]) == ("publisher", ["publish"], "/studio/a")
    assert await encoder("GET", "/rooms/a") == await api.as_("")("GET", "/rooms/a")
    for path in ("/grants", "/alarms", "/audit"):
        await encoder("GET", path, expect=403)
    offer = {"data": OFFER, "headers": {**bearer(made["token"]), **SDP}}
    async with api.client.post("/whip/b", **offer) as response:
        assert response.status == 403
    async with api.client.post("/whep/a/main", **offer) as response:
        assert response.status == 403
    async with api.client.post("/whip/a", **offer) as response:
        assert response.status == 201
    await ana("DELETE", f"/grants/{made['id']}", expect=204)
    async with api.client.post("/whip/a", **offer) as response:
        assert response.status == 401


@pytest.mark.parametrize(
    "body",
    [
        {"role": "king"},
        {"role": "technician", "room": "nowhere"},
        {"role": "technician", "venue": "nowhere"},
        {"role": "technician", "session": "nothing"},
        {"role": "technician", "event": "nothing"},
        {"role": "technician", "expires": "2030-01-01T00:00:00"},
        {"role": "technician", "expires": "tomorrow"},
        {"role": "technician", "not_before": "2030-01-02T00:00:00Z", "expires": "2030-01-01T00:00:00Z"},
        {"role": "technician", "room": "a", "venue": "v"},
    ],
)
async def test_a_grant_that_makes_no_sense_is_refused(api: Api, body: dict[str, object]) -> None:
    await api("POST", "/grants", body, expect=422)


async def test_an_organiser_hands_out_less_than_their_own_and_sees_their_scope_only(api: Api) -> None:
    await api("POST", "/venues", {"id": "brest", "name": "Brest"})
    await api("POST", "/rooms", {"id": "in", "name": "In", "venue": "brest"})
    await api("POST", "/rooms", {"id": "out", "name": "Out"})
    outside = await api("POST", "/grants", {"role": "technician", "room": "out"})
    organiser = api.as_(await api.grant("organiser", venue="brest"))
    inside = await organiser("POST", "/grants", {"role": "technician", "room": "in"})
    await organiser("POST", "/grants", {"role": "moderator", "venue": "brest"})
    for body in (
        {"role": "technician", "room": "out"},
        {"role": "technician"},
        {"role": "organiser", "venue": "brest"},
        {"role": "admin"},
    ):
        await organiser("POST", "/grants", body, expect=403)
    assert {item["role"] for item in (await organiser("GET", "/grants"))["items"]} == {
        "organiser",
        "technician",
        "moderator",
    }
    await organiser("GET", f"/grants/{outside['id']}", expect=403)
    await organiser("DELETE", f"/grants/{outside['id']}", expect=403)
    await organiser("DELETE", f"/grants/{inside['id']}")
    technician = api.as_(outside["token"])
    assert (await technician("GET", "/grants"))["items"] == []
    await technician("POST", "/grants", {"role": "viewer", "room": "out"}, expect=403)


async def test_revocation_hangs_up_what_the_grant_opened(api: Api, client: Client, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    made = await api("POST", "/grants", {"role": "technician", "room": "a"})
    other = await api.grant("technician", room="a")
    for path, token in (("/whip/a", made["token"]), ("/whip/a/spare", other), ("/whep/a/main", made["token"])):
        async with client.post(path, data=OFFER, headers={**bearer(token), **SDP}) as response:
            assert response.status == 201, await response.text()
    room = plane.rooms["a"]
    assert len(room.resources) == 3
    await api("DELETE", f"/grants/{made['id']}")
    assert [offer.grant for offer in room.resources.values()] == [other.partition(".")[0]]
    await api("GET", f"/grants/{made['id']}", expect=404)
    async with client.post("/whip/a", data=OFFER, headers={**bearer(made["token"]), **SDP}) as response:
        assert response.status == 401


async def test_with_a_technician_go_the_encoders_that_they_let_in(api: Api, client: Client, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    made = await api("POST", "/grants", {"role": "technician", "room": "a"})
    encoder = await api.as_(made["token"])("POST", "/grants", {"role": "publisher", "room": "a", "label": "OBS"})
    stays = await api.grant("publisher", room="a")
    for path, token in (("/whip/a", encoder["token"]), ("/whip/a/spare", stays)):
        async with client.post(path, data=OFFER, headers={**bearer(token), **SDP}) as response:
            assert response.status == 201, await response.text()
    await api("DELETE", f"/grants/{made['id']}")
    assert [offer.grant for offer in plane.rooms["a"].resources.values()] == [stays.partition(".")[0]]
    async with client.post("/whip/a", data=OFFER, headers={**bearer(encoder["token"]), **SDP}) as response:
        assert response.status == 401
    revoked = [entry["target"] for entry in (await api("GET", "/audit"))["items"] if entry["action"] == "grant.revoke"]
    assert set(revoked) == {made["id"], encoder["id"]}


async def test_a_grant_revoked_while_the_room_opens_has_opened_nothing(
    api: Api, client: Client, plane: FakePlane
) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    made = await api("POST", "/grants", {"role": "technician", "room": "a"})
    ensure = plane.ensure

    async def slow_ensure(config):  # type: ignore[no-untyped-def]
        await api("DELETE", f"/grants/{made['id']}")
        return await ensure(config)

    plane.ensure = slow_ensure  # type: ignore[method-assign]
    async with client.post("/whip/a", data=OFFER, headers={**bearer(made["token"]), **SDP}) as response:
        assert response.status == 401
    assert plane.rooms["a"].resources == {}
    assert len(plane.rooms["a"].hung_up) == 1


async def test_many_wrong_tokens_are_slowed_down_and_a_right_one_never_is(api: Api) -> None:
    codes = [(await _status(api, f"wrong.{number}")) for number in range(8)]
    assert codes == [401] * 5 + [429] * 3
    assert await _status(api, ADMIN) == 200
    assert await _status(api, "") == 401


async def test_past_the_limit_the_admins_token_is_compared_no_more_but_where_it_has_opened_before(
    serve: Callable[[Settings], Awaitable[Client]], settings: Settings
) -> None:
    server = settings.server.model_copy(update={"trusted_proxies": ("127.0.0.1",)})
    client = await serve(settings.model_copy(update={"server": server}))

    async def status(token: str, address: str) -> int:
        headers = {**bearer(token), "X-Forwarded-For": address}
        async with client.get("/api/v1/grants", headers=headers) as response:
            return response.status

    assert await status(ADMIN, "192.0.2.1") == 200
    for household in ("192.0.2.1", "192.0.2.2"):
        for number in range(51):
            assert await status(f"guess {number:03}".ljust(32, "x"), household) in (401, 429)
    assert await status(ADMIN, "192.0.2.1") == 200
    assert await status(ADMIN, "192.0.2.2") == 429
    assert await status(ADMIN, "192.0.2.3") == 200
    token = await Api(client).grant("organiser")
    assert await status(token, "192.0.2.2") == 200


async def _status(api: Api, token: str) -> int:
    async with api.client.get("/api/v1/grants", headers=bearer(token) if token else {}) as response:
        if response.status == 429:
            assert int(response.headers["Retry-After"]) > 0
        if response.status == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
        return response.status


@pytest.mark.parametrize(
    "header", ["Bearer", "Bearer ", "Basic YWRtaW46eA==", "bearer x", "Bearer é.é", "Bearer " + "x" * 4000, "x"]
)
async def test_what_is_no_token_of_ours_is_401(client: Client, header: str) -> None:
    async with client.get("/api/v1/rooms", headers={"Authorization": header}) as response:
        assert response.status == 401


def test_the_permission_table_knows_every_role_and_nobody_lifts_themselves() -> None:
    assert set(PERMISSIONS) == set(Role)
    for holder in set(Role) - {Role.ADMIN}:
        grant = Grant(id="g", role=holder)
        assert not may_grant(grant, Role.ADMIN, Target())
        assert not may_grant(grant, holder, Target()) or holder not in (Role.ORGANISER, Role.TECHNICIAN)
    assert not Grant(id="g", role=Role.VIEWER).may(Action.PUBLISH)
    assert not Grant(id="g", role=Role.TECHNICIAN, room="a").covers(Target(room="b", venue="v"))
    assert not Grant(id="g", role=Role.TECHNICIAN, venue="v").covers(Target(room="b"))
    assert Grant(id="g", role=Role.TECHNICIAN, venue="v").covers(Target(room="b", venue="v"))
