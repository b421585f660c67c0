"""Short links for a hall: made, printed, typed, guessed at and taken back."""

from __future__ import annotations

import asyncio
import re

import pytest
import segno

from streamer.api import hall_code_lookup, hall_codes
from streamer.api.hall_code_lookup import HallCodeLookup
from streamer.api.limits import RateLimit
from streamer.conference.hall_codes import ALPHABET, HallCode
from streamer.conference.rooms import Room
from streamer.errors import TooMany
from streamer.store.database import Database
from streamer.store.hall_codes import HallCodes
from streamer.store.rooms import Rooms
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_pages import config_of

HALL = HallCode("CD5H8K", "a", "hall", 1)


@pytest.fixture
async def room(api: Api) -> str:
    await api("POST", "/venues", {"id": "v", "name": "Maison <Est>"})
    await api("POST", "/rooms", {"id": "a", "name": 'Salle "B" & <i>Cie</i>', "venue": "v"})
    return "a"


async def test_a_moderator_makes_a_code_for_each_place_and_the_speakers_screen_reads_them(api: Api, room: str) -> None:
    moderator = api.as_(await api.grant("moderator", room=room))
    made = await moderator("POST", "/rooms/a/hall-codes", {"place": "  Nantes,  2e "})
    assert (made["room"], made["place"]) == ("a", "Nantes, 2e")
    assert made["link"] == f"http://streamer.test/join/{made['code']}"
    assert made["qr"].startswith("data:image/svg+xml")
    hall = await moderator("POST", "/rooms/a/hall-codes", {})
    assert hall["place"] == "hall"
    assert (await moderator("POST", "/rooms/a/hall-codes", {"place": "HALL"}))["code"] == hall["code"]
    speaker = api.as_(await api.grant("speaker", room=room))
    listed = await speaker("GET", "/rooms/a/hall-codes")
    assert listed == {"items": [hall, made], "cursor": None}
    await speaker("POST", "/rooms/a/hall-codes", {}, expect=403)
    await speaker("DELETE", f"/rooms/a/hall-codes/{hall['code']}", expect=403)
    await api.as_("")("GET", "/rooms/a/hall-codes", expect=401)
    logged = (await api("GET", "/audit?action=room.codes"))["items"]
    assert [entry["details"] for entry in logged] == [{"place": [None, "hall"]}, {"place": [None, "Nantes, 2e"]}]
    assert hall["code"] not in str(logged)


@pytest.mark.parametrize("place", ["", "   ", "x" * 41, "a\nb\u202e", "\u0007", None, 5])
async def test_a_place_is_a_short_line(api: Api, room: str, place: object) -> None:
    await api("POST", "/rooms/a/hall-codes", {"place": place}, expect=422)


async def test_a_room_has_only_so_many(api: Api, room: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hall_codes, "MOST_CODES", 2)
    for place in ("hall", "Nantes"):
        await api("POST", "/rooms/a/hall-codes", {"place": place})
    answer = await api("POST", "/rooms/a/hall-codes", {"place": "Brest"}, expect=409)
    assert answer["error"]["code"] == "too_many_codes"
    await api("POST", "/rooms/a/hall-codes", {"place": "nantes"})


async def test_a_code_opens_the_halls_page_however_it_is_typed_until_it_is_taken_back(
    api: Api, client: Client, room: str
) -> None:
    code = (await api("POST", "/rooms/a/hall-codes", {"place": "Nantes"}))["code"]
    for typed in (code, code.lower(), f"{code[:3]}-{code[3:]}", f"%20{code}"):
        async with client.get(f"/join/{typed}") as response:
            assert response.status == 200
            config = config_of(await response.text())
            assert config["page"] == "hall"
            assert config["room"]["id"] == "a"
            assert config["hall"] == {"code": code, "place": "Nantes", "problem": None}
    await api("DELETE", f"/rooms/a/hall-codes/{code.lower()}")
    for path in (f"/join/{code}", "/join/nothing", "/join/%3Cscript%3E"):
        async with client.get(path) as response:
            assert response.status == 404
            config = config_of(await response.text())
            assert (config["page"], config["room"], config["hall"]["problem"]) == ("hall", None, "unknown")
    await api("DELETE", f"/rooms/a/hall-codes/{code}", expect=404)
    assert (await api("GET", "/rooms/a/hall-codes"))["items"] == []


async def test_it_is_taken_back_in_its_own_room_only(api: Api, room: str) -> None:
    await api("POST", "/rooms", {"id": "b", "name": "B"})
    code = (await api("POST", "/rooms/a/hall-codes", {}))["code"]
    await api("DELETE", f"/rooms/b/hall-codes/{code}", expect=404)
    assert (await api("GET", "/rooms/a/hall-codes"))["items"][0]["code"] == code


