"""Captions over REST: who may, what is answered, a room's languages."""

from __future__ import annotations

from typing import Any

import pytest

from streamer.api.context import SERVICES
from streamer.api.limits import RateLimit
from streamer.broadcast.view import BroadcastView
from streamer.control.messages import RoomConfig
from tests.fakes.broadcast import EPOCH_MS, FakeBroadcast
from tests.fakes.media_plane import FakePlane, FakeRoom
from tests.unit.api.conftest import Api, Client

PATH = "/rooms/salle/captions"


def put_on(plane: FakePlane, room: str = "salle") -> FakeBroadcast:
    link = FakeRoom(RoomConfig(id=room, name=room))
    view = BroadcastView()
    link.view = view  # type: ignore[assignment]
    plane.rooms[room] = link
    fake = FakeBroadcast(view.apply, room=room, caption_languages=("fr", "en")).open()
    fake.segments(5)
    return fake


@pytest.fixture
async def captioner(api: Api) -> Api:
    await api("POST", "/rooms", {"id": "salle", "name": "Salle", "caption_languages": ["FR", "pt-br"]})
    return api.as_(await api.grant("captioner", room="salle"))


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


async def test_a_rooms_languages_are_set_and_shown(api: Api, captioner: Api) -> None:
    assert (await api("GET", "/rooms/salle"))["caption_languages"] == ["fr", "pt-BR"]
    changed = await api("PATCH", "/rooms/salle", {"caption_languages": ["de"]})
    assert changed["caption_languages"] == ["de"]
    for wrong in (["french"], ["fr", "FR"], ['x"'], None, ["fr"] * 9):
        await api("PATCH", "/rooms/salle", {"caption_languages": wrong}, expect=422)
    told = await captioner("GET", PATH)
    assert (told["languages"], told["on"], told["items"]) == (["de"], False, [])


async def test_what_is_typed_is_answered_with_its_id_and_time(captioner: Api, plane: FakePlane) -> None:
    put_on(plane)
    body = {"lang": "fr", "text": " Bonjour\tà tous ", "at": EPOCH_MS + 7_250, "final": False}
    begun = await captioner("POST", PATH, body, expect=200)
    done = await captioner("POST", PATH, {"lang": "fr", "text": "Bonjour à tous."}, expect=200)
    assert begun == {**done, "text": "Bonjour à tous", "final": False}
    assert done["at"] == "2026-11-18T11:06:47.250Z"
    told = await captioner("GET", PATH)
    assert (told["languages"], told["on"], told["items"]) == (["fr", "en"], True, [done])
    corrected = await captioner("POST", PATH, {"lang": "fr", "text": "Bonjour.", "id": done["id"]}, expect=200)
    assert (await captioner("GET", PATH))["items"] == [corrected]
    await captioner("POST", PATH, {"lang": "fr", "text": "", "id": done["id"]}, expect=200)
    assert (await captioner("GET", PATH))["items"] == []


async def test_what_is_refused_has_its_code(captioner: Api, plane: FakePlane) -> None:
    assert code(await captioner("POST", PATH, {"lang": "fr", "text": "Tôt"}, expect=409)) == "not_on_air"
    put_on(plane)
    for body, expected in (
        ({"lang": "de", "text": "Hallo"}, "unknown_language"),
        ({"lang": "fr", "text": "a" * 501}, "too_long"),
        ({"lang": "fr", "text": "Il y a une heure", "at": EPOCH_MS - 3_600_000}, "too_late"),
    ):
        assert code(await captioner("POST", PATH, body, expect=422)) == expected


async def test_a_language_that_the_broadcast_does_not_have_is_told_with_what_to_do(
    captioner: Api, plane: FakePlane
) -> None:
    put_on(plane)
    for lang, said in (("de", "organiser"), ("pt-BR", "of the room's from the next broadcast on")):
        error = (await captioner("POST", PATH, {"lang": lang, "text": "Hallo"}, expect=422))["error"]
        told = {"languages": ["fr", "en"], "next": ["fr", "pt-BR"]}
        assert (error["code"], error["details"]) == ("unknown_language", told)
        assert all(word in error["message"] for word in (lang, "fr, en", said))
    assert (await captioner("GET", PATH))["next"] == ["fr", "pt-BR"]


async def test_a_grant_that_floods_is_told_when_to_come_again(
    api: Api, captioner: Api, client: Client, plane: FakePlane
) -> None:
    put_on(plane)
    client.app[SERVICES].caption_posts = RateLimit(2, burst=3)  # type: ignore[union-attr]
    body = {"lang": "fr", "text": "Et", "final": False}
    for _ in range(3):
        await captioner("POST", PATH, body, expect=200)
    error = (await captioner("POST", PATH, body, expect=429))["error"]
    assert error["code"] == "rate_limited"
    assert 20 < error["details"]["retry_after"] <= 30
    # Each grant has its own.
    other = api.as_(await api.grant("captioner", room="salle"))
    await other("POST", PATH, body, expect=200)


async def test_other_rooms_and_roles_do_not_write(api: Api, captioner: Api, plane: FakePlane) -> None:
    await api("POST", "/rooms", {"id": "other", "name": "Other"})
    put_on(plane, "other")
    body = {"lang": "fr", "text": "Bonjour"}
    await captioner("POST", "/rooms/other/captions", body, expect=403)
    viewer = api.as_(await api.grant("viewer", room="salle"))
    await viewer("POST", PATH, body, expect=403)
    await viewer("GET", PATH, expect=403)
