"""Rooms and venues over REST, as the contract has them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable

import pytest

from streamer.api.context import SERVICES, Services
from streamer.api.waiting import StateWaiters
from streamer.broadcast.media_events import PUBLIC, IntervalOpened, Opened, StillMade
from streamer.broadcast.orders import SourceOrder
from streamer.broadcast.programme import Broadcast, Interval
from streamer.control.messages import CrewPicture, RoomConfig, SourceStatus, TrackStatus
from streamer.settings import Settings
from tests.fakes.media_plane import FakePlane
from tests.fakes.waiting import until, until_answered
from tests.unit.api.conftest import ADMIN, Api, Client, bearer


async def test_a_new_room_has_the_contracts_defaults_and_is_off(api: Api) -> None:
    room = await api("POST", "/rooms", {"id": "grande-salle", "name": "Grande salle"})
    assert room["id"] == "grande-salle"
    assert (room["start"], room["between"]) == ("tap", "slate")
    assert (room["state"], room["sources"], room["session"], room["next"]) == ("off", {}, None, None)
    assert await api("GET", "/rooms/grande-salle") == room


async def test_everybody_may_read_rooms_but_only_the_crew_sees_who_publishes(api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    assert room.status is not None
    room.state = "live"
    room.status.alarms = ["encoder_overload"]
    room.status.sources["main"] = SourceStatus(
        name="main", up=True, client="OBS", publication="p", video=TrackStatus(codec="h264", bitrate=5)
    )
    public = await api.as_("")("GET", "/rooms/a")
    assert public["state"] == "live"
    assert public["sources"] == {"main": {"up": True}}
    assert "alarms" not in public
    technician = api.as_(await api.grant("technician", room="a"))

    async def rings() -> bool:
        return [alarm["code"] for alarm in (await technician("GET", "/rooms/a"))["alarms"]] == ["encoder_overload"]

    await until_answered(rings)
    crew = await technician("GET", "/rooms/a")
    assert crew["sources"]["main"]["client"] == "OBS"
    assert crew["sources"]["main"]["video"]["codec"] == "h264"
    other = await api.as_(await api.grant("viewer", room="a"))("GET", "/rooms/a")
    assert other["sources"] == {"main": {"up": True}}


async def test_a_sources_settings_are_kept_told_written_down_and_undone(api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    technician = api.as_(await api.grant("technician", room="a", label="Ann"))
    plain = {"gain_db": 0.0, "mute": False, "mono": False, "kind": None}
    done = await technician("PATCH", "/rooms/a/sources/main", {"gain_db": -3.5, "mute": True, "kind": "camera"})
    told = plain | {"gain_db": -3.5, "mute": True, "kind": "camera"}
    assert {name: done[name] for name in told} == told
    assert done["name"] == "main"
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    assert room.status is not None
    room.status.sources["desk"] = SourceStatus(name="desk", up=True)
    sources = (await technician("GET", "/rooms/a"))["sources"]
    assert {name: (one["up"], {key: one[key] for key in plain}) for name, one in sources.items()} == {
        "main": (False, told),
        "desk": (True, plain),
    }
    assert set((await api.as_("")("GET", "/rooms/a"))["sources"]) == {"desk"}
    config = api.client.server.app[SERVICES].director.config("a")
    assert config.source_kinds == {"main": "camera"}
    assert config.orders.sources == (SourceOrder("main", -3.5, mute=True),)
    again = await technician("PATCH", "/rooms/a/sources/main", {"mute": True})
    assert again["action"] is None
    unknown = await technician("PATCH", "/rooms/a/sources/main", {"kind": None})
    assert (unknown["kind"], unknown["mute"]) == (None, True)
    # The gain without a name is that of the source that is on.
    await technician("POST", "/rooms/a/air", {"gain_db": 6}, expect=200)
    assert (await technician("GET", "/rooms/a"))["sources"]["main"]["gain_db"] == 6
    room.status.on_programme = "desk"
    await technician("POST", "/rooms/a/air", {"gain_db": 2}, expect=200)
    assert (await technician("GET", "/rooms/a"))["sources"]["desk"]["gain_db"] == 2
    await technician("POST", f"/actions/{unknown['action']}/undo", expect=200)
    assert (await technician("GET", "/rooms/a"))["sources"]["main"]["kind"] == "camera"
    written = [one for one in (await api("GET", "/audit"))["items"] if one["action"].startswith("source.set")]
    assert [(one["label"], one["details"]) for one in written] == [
        ("Ann", {"main": {"kind": "camera"}}),
        ("Ann", {"main": {"kind": None}}),
        ("Ann", {"main": {"gain_db": -3.5, "mute": True, "kind": "camera"}}),
    ]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("main", {}, "invalid"),
        ("main", {"gain_db": 21}, "invalid"),
        ("main", {"gain_db": None}, "invalid"),
        ("main", {"mute": "loud"}, "invalid"),
        ("main", {"kind": "film"}, "invalid"),
        ("main", {"volume": 3}, "invalid"),
        ("slate", {"mute": True}, "bad_source"),
        ("Main Camera", {"mute": True}, "bad_source"),
    ],
)
async def test_what_no_source_can_be_is_refused(api: Api, name: str, body: dict[str, object], code: str) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    answer = await api("PATCH", f"/rooms/a/sources/{name}", body, expect=422)
    assert answer["error"]["code"] == code
    await api("PATCH", "/rooms/b/sources/main", {"mute": True}, expect=404)


async def test_the_crew_sees_small_pictures_of_what_comes_in_and_of_what_goes_out(
    api: Api, client: Client, plane: FakePlane
) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    path = "/rooms/a/picture.jpg"
    assert (await api("GET", path, expect=404))["error"]["code"] == "no_picture", "a room that is off"
    room = await plane.ensure(RoomConfig(id="a", name="A"))
    room.state = "slate"
    room.pictures["main"] = CrewPicture(b"what comes in", 1000)
    room.feed(Opened(broadcast=Broadcast(id="b", room="a", epoch_ms=0, renditions=())))
    room.feed(IntervalOpened(output=PUBLIC, interval=Interval(index=0, key="k", aired=False, start=0)))
    room.feed(StillMade(output=PUBLIC, at_ms=900, jpeg=b"the slate"))
    await api("POST", "/rooms", {"id": "b", "name": "B"})
    of_room, elsewhere = await api.grant("technician", room="a"), await api.grant("technician", room="b")
    for source, token, expected in [
        ("?source=main", of_room, (200, b"what comes in", '"1000"')),
        ("", of_room, (200, b"the slate", '"900"')),
        ("?source=main", elsewhere, 403),
        ("", await api.grant("moderator", room="a"), 403),
        ("", "", 401),
        ("?source=spare", of_room, 404),
        ("?source=..", of_room, 422),
    ]:
        headers = bearer(token) if token else {}
        async with client.get(f"/api/v1{path}{source}", headers=headers) as response:
            if isinstance(expected, int):
                assert response.status == expected, source
            else:
                assert (response.status, await response.read(), response.headers["ETag"]) == expected
    headers = {**bearer(of_room), "If-None-Match": '"1000"'}
    async with client.get(f"/api/v1{path}?source=main", headers=headers) as response:
        assert (response.status, await response.read()) == (304, b"")
    room.state, room.pictures[""] = "live", CrewPicture(b"the programme", 2000)
    async with client.get(f"/api/v1{path}", headers=bearer(of_room)) as response:
        assert await response.read() == b"the programme"
        assert "no-store" not in response.headers["Cache-Control"]


@pytest.mark.parametrize("slug", ["", "A", "a b", "a/b", "-a", "a-", "é", "a" * 49, "../x", "a\n"])
async def test_what_is_no_slug_is_refused_with_the_field_named(api: Api, slug: str) -> None:
    answer = await api("POST", "/rooms", {"id": slug, "name": "A"}, expect=422)
    assert answer["error"]["code"] == "invalid"
    assert answer["error"]["details"][0]["field"] == "id"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"id": "a"}, "name"),
        ({"id": "a", "name": "  "}, "name"),
        ({"id": "a", "name": "x" * 201}, "name"),
        ({"id": "a", "name": "two\nlines"}, "name"),
        ({"id": "a", "name": "A", "start": "now"}, "start"),
        ({"id": "a", "name": "A", "between": None}, "between"),
        ({"id": "a", "name": "A", "venue": "nowhere"}, "venue"),
        ({"id": "a", "name": "A", "colour": "red"}, "colour"),
    ],
)
async def test_a_wrong_field_is_named(api: Api, body: dict[str, object], field: str) -> None:
    answer = await api("POST", "/rooms", body, expect=422)
    assert [detail["field"] for detail in answer["error"]["details"]] == [field]


async def test_an_id_is_taken_once(api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    answer = await api("POST", "/rooms", {"id": "a", "name": "B"}, expect=409)
    assert answer["error"]["code"] == "exists"
    assert (await api("GET", "/rooms/a"))["name"] == "A"


async def test_a_change_touches_what_it_names_and_tells_the_open_room(api: Api, plane: FakePlane) -> None:
    await api("POST", "/venues", {"id": "nantes", "name": "Nantes", "language": "fr"})
    await api("POST", "/rooms", {"id": "a", "name": "A", "between": "open"})
    await plane.ensure(RoomConfig(id="a", name="A"))
    room = await api("PATCH", "/rooms/a", {"venue": "nantes"})
    assert (room["name"], room["between"], room["venue"]) == ("A", "open", "nantes")
    assert (plane.configured[-1].venue, plane.configured[-1].language) == ("Nantes", "fr")
    await api("PATCH", "/venues/nantes", {"name": "Nantes Centre"})
    assert plane.configured[-1].venue == "Nantes Centre"
    assert (await api("PATCH", "/rooms/a", {"venue": None}))["venue"] is None
    await api("PATCH", "/rooms/a", {"name": None}, expect=422)
    await api("PATCH", "/rooms/a", {"id": "b"}, expect=422)


async def test_removing_a_room_closes_it_and_its_grants(api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    await plane.ensure(RoomConfig(id="a", name="A"))
    token = await api.grant("technician", room="a")
    await api("DELETE", "/rooms/a")
    assert plane.stopped == ["a"]
    await api("GET", "/rooms/a", expect=404)
    await api("DELETE", "/rooms/a", expect=404)
    await api.as_(token)("GET", "/rooms", expect=401)


async def test_lists_page_through_everything_once(api: Api) -> None:
    names = [f"room-{number:02}" for number in range(7)]
    for name in names:
        await api("POST", "/rooms", {"id": name, "name": name})
    seen: list[str] = []
    path = "/rooms?limit=3"
    pages = 0
    while True:
        page = await api.as_("")("GET", path)
        seen += [item["id"] for item in page["items"]]
        pages += 1
        if page["cursor"] is None:
            break
        path = f"/rooms?limit=3&cursor={page['cursor']}"
    assert (seen, pages) == (names, 3)


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 422), ("limit=201", 422), ("limit=x", 422), ("cursor=%25%25", 400), ("cursor=%C3%A9", 400)],
)
async def test_bad_paging_is_refused(api: Api, query: str, status: int) -> None:
    await api("GET", f"/rooms?{query}", expect=status)


async def test_a_venue_gets_an_id_from_its_name_and_stays_while_it_has_rooms(api: Api) -> None:
    venue = await api("POST", "/venues", {"name": "Maison de l'Été"})
    assert venue["id"] == "maison-de-l-ete"
    await api("POST", "/rooms", {"id": "a", "name": "A", "venue": venue["id"]})
    assert (await api("DELETE", f"/venues/{venue['id']}", expect=409))["error"]["code"] == "in_use"
    await api("DELETE", "/rooms/a")
    await api("DELETE", f"/venues/{venue['id']}")
    await api("GET", f"/venues/{venue['id']}", expect=404)
    await api("POST", "/venues", {"name": "X", "timezone": "Mars/Base"}, expect=422)


async def test_an_organiser_of_a_venue_reaches_its_rooms_and_no_other(api: Api) -> None:
    for venue in ("brest", "rennes"):
        await api("POST", "/venues", {"id": venue, "name": venue})
        await api("POST", "/rooms", {"id": f"{venue}-1", "name": venue, "venue": venue})
    organiser = api.as_(await api.grant("organiser", venue="brest"))
    await organiser("POST", "/rooms", {"id": "brest-2", "name": "B2", "venue": "brest"})
    await organiser("POST", "/rooms", {"id": "rennes-2", "name": "R2", "venue": "rennes"}, expect=403)
    await organiser("POST", "/rooms", {"id": "free", "name": "F"}, expect=403)
    await organiser("PATCH", "/rooms/brest-1", {"name": "New"})
    await organiser("PATCH", "/rooms/brest-1", {"venue": "rennes"}, expect=403)
    await organiser("PATCH", "/rooms/rennes-1", {"name": "New"}, expect=403)
    assert (await organiser("DELETE", "/rooms/rennes-1", expect=403))["error"]["code"] == "out_of_scope"
    await organiser("POST", "/venues", {"name": "Another"}, expect=403)


async def test_errors_have_one_shape_whoever_raises_them(client: Client) -> None:
    async def error(method: str, path: str, **options: object) -> tuple[int, str]:
        async with client.request(method, path, **options) as response:  # type: ignore[arg-type]
            body = await response.json()
            assert set(body["error"]) == {"code", "message", "details"}
            assert response.headers["Cache-Control"] == "no-store"
            return response.status, body["error"]["code"]

    json = {"Content-Type": "application/json", **bearer(ADMIN)}
    assert await error("GET", "/api/v1/nothing") == (404, "not_found")
    assert await error("GET", "/api/v1/speeches") == (404, "not_found")
    assert await error("PUT", "/api/v1/rooms") == (405, "method_not_allowed")
    assert await error("POST", "/api/v1/rooms") == (401, "unauthorized")
    assert await error("POST", "/api/v1/rooms", data=b"{", headers=json) == (400, "bad_json")
    assert await error("POST", "/api/v1/rooms", data=b'{"id":"\xff"}', headers=json) == (400, "bad_json")
    assert await error("POST", "/api/v1/rooms", data=b"[" * 100_000, headers=json) == (400, "bad_json")
    assert await error("POST", "/api/v1/rooms", data=b"[]", headers=json) == (422, "invalid")
    assert await error("POST", "/api/v1/rooms", data=b"{}", headers=bearer(ADMIN)) == (415, "unsupported_media_type")
    assert await error("POST", "/api/v1/rooms", data=b" " * 1_000_001, headers=json) == (413, "too_large")
    async with client.put("/api/v1/rooms/a") as response:
        assert set(response.headers["Allow"].split(",")) == {"GET", "HEAD", "PATCH", "DELETE"}


async def test_a_handler_that_breaks_tells_nothing_of_itself(client: Client, plane: FakePlane, api: Api) -> None:
    await api("POST", "/rooms", {"id": "a", "name": "A"})

    class Broken(dict[str, object]):
        def get(self, *_args: object) -> object:
            raise RuntimeError("the password is hunter2")

    plane.rooms = Broken()  # type: ignore[assignment]
    async with client.get("/api/v1/rooms/a") as response:
        assert response.status == 500
        assert (await response.json())["error"]["code"] == "internal"
        assert "hunter2" not in await response.text()


async def test_two_at_once_make_one_room(api: Api) -> None:
    body = {"id": "a", "name": "A"}
    statuses = await asyncio.gather(
        *(
            api.client.post("/api/v1/rooms", json={**body, "name": f"N{number}"}, headers=bearer(ADMIN))
            for number in range(8)
        )
    )
    assert sorted(response.status for response in statuses) == [201] + [409] * 7


def services_of(api: Api) -> Services:
    return api.client.app[SERVICES]


async def test_a_question_waits_until_the_room_is_in_another_state(api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "main", "name": "Main"})
    asked = asyncio.create_task(api("GET", "/rooms/main?unless=off"))
    await until(lambda: services_of(api).waiters.waiting == 1)
    assert not asked.done()
    (await plane.ensure(RoomConfig(id="main", name="Main"))).state = "live"
    assert (await asked)["state"] == "live"
    # A room in another state is answered at once, and so is every request that does not ask to wait.
    assert (await api("GET", "/rooms/main?unless=off"))["state"] == "live"
    assert (await api("GET", "/rooms/main"))["state"] == "live"


async def test_those_who_wait_are_bounded_and_answered_in_time(api: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "main", "name": "Main"})
    services = services_of(api)
    services.waiters = StateWaiters(services.state_of, limit=1, hold_s=60)
    first = asyncio.create_task(api("GET", "/rooms/main?unless=off"))
    await until(lambda: services.waiters.waiting == 1)
    assert (await api("GET", "/rooms/main?unless=off"))["state"] == "off"
    assert not first.done()
    assert services.waiters.turned_away == 1
    await services.waiters.close()
    assert (await first)["state"] == "off"
    assert services.waiters.waiting == 0
    services.waiters = StateWaiters(services.state_of, limit=1, hold_s=0.3)
    assert (await api("GET", "/rooms/main?unless=off"))["state"] == "off"
    assert (services.waiters.turned_away, services.waiters.waiting) == (0, 0)
    await api("GET", "/rooms/main?unless=sideways", expect=422)
    await services.waiters.close()


async def test_one_household_leaves_places_to_wait_for_others(api: Api) -> None:
    services = services_of(api)
    waiters = StateWaiters(services.state_of, limit=10, per_household=2, hold_s=60)
    tasks = [asyncio.create_task(waiters.wait_other("main", "off", household)) for household in ("a", "a", "a", "b")]
    await until(lambda: waiters.waiting == 3)
    assert waiters.turned_away == 1
    assert [task.done() for task in tasks] == [False, False, True, False]
    await waiters.close()
    await asyncio.gather(*tasks)
    assert waiters.waiting == 0


async def test_a_server_that_ends_answers_those_who_wait(api: Api) -> None:
    await api("POST", "/rooms", {"id": "main", "name": "Main"})
    asked = asyncio.create_task(api("GET", "/rooms/main?unless=off"))
    await until(lambda: services_of(api).waiters.waiting == 1)
    await services_of(api).waiters.close()
    assert (await asked)["state"] == "off"


async def _first_cursor(api: Api, path: str) -> str:
    cursor: str = (await api("GET", path))["cursor"]
    return cursor


async def test_a_cursor_tells_nothing_and_is_good_for_its_own_list_and_filters(api: Api) -> None:
    for name in ("amphi", "studio"):
        await api("POST", "/venues", {"id": name, "name": name})
        for number in (1, 2):
            await api("POST", "/rooms", {"id": f"{name}-{number}", "name": name, "venue": name})
    cursor = await _first_cursor(api, "/rooms?limit=1")
    assert b"amphi" not in base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_")
    assert [room["id"] for room in (await api("GET", f"/rooms?limit=2&cursor={cursor}"))["items"]] == [
        "amphi-2",
        "studio-1",
    ]
    filtered = await _first_cursor(api, "/rooms?limit=1&venue=amphi")
    other = await _first_cursor(api, "/venues?limit=1")
    flipped = cursor[:-2] + ("A" if cursor[-2] != "A" else "B") + cursor[-1]
    plain = base64.urlsafe_b64encode(b"amphi-1").decode().rstrip("=")
    for path in (
        f"/rooms?cursor={filtered}",
        f"/rooms?venue=studio&cursor={filtered}",
        f"/rooms?venue=amphi&cursor={cursor}",
        f"/rooms?cursor={other}",
        f"/rooms?cursor={flipped}",
        f"/rooms?cursor={cursor[:-1]}",
        f"/rooms?cursor={plain}",
        "/rooms?cursor=",
    ):
        assert (await api("GET", path, expect=400))["error"]["code"] == "bad_cursor", path


async def test_cursors_outlive_a_restart(serve: Callable[[Settings], Awaitable[Client]], settings: Settings) -> None:
    first = Api(await serve(settings))
    for name in ("a", "b"):
        await first("POST", "/rooms", {"id": name, "name": name})
    cursor = await _first_cursor(first, "/rooms?limit=1")
    second = Api(await serve(settings))
    assert [room["id"] for room in (await second("GET", f"/rooms?cursor={cursor}"))["items"]] == ["b"]
