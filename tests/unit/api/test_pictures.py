"""Pictures that people upload: checked by another process, made small, served. Partners' logos are on the slate."""

from __future__ import annotations

import io

import pytest
from PIL import ExifTags, Image

from streamer.conference.looks import theme_of
from streamer.control.messages import RoomConfig
from tests.fakes.media_plane import FakePlane
from tests.fakes.waiting import until
from tests.unit.api.conftest import Api, bearer


def png(size: tuple[int, int] = (1200, 300)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, (10, 120, 60)).save(out, "PNG")
    return out.getvalue()


def jpeg(size: tuple[int, int], orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    exif[ExifTags.Base.Make] = "A camera's maker"
    out = io.BytesIO()
    Image.new("RGB", size, (10, 120, 60)).save(out, "JPEG", exif=exif)
    return out.getvalue()


async def upload(api: Api, data: bytes, status: int = 201, *, kind: str = "logos") -> dict[str, object]:
    headers = {**bearer(api.token), "Content-Type": "image/png"}
    async with api.client.post(f"/api/v1/{kind}", data=data, headers=headers) as response:
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
    made = await upload(api, jpeg((100, 300), orientation=6))
    assert (made["width"], made["height"]) == (300, 100)


async def test_a_cover_becomes_a_photograph_without_the_cameras_notes(api: Api) -> None:
    made = await upload(api, jpeg((4000, 3000)), kind="covers")
    assert (made["width"], made["height"]) == (1920, 1440)
    async with api.client.get(str(made["address"])) as response:
        assert response.headers["Content-Type"] == "image/jpeg"
        assert "immutable" in response.headers["Cache-Control"]
        kept = Image.open(io.BytesIO(await response.read()))
    assert (kept.format, kept.size, dict(kept.getexif())) == ("JPEG", (1920, 1440), {})


async def test_the_web_process_decodes_no_picture(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("decoded here")

    monkeypatch.setattr(Image, "open", decode)
    await upload(api, png())
    await upload(api, b"no picture", 422, kind="covers")


@pytest.mark.parametrize(
    ("data", "status"),
    [(b"<svg onload='alert(1)'/>", 422), (b"", 422), (png((5000, 10)), 422), (b"\x89PNG\r\n" + b"x" * 950_000, 413)],
)
async def test_what_is_no_picture_is_refused(api: Api, data: bytes, status: int) -> None:
    await upload(api, data, status)


@pytest.mark.parametrize("name", ["..%2Fstreamer.sqlite3", "x.png", "0" * 24 + ".png", "0" * 24 + ".jpg"])
@pytest.mark.parametrize("folder", ["logos", "covers", "run"])
async def test_nothing_else_is_served(api: Api, folder: str, name: str) -> None:
    async with api.client.get(f"/{folder}/{name}") as response:
        assert response.status == 404


async def test_the_colours_that_follow_are_told_with_their_contrast(api: Api) -> None:
    told = await api("GET", "/theme?colour=%23FFE600")
    assert told["light"]["given_contrast"] < 4.5 <= told["light"]["contrast"]
    assert told["dark"]["accent"] == "#ffe600"
    assert (told["dark"]["band"], told["dark"]["on_band"]) == ("#ffe600", "#000000")
    await api("GET", "/theme?colour=red", expect=422)


async def test_a_venue_and_an_event_have_looks(api: Api) -> None:
    logo, cover = (await upload(api, png()))["address"], (await upload(api, jpeg((800, 600)), kind="covers"))["address"]
    venue = await api("POST", "/venues", {"id": "v", "name": "V", "colour": "#E30613", "logo": logo, "cover": cover})
    assert (venue["colour"], venue["typeface"], venue["logo"], venue["cover"]) == ("#e30613", "", logo, cover)
    assert "--color-band:#e30613" in venue["stylesheet"]
    plain = (await api("PATCH", "/venues/v", {"colour": ""}))["stylesheet"]
    assert f':root:root{{--backdrop:url("{cover}")' in plain
    assert "--color" not in plain
    event = await api("POST", "/events", {"id": "e", "name": "E", "typeface": "serif", "logos": [logo]})
    assert (event["typeface"], event["logos"]) == ("serif", [logo])
    assert (await api("PATCH", "/events/e", {"colour": "#00aa66"}))["colour"] == "#00aa66"


@pytest.mark.parametrize(
    "look",
    [
        {"colour": "red"},
        {"colour": "#fff"},
        {"typeface": "comic"},
        {"logo": "https://elsewhere.example/x.png"},
        {"cover": '/covers/x.jpg"){}'},
        {"colour": None},
    ],
)
async def test_a_look_is_made_of_checked_values_only(api: Api, look: dict[str, object]) -> None:
    await api("POST", "/venues", {"id": "v", "name": "V"})
    await api("PATCH", "/venues/v", look, expect=422)


async def test_the_venues_logos_are_ordered_onto_the_slate(api: Api, plane: FakePlane) -> None:
    address = (await upload(api, png()))["address"]
    await api("POST", "/venues", {"id": "paris", "name": "Paris", "logos": [address, "https://example.org/x.png"]})
    await api("POST", "/rooms", {"id": "a", "name": "A", "venue": "paris"})
    await plane.ensure(RoomConfig("a", "A"))
    await api("PATCH", "/venues/paris", {"language": "fr"})
    await until(lambda: any(config.orders.slate.logos for config in plane.configured))
    logos = plane.configured[-1].orders.slate.logos
    assert len(logos) == 1
    assert plane.configured[-1].orders.slate.colours == ()
    await api("PATCH", "/venues/paris", {"colour": "#e30613"})
    await until(lambda: plane.configured[-1].orders.slate.colours)
    assert plane.configured[-1].orders.slate.colours[0] == theme_of("#e30613").dark.accent
    assert logos[0].endswith(str(address).removeprefix("/logos/"))
