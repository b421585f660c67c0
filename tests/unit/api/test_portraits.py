"""Portraits of speakers: told and served to those who may know of the session, and to nobody else."""

from __future__ import annotations

import io
from typing import Any

import pytest
from PIL import Image

from streamer.api.context import SERVICES
from tests.unit.api.conftest import Api, Client
from tests.unit.api.test_branding import planned
from tests.unit.api.test_pictures import png, upload


async def get(client: Client, path: str, token: str = "") -> tuple[int, str, bytes]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with client.get(path, headers=headers) as response:
        return response.status, response.headers.get("Cache-Control", ""), await response.read()


@pytest.fixture
async def hall(api: Api) -> Api:
    await api("POST", "/rooms", {"id": "a", "name": "A"})
    return api


async def pictured(api: Api, **more: Any) -> tuple[str, str]:
    """A session with the picture of a speaker: its id, and the picture's path."""
    address = (await upload(api, png((400, 300)), kind="portraits"))["address"]
    session = await planned(api, 60, speakers=["Ada", "Bo"], portraits={"Ada": address}, **more)
    told = await api("GET", f"/sessions/{session}")
    assert told["portrait_sources"] == {"Ada": address}
    assert list(told["portraits"]) == ["Ada"]
    return session, told["portraits"]["Ada"]


async def test_a_speakers_picture_is_told_with_the_session_and_served_from_here(hall: Api) -> None:
    session, path = await pictured(hall)
    status, cached, picture = await get(hall.client, path)
    assert (status, cached) == (200, "public, max-age=3600")
    assert Image.open(io.BytesIO(picture)).size == (300, 300)
    assert (await hall.as_("")("GET", f"/sessions/{session}"))["portraits"] == {"Ada": path}
    assert "portrait_sources" not in await hall.as_("")("GET", f"/sessions/{session}")
    async with hall.client.get(f"/session/{session}") as response:
        assert f'"image":"http://streamer.test{path}"' in await response.text()


async def test_a_picture_goes_with_its_speaker(hall: Api) -> None:
    session, path = await pictured(hall)
    await hall("PATCH", f"/sessions/{session}", {"speakers": ["Bo"]})
    assert (await get(hall.client, path))[0] == 404
    await hall("PATCH", f"/sessions/{session}", {"speakers": ["Ada"]})
    assert (await get(hall.client, path))[0] == 200
    await hall("PATCH", f"/sessions/{session}", {"portraits": {}})
    assert (await get(hall.client, path))[0] == 404


@pytest.mark.parametrize("visibility", ["unlisted", "private"])
async def test_a_closed_sessions_pictures_are_its_own_audiences(hall: Api, visibility: str) -> None:
    session, path = await pictured(hall, visibility=visibility)
    bare = path.partition("?")[0]
    name = bare.rpartition("/")[2]
    assert (await get(hall.client, bare))[0] == 404
    assert (await get(hall.client, bare, hall.token))[:2] == (200, "private, no-store")
    # Another session's address does not open it, nor does one without a session.
    other = await planned(hall, 60)
    assert (await get(hall.client, f"/api/v1/sessions/{other}/portraits/{name}"))[0] == 404
    assert (await get(hall.client, f"/portraits/{name}"))[0] == 404
    with_link = (await get(hall.client, path))[0]
    assert with_link == (200 if visibility == "unlisted" else 404)
    for page in ("/", "/watch/a", f"/session/{session}"):
        assert name.encode() not in (await get(hall.client, page))[2]


async def test_a_public_session_that_is_closed_takes_its_pictures_along(hall: Api) -> None:
    session, path = await pictured(hall)
    await hall("PATCH", f"/sessions/{session}", {"visibility": "private"})
    assert (await get(hall.client, path))[0] == 404


async def test_a_picture_elsewhere_is_told_once_it_is_here(hall: Api) -> None:
    session = await planned(hall, 60, speakers=["Ada"], portraits={"Ada": "https://elsewhere.example/ada.jpg"})
    assert (await hall("GET", f"/sessions/{session}"))["portraits"] == {}
    assert "elsewhere.example" not in str(await hall.as_("")("GET", f"/sessions/{session}"))
    services = hall.client.app[SERVICES]  # type: ignore[union-attr]
    assert await services.portraits.read("0" * 24 + ".jpg") is None


@pytest.mark.parametrize("address", ["/logos/x.png", "/portraits/x.jpg", "ftp://x/y.jpg", "javascript:alert(1)", ""])
async def test_only_pictures_are_taken(hall: Api, address: str) -> None:
    session = await planned(hall, 60, speakers=["Ada"])
    await hall("PATCH", f"/sessions/{session}", {"portraits": {"Ada": address}}, expect=422)
    await upload(hall, b"no picture", 422, kind="portraits")