async def test_it_is_shown_as_a_picture_and_on_a_poster(api: Api, client: Client, room: str) -> None:
    code = (await api("POST", "/rooms/a/hall-codes", {"place": "<b>Évry</b>"}))["code"]
    async with client.get(f"/join/{code.lower()}/qr.svg") as response:
        assert response.headers["Content-Type"] == "image/svg+xml"
        picture = await response.text()
        assert picture.startswith("<svg")
        assert "<script" not in picture
    async with client.get(f"/join/{code}/qr.png") as response:
        assert response.headers["Content-Type"] == "image/png"
        assert (await response.read()).startswith(b"\x89PNG")
    async with client.get(f"/join/{code}/poster") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        page = await response.text()
    for text in (
        "Salle &quot;B&quot; &amp; &lt;i&gt;Cie&lt;/i&gt;",
        "Maison &lt;Est&gt; · &lt;b&gt;Évry&lt;/b&gt;",
        "streamer.test/join<",
        code,
        "Posez vos questions",
        "Ask questions",
    ):
        assert text in page, text
    for path in ("/join/CDCDCD/qr.svg", "/join/CDCDCD/poster", f"/join/{code}/qr.gif", f"/join/{code}/other"):
        async with client.get(path) as response:
            assert response.status == 404


async def test_a_screen_without_a_code_shows_where_the_public_page_is(api: Api, client: Client, room: str) -> None:
    async with client.get("/watch/a/qr.svg") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "image/svg+xml"
        assert response.headers["Cache-Control"] == "public, max-age=3600"
        picture = await response.text()
    drawn = segno.make("http://streamer.test/watch/a", error="q", micro=False).svg_inline(border=4)
    assert re.findall(r' d="[^"]+"', picture)[-1] in drawn
    for path in ("/watch/nowhere/qr.svg", "/watch/%3Cscript%3E/qr.svg", "/watch/a/qr.png"):
        async with client.get(path) as response:
            assert response.status == 404


async def test_whoever_guesses_is_slowed_down_and_the_hall_behind_the_same_address_is_not(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.write() as connection:
        await Rooms(connection).add(Room("a", "A"))
        await HallCodes(connection).add(HALL)
        await HallCodes(connection).add(HallCode("CD5H8M", "a", "Nantes", 1))
    now = 0.0
    lookup = HallCodeLookup(database, wrong=RateLimit(6, clock=lambda: now))
    assert await lookup.find("cd5h8k", "hall") == HALL
    guesses = [f"CDCDC{letter}" for letter in ALPHABET[:10]]
    found = await asyncio.gather(*(lookup.find(guess, "hall") for guess in guesses), return_exceptions=True)
    assert found[:6] == [None] * 6
    assert all(isinstance(one, TooMany) for one in found[6:])
    with pytest.raises(TooMany):
        await lookup.find("CD5H8M", "hall")
    for _ in range(50):
        assert await lookup.find("CD5H8K", "hall") == HALL
    assert await lookup.find("CD5H8M", "elsewhere") is not None
    # A text that cannot be a code tells nothing and costs nothing.
    assert await lookup.find("hello", "hall") is None
    now = 10.0
    assert await lookup.find("CD5H8M", "hall") is not None
    # A revoked code is not found any more, and counts as a wrong guess.
    async with database.write() as connection:
        await HallCodes(connection).remove("a", "CD5H8K")
    assert await lookup.find("CD5H8K", "hall") is None
    monkeypatch.setattr(hall_code_lookup, "MOST_OPENED", 3)
    for number in range(5):
        assert await lookup.find("CD5H8M", f"address {number}") is not None
    assert len(lookup._opened) == 3


async def test_a_browser_that_guesses_is_told_on_a_page(client: Client) -> None:
    statuses: list[int] = []
    # A second lets another one in, so that a slow machine needs more of them.
    for number in range(5 * hall_code_lookup.WRONG_PER_MINUTE):
        if 429 in statuses:
            break
        first, second = divmod(number, len(ALPHABET))
        async with client.get(f"/join/CDCD{ALPHABET[first]}{ALPHABET[second]}") as response:
            statuses.append(response.status)
            text = await response.text()
    assert (statuses[0], statuses[-1]) == (404, 429)
    assert len(statuses) > hall_code_lookup.WRONG_PER_MINUTE
    assert int(response.headers["Retry-After"]) >= 1
    assert config_of(text)["hall"]["problem"] == "too_many"
