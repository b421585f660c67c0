"""Partners' logos: uploaded, checked, served, and on the venue's slate."""

from __future__ import annotations

import io

import pytest
from PIL import ExifTags, Image

from streamer.control.messages import RoomConfig
from tests.fakes.media_plane import FakePlane
from tests.fakes.waiting import until
from tests.unit.api.conftest import Api, bearer


def png(size: tuple[int, int] = (1200, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 120, 60)).save(out, "PNG")
    return out.getvalue()


async def upload(api: Api, data: bytes, status: int = 201) -> dict[str, object]:
    headers = {**bearer(api.token), "Content-Type": "image/png"}
    async with api.client.post("/api/v1/logos", data=data, headers=headers) as response:
        body = await response.json()
        assert response.status == status, body
        assert isinstance(body, dict)
        return body


async def test_a_logo_is_kept_small_and_served_for_ever(api: Api) -> None:
    made = await upload(api, png())
    assert (made["width"], made["height"]) == (800, 200)
    async with api.client.get(str(made["address"])) as response:
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        assert Image.open(io.BytesIO(await response.read())).size == (800, 200)
    assert await upload(api, png()) == made


async def test_a_photograph_is_kept_upright(api: Api) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    out = io.BytesIO()
    Image.new("RGB", (100, 300), (10, 120, 60)).save(out, "JPEG", exif=exif)
    made = await upload(api, out.getvalue())
    assert (made["width"], made["height"]) == (300, 100)


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"<svg onload='alert(1)'/>", 422), (b"", 422), (png((5000, 10)), 422), (b"\x89PNG\r\n" + b"x" * 950_000, 413)],
)
async def test_what_is_no_picture_is_refused(api: Api, data: bytes, status: int) -> None:
    await upload(api, data, status)


@pytest.mark.parametrize("name", ["..%2Fstreamer.sqlite3", "x.png", "0" * 24 + ".png"])
async def test_nothing_else_is_served(api: Api, name: str) -> None:
    async with api.client.get(f"/logos/{name}") as response:
        assert response.status == 404


async def test_the_venues_logos_are_ordered_onto_the_slate(api: Api, plane: FakePlane) -> None:
    address = (await upload(api, png()))["address"]
    await api("POST", "/venues", {"id": "paris", "name": "Paris", "logos": [address, "https://example.org/x.png"]})
    await api("POST", "/rooms", {"id": "a", "name": "A", "venue": "paris"})
    await plane.ensure(RoomConfig("a", "A"))
    await api("PATCH", "/venues/paris", {"language": "fr"})
    await until(lambda: any(config.orders.slate.logos for config in plane.configured))
    logos = plane.configured[-1].orders.slate.logos
    assert len(logos) == 1
    assert logos[0].endswith(str(address).removeprefix("/logos/"))
